"""Assemble the folder that becomes the zip of the session function: code, the modules it imports, and the study.

It needs no package but boto3, which Lambda's Python runtimes have.
"""

from __future__ import annotations

import shutil
from pathlib import Path

HANDLER = "lambdas.session_api.handler.lambda_handler"
BUNDLE_FILE = "bundle.json"

_ROOT = Path(__file__).parent.parent
_CODE = (
    "lambdas/*.py",
    "lambdas/session_api/**/*.py",
    "lwise_core/*.py",
    "lwise_core/experiments/**/*.py",
    "lwise_core/sessions/**/*.py",
)
"""Folders, and the ground floor that they import from."""
_EXCLUDED = _ROOT / "lwise_core/sessions/stores/sqlite"


def assemble_session_api(folder: Path, bundle: str) -> None:
    """Write the function for a study into an empty folder. Equal studies give equal folders."""
    for source in sorted(path for pattern in _CODE for path in _ROOT.glob(pattern)):
        if not source.is_relative_to(_EXCLUDED):
            target = folder / source.relative_to(_ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    (folder / BUNDLE_FILE).write_text(bundle, encoding="utf-8")

"""The folder that becomes the zip of the session function: its code, what that needs of `lwise_core`, and the study.

It needs no package but boto3, which is there wherever functions in Python run.
"""

from __future__ import annotations

import shutil
from pathlib import Path

HANDLER = "lambdas.session_api.handler.lambda_handler"
BUNDLE_FILE = "bundle.json"

_ROOT = Path(__file__).parent.parent
_CODE = (
    "lambdas/__init__.py",
    "lambdas/session_api/*.py",
    "lwise_core/__init__.py",
    "lwise_core/aws_names.py",
    "lwise_core/errors.py",
    "lwise_core/keyed_random.py",
    "lwise_core/experiments/*.py",
    "lwise_core/sessions/*.py",
)
_NOT_IN_THE_CLOUD = ("sqlite.py", "sqlite_schema.py")


def assemble_session_api(folder: Path, bundle: str) -> None:
    """Write the function for a study into an empty folder. Equal studies give equal folders."""
    for pattern in _CODE:
        for source in sorted(_ROOT.glob(pattern)):
            if source.name not in _NOT_IN_THE_CLOUD:
                target = folder / source.relative_to(_ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
    (folder / BUNDLE_FILE).write_text(bundle, encoding="utf-8")

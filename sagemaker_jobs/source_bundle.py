"""The code that a job runs, copied into one folder: `lwise_core.vision`, `sagemaker_jobs.container`, an entry point."""

from __future__ import annotations

import shutil
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

import lwise_core
import sagemaker_jobs
from lwise_core.aws_names import JobKind

REQUIREMENTS_FILE = "requirements.txt"
_IN_THE_IMAGE = ("torch", "torchvision")
"""Not installed again: AWS built them for the drivers in its image."""


def write_code(folder: Path, kind: JobKind) -> Path:
    """Fill a new folder; returns the entry point, at its top, where SageMaker looks for it."""
    core, jobs = Path(lwise_core.__file__).parent, Path(sagemaker_jobs.__file__).parent
    for package, part in ((core, "vision"), (jobs, "container")):
        target = folder / package.name
        shutil.copytree(package / part, target / part, ignore=shutil.ignore_patterns("__pycache__"))
        for module in package.glob("*.py" if package == core else "__init__.py"):
            shutil.copyfile(module, target / module.name)
    script = folder / f"{kind}.py"
    shutil.copyfile(jobs / "container" / script.name, script)
    (folder / REQUIREMENTS_FILE).write_text("\n".join(requirements()) + "\n", encoding="utf-8")
    return script


def requirements() -> list[str]:
    """What the code needs besides the PyTorch of the image, by the metadata of this installation."""
    needed = []
    for line in metadata.requires("lwise") or []:
        requirement = Requirement(line)
        marker = requirement.marker
        if requirement.name not in _IN_THE_IMAGE and (marker is None or marker.evaluate({"extra": "vision"})):
            requirement.marker = None
            needed.append(str(requirement))
    return sorted(needed)

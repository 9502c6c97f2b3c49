"""The code that a job runs, as a folder: what the image side needs of this installation, and the entry point."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

import lwise_core
import sagemaker_jobs
from sagemaker_jobs.job import Kind

REQUIREMENTS_FILE = "requirements.txt"
_OF_JOBS = (
    "__init__.py",
    "container.py",
    "entry.py",
    "job.py",
    "signal_forwarder.py",
    "signal_forwarder.sh",
    "train.py",
    "enhance.py",
    "score.py",
)
_IN_THE_IMAGE = ("torch", "torchvision")
"""Not installed once more: AWS built them for the image's drivers."""


def write_code(folder: Path, kind: Kind) -> Path:
    """Fill a new folder; returns the entry point, at its top, where SageMaker looks for it."""
    core = Path(lwise_core.__file__).parent
    _copy(core, folder / "lwise_core", [*(path.name for path in core.glob("*.py")), "vision"])
    of_jobs = Path(sagemaker_jobs.__file__).parent
    _copy(of_jobs, folder / "sagemaker_jobs", _OF_JOBS)
    script = folder / f"{kind}.py"
    shutil.copyfile(of_jobs / f"{kind}.py", script)
    (folder / REQUIREMENTS_FILE).write_text("\n".join(requirements()) + "\n", encoding="utf-8")
    return script


def requirements() -> list[str]:
    """What the code needs beside the image's own PyTorch, as this installation says it."""
    wanted = []
    for line in metadata.requires("lwise") or []:
        requirement = Requirement(line)
        marker = requirement.marker
        if requirement.name not in _IN_THE_IMAGE and (marker is None or marker.evaluate({"extra": "vision"})):
            requirement.marker = None
            wanted.append(str(requirement))
    return sorted(wanted)


def _copy(source: Path, target: Path, names: Sequence[str]) -> None:
    target.mkdir(parents=True)
    for name in names:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source / name, target / name)

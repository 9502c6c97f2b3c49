"""A copy of the project that has studies of its own: `cdk` and `lwise` work in it as in a clone."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lwise_core.authoring.folder import CONFIG_FILE, DATA_SOURCE_FILE, EXPERIMENTS
from tests.aws_emulator.cdk_command import PROJECT

_SHARED = (".venv", "app.py", "cdk.json", "infra", "lambdas", "lwise_core", "node_modules")
"""What the copy has by links: all that is not a study."""
_FETCHED = "dirmap.csv"


def new_project(folder: Path) -> Path:
    """Make a project without studies in a folder that is there."""
    for name in _SHARED:
        (folder / name).symlink_to(PROJECT / name)
    (folder / EXPERIMENTS).mkdir(parents=True)
    return folder


def copy_study(
    study: str, project: Path, *, name: str | None = None, changes: Mapping[str, Mapping[str, Any]] | None = None
) -> Path:
    """Copy a study of the repository, as it is kept there, into a project; returns its folder there.

    Parameters
    ----------
    name : another id for the copy.
    changes : settings by sections of config.yaml, which take the place of those that are there.
    """
    source, target = PROJECT / EXPERIMENTS / study, project / EXPERIMENTS / (name or study)
    shutil.copytree(source, target)
    if (source / DATA_SOURCE_FILE).is_file():
        (target / _FETCHED).unlink(missing_ok=True)  # somebody may have fetched it
    config = target / CONFIG_FILE
    document = yaml.safe_load(config.read_text(encoding="utf-8"))
    for section, settings in (changes or {}).items():
        document[section] = {**document.get(section, {}), **settings}
    if changes:
        config.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return target

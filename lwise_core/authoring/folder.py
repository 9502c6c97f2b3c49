"""Find the files of a study: the folder, its config.yaml, and its dirmap or trial sets."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lwise_core.authoring.config_file import ConfigFile, read_config
from lwise_core.errors import InputError
from lwise_core.file_names import DIRMAP_FILE

EXPERIMENTS = Path("experiment_site/experiments")
"""Folder of the studies that can be given by id."""

CONFIG_FILE = "config.yaml"
TRIALSETS_FILE = "trialsets.csv"
DATA_FILES = (DIRMAP_FILE, "dataset_dirmap.csv", TRIALSETS_FILE)
"""Default names of the data file; the second is L-WISE's name for the first."""
DATA_SOURCE_FILE = "data_source.yaml"
"""Says where to get the data file, in a study that does not include it."""


class MissingDataError(InputError):
    """The study does not include its data file; `lwise experiments fetch-dirmap` downloads it."""


@dataclass(frozen=True)
class StudyFolder:
    """A study's folder and one of its config files; several configs may share a folder and its data file."""

    root: Path
    config: Path

    @property
    def study_id(self) -> str:
        """`<experiment_name>_<experiment_number>`, the name of the folder."""
        return self.root.resolve().name

    @property
    def instructions(self) -> Path:
        return self.root / "instructions"

    @cached_property
    def config_file(self) -> ConfigFile:
        """The config file, read and validated on first use.

        Raises
        ------
        InputError
            Naming every problem of the file.
        """
        return read_config(self.config)

    @cached_property
    def data_file(self) -> Path:
        """The dirmap or the file of trial sets.

        Raises
        ------
        InputError
            If there is none, or several, or the config file has problems.
        """
        named = self.config_file.config.deployment.data_spec_file_name
        if named is not None:
            if not (self.root / named).is_file():
                self._raise_if_not_fetched()
                raise InputError(f"{self.root / named}: no such file; deployment.data_spec_file_name names it")
            return self.root / named
        existing = [name for name in DATA_FILES if (self.root / name).is_file()]
        if not existing:
            self._raise_if_not_fetched()
        if len(existing) > 1:
            raise InputError(
                f"{self.root}: has {' and '.join(existing)}; choose one with deployment.data_spec_file_name"
            )
        return self.root / (existing or DATA_FILES)[0]

    def _raise_if_not_fetched(self) -> None:
        if (self.root / DATA_SOURCE_FILE).is_file():
            study = self.root if self.config.name == CONFIG_FILE else self.config
            raise MissingDataError(
                f"{self.root}: this study does not include its data file; get it with "
                f"`lwise experiments fetch-dirmap {study}`"
            )


def study_folders() -> list[StudyFolder]:
    """Every study that can be given by its id."""
    return [StudyFolder(config.parent, config) for config in sorted(EXPERIMENTS.glob(f"*/{CONFIG_FILE}"))]


def find_study(study: Path) -> StudyFolder:
    """The study of a path or id: a folder, a config file in it, or a folder that contains exactly one study folder.

    Raises
    ------
    InputError
        If there is none.
    """
    if study.is_file():
        return StudyFolder(study.parent, study)
    if not study.exists() and len(study.parts) == 1 and (EXPERIMENTS / study / CONFIG_FILE).is_file():
        return StudyFolder(EXPERIMENTS / study, EXPERIMENTS / study / CONFIG_FILE)
    if not (study / CONFIG_FILE).is_file():
        inside = sorted(study.glob(f"*/{CONFIG_FILE}"))
        if len(inside) == 1:
            return StudyFolder(inside[0].parent, inside[0])
        if len(inside) > 1:
            raise InputError(f"{study}: contains {len(inside)} studies; choose one, e.g. {inside[0].parent}")
        raise InputError(
            f"{study / CONFIG_FILE}: no such file; expected a study folder, or the id of one in {EXPERIMENTS}"
        )
    return StudyFolder(study, study / CONFIG_FILE)


def is_prespecified(data_file: Path) -> bool:
    """Whether this is a file of trial sets rather than a dirmap, by its name or its column `trialset_id`."""
    if data_file.name in DATA_FILES:
        return data_file.name == TRIALSETS_FILE
    try:
        with data_file.open(encoding="utf-8-sig", newline="") as file:
            return "trialset_id" in next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return False  # read_dirmap reports what is wrong

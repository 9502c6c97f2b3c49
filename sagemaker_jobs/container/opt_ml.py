"""The tree below /opt/ml through which SageMaker and a container exchange files, for training and processing jobs.

`resourceconfig.json` names the machines of the job: below `input/config` for training, below `config` for processing.
Settings of a training are in `hyperparameters.json`, all as text; those of a processing job are in an input file.
Independent of what a job computes; standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ML = Path("/opt/ml")
"""Root of the tree."""

JOB_FILE, DIRMAP_FILE, MODEL_FILE = "job.yaml", "dirmap.csv", "guide.safetensors"
"""The files of the inputs `job`, `dirmap` and `model`."""
UNFINISHED = "unfinished"
"""The input with the files of an interrupted enhancement."""
VARIANTS, SCORES = "variants", "scores.csv"
"""What processing jobs write to their output."""

_LONGEST_REASON = 1024
"""Characters of a failure message that SageMaker stores."""
_SAGEMAKER_PREFIX = "sagemaker_"
"""Begins the names of SageMaker's own settings."""


class ContainerError(Exception):
    """SageMaker's tree is not as expected; the message says what is missing."""


@dataclass(frozen=True)
class Machines:
    """The machines of a job.

    Attributes
    ----------
    hosts : their names, in the same order on every machine.
    current : name of this machine.
    """

    hosts: tuple[str, ...]
    current: str

    @property
    def rank(self) -> int:
        """Index of this machine, from 0."""
        return self.hosts.index(self.current)


@dataclass(frozen=True)
class Container:
    """The tree of one job on one machine."""

    root: Path = ML

    @property
    def is_training(self) -> bool:
        """Whether this is a training job; else a processing job."""
        return (self.root / "input" / "config" / "resourceconfig.json").is_file()

    @property
    def machines(self) -> Machines:
        """The machines of the job.

        Raises
        ------
        ContainerError
        """
        path = self._config("resourceconfig.json")
        config = _read(path)
        try:
            machines = Machines(hosts=tuple(sorted(config["hosts"])), current=config["current_host"])
        except (KeyError, TypeError):
            raise ContainerError(f"{path}: expected hosts and current_host, found {config!r}") from None
        if machines.current not in machines.hosts:
            raise ContainerError(f"{path}: current_host {machines.current} is none of {', '.join(machines.hosts)}")
        return machines

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """The settings of a training job: parsed as JSON where possible, else text.

        Raises
        ------
        ContainerError
        """
        settings: Mapping[str, str] = _read(self._config("hyperparameters.json"))
        return {name: _value(text) for name, text in settings.items() if not name.startswith(_SAGEMAKER_PREFIX)}

    def channel(self, name: str) -> Path:
        """The folder of an input.

        Raises
        ------
        ContainerError
            If the job has no such input.
        """
        path = self.inputs / name
        if not path.is_dir():
            existing = ", ".join(sorted(folder.name for folder in self.inputs.glob("*")))
            raise ContainerError(f"{path}: the job has no input {name}; it has {existing or 'none'}")
        return path

    def optional_channel(self, name: str) -> Path | None:
        """The folder of an optional input; None if the job has no such input."""
        path = self.inputs / name
        return path if path.is_dir() else None

    @property
    def model(self) -> Path:
        """Folder of the trained model; SageMaker uploads it when the job ends."""
        return self.root / "model"

    @property
    def checkpoints(self) -> Path:
        """Folder that SageMaker syncs to S3 while the job runs, and restores after an interruption."""
        return self.root / "checkpoints"

    @property
    def output(self) -> Path:
        """Output folder of a processing job."""
        return self.root / "processing" / "output"

    @property
    def failure(self) -> str | None:
        """Why the work failed, if it did."""
        return self.failure_file.read_text(encoding="utf-8") if self.failure_file.is_file() else None

    def fail(self, reason: str) -> None:
        """Write the reason of a failure to the file that SageMaker shows."""
        self.failure_file.parent.mkdir(parents=True, exist_ok=True)
        self.failure_file.write_text(reason[:_LONGEST_REASON], encoding="utf-8")

    @property
    def failure_file(self) -> Path:
        """The file from which SageMaker reads the reason of a failure."""
        return self.root / "output" / ("failure" if self.is_training else "message")

    @property
    def inputs(self) -> Path:
        """Folder of the inputs."""
        return self.root / "input" / "data" if self.is_training else self.root / "processing" / "input"

    def _config(self, name: str) -> Path:
        return (self.root / "input" if self.is_training else self.root) / "config" / name


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ContainerError(f"{path}: cannot be read ({error.strerror}); is this a SageMaker job?") from None
    except ValueError as error:
        raise ContainerError(f"{path}: is not JSON ({error})") from None


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text

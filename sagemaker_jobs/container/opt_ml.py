"""What SageMaker tells a container and takes from it: the tree below /opt/ml, of training and of processing jobs.

Both name the machines of the job in `resourceconfig.json`, training below `input/config`, processing below `config`;
training has its settings in `hyperparameters.json`, whose values are all text, processing in a file that the job was
given. Knows nothing of what a job computes, and needs the standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ML = Path("/opt/ml")
"""Where SageMaker puts everything."""

JOB_FILE, DIRMAP_FILE, MODEL_FILE = "job.yaml", "dirmap.csv", "guide.safetensors"
"""What the inputs `job`, `dirmap` and `model` hold."""
UNFINISHED = "unfinished"
"""The input with what an enhancement left that was cut short."""
VARIANTS, SCORES = "variants", "scores.csv"
"""What processing jobs leave, unfinished, in their output."""

_LONGEST_REASON = 1024
"""Characters of a failure that SageMaker keeps."""
_ITS_OWN = "sagemaker_"
"""What the names of settings begin with that are SageMaker's."""


class ContainerError(Exception):
    """SageMaker's tree is not as expected; the message says what is missing."""


@dataclass(frozen=True)
class Machines:
    """The machines of a job.

    Attributes
    ----------
    hosts : their names, in the same order on each of them.
    current : this one's.
    """

    hosts: tuple[str, ...]
    current: str

    @property
    def rank(self) -> int:
        """The place of this machine among them, from 0."""
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
        told = _read(path)
        try:
            machines = Machines(hosts=tuple(sorted(told["hosts"])), current=told["current_host"])
        except (KeyError, TypeError):
            raise ContainerError(f"{path}: expected hosts and current_host, found {told!r}") from None
        if machines.current not in machines.hosts:
            raise ContainerError(f"{path}: current_host {machines.current} is none of {', '.join(machines.hosts)}")
        return machines

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """The settings of a training job, each read as JSON where it is that, else as the text that it is.

        Raises
        ------
        ContainerError
        """
        told: Mapping[str, str] = _read(self._config("hyperparameters.json"))
        return {name: _value(text) for name, text in told.items() if not name.startswith(_ITS_OWN)}

    def channel(self, name: str) -> Path:
        """The folder of an input.

        Raises
        ------
        ContainerError
            If the job has no such input.
        """
        path = self.inputs / name
        if not path.is_dir():
            there = ", ".join(sorted(folder.name for folder in self.inputs.glob("*")))
            raise ContainerError(f"{path}: the job has no input {name}; it has {there or 'none'}")
        return path

    def optional_channel(self, name: str) -> Path | None:
        """The folder of an input that not every job has."""
        path = self.inputs / name
        return path if path.is_dir() else None

    @property
    def model(self) -> Path:
        """Where a trained model goes, which SageMaker uploads when the job ends."""
        return self.root / "model"

    @property
    def checkpoints(self) -> Path:
        """What is kept in S3 while the job runs, and is there again after an interruption."""
        return self.root / "checkpoints"

    @property
    def output(self) -> Path:
        """Where a processing job leaves what it makes."""
        return self.root / "processing" / "output"

    @property
    def failure(self) -> str | None:
        """Why the work failed, if it did."""
        return self.failure_file.read_text(encoding="utf-8") if self.failure_file.is_file() else None

    def fail(self, reason: str) -> None:
        """Leave the reason where SageMaker shows it."""
        self.failure_file.parent.mkdir(parents=True, exist_ok=True)
        self.failure_file.write_text(reason[:_LONGEST_REASON], encoding="utf-8")

    @property
    def failure_file(self) -> Path:
        """Where SageMaker looks for the reason of a failure."""
        return self.root / "output" / ("failure" if self.is_training else "message")

    @property
    def inputs(self) -> Path:
        """Where the folders of the inputs are."""
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

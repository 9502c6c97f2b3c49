"""The folder of a training: its state, the best model so far and the log, from which a stopped training resumes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lwise_core import atomic_files
from lwise_core.errors import InputError
from lwise_core.vision.checkpoints.native import save_model
from lwise_core.vision.guide import GuideModel
from lwise_core.vision.settings import write_settings
from lwise_core.vision.training.config import TrainingConfig
from lwise_core.vision.training.evaluation import Accuracy
from lwise_core.vision.training.log import EpochRecord, Log

_STATE = "state.pt"
_BEST = "best.safetensors"
_SETTINGS = "config.yaml"
STEP_KEY = "learner"
"""Key of the step's state in a saved state."""

Plan = Mapping[str, Any]
"""Plain values that determine what a training computes."""


@dataclass(frozen=True)
class Best:
    """The model with the highest accuracy under attack so far: its accuracy, and its weights on the CPU."""

    epoch: int
    accuracy: Accuracy
    weights: Mapping[str, Tensor]


@dataclass
class State:
    """Progress of a training.

    Attributes
    ----------
    epoch : completed epochs.
    batch : completed batches of the current epoch.
    loss : sum of the losses of its images so far, in this process.
    seconds : duration of the epoch so far.
    """

    epoch: int = 0
    batch: int = 0
    loss: float = 0.0
    seconds: float = 0.0
    history: list[EpochRecord] = field(default_factory=list)
    best: Best | None = None


class RunFolder:
    """Where one training saves what it needs to resume."""

    def __init__(self, path: Path, plan: Plan, *, resume: bool) -> None:
        """
        Parameters
        ----------
        plan : JSON values.
        resume : resume the training in the folder, if there is one.

        Raises
        ------
        InputError
            If the folder holds an unfinished training and `resume` is false, or one with another plan.
        """
        self.path = path
        self._plan = dict(plan)
        self._saved = self._read()
        if self._saved is not None and not resume:
            raise InputError(f"{path}: holds an unfinished training; continue it with --resume, or remove the folder")
        if self._saved is not None and (differences := _differences(self._saved["plan"], self._plan)):
            raise InputError(f"{path}: holds a training with other settings ({differences}); resume it with those")
        self._log: Log | None = None

    def start(self, config: TrainingConfig) -> dict[str, Any] | None:
        """Open the log and save the settings; returns what `save` last saved, or None."""
        write_settings(self.path / _SETTINGS, config)
        history = parse_state(self._saved).history if self._saved is not None else []
        if not history:
            (self.path / _BEST).unlink(missing_ok=True)
        self._log = Log(self.path, history)
        return self._saved

    def save(self, step: Mapping[str, Any], state: State) -> None:
        """Save the state atomically, with the `state_dict` of the `AdversarialStep`."""
        content = io.BytesIO()
        torch.save({"plan": self._plan, STEP_KEY: step, "state": asdict(state)}, content)
        atomic_files.write_bytes(self.path / _STATE, content.getvalue())

    def log(self, history: Sequence[EpochRecord]) -> None:
        """Add the last epoch to the log."""
        if self._log is not None:
            self._log.write(history)

    def save_best(self, model: GuideModel, accuracy: Accuracy) -> None:
        """Save the best model so far, so that it can be used before the training ends."""
        save_model(self.path / _BEST, model, training=self._plan, metrics=asdict(accuracy))

    def complete(self) -> None:
        """Remove everything but the settings and the log."""
        if self._log is not None:
            self._log.close()
        for name in (_STATE, _BEST):
            (self.path / name).unlink(missing_ok=True)

    def _read(self) -> dict[str, Any] | None:
        path = self.path / _STATE
        if not path.exists():
            return None
        try:
            saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except Exception:  # PyTorch raises anything for a damaged file
            raise InputError(f"{path}: damaged; remove {self.path} to start over") from None
        return saved


def parse_state(saved: Mapping[str, Any]) -> State:
    """The state in what `RunFolder.start` returned."""
    values = dict(saved["state"])
    values["history"] = [EpochRecord(**one) for one in values["history"]]
    if values["best"] is not None:
        values["best"] = Best(**{**values["best"], "accuracy": Accuracy(**values["best"]["accuracy"])})
    return State(**values)


def _differences(before: Plan, now: Plan) -> str:
    names = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    return "; ".join(f"{name} was {before.get(name)!r}, now {now.get(name)!r}" for name in names)

"""A training's folder: its state after every epoch, the best model so far, its log. What a stopped run goes on from."""

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

Plan = Mapping[str, Any]
"""Plain values that decide what a training computes."""


@dataclass(frozen=True)
class Best:
    """The model of the highest accuracy under attack so far: its weights, on the CPU, and how it was measured."""

    epoch: int
    accuracy: Accuracy
    weights: Mapping[str, Tensor]


@dataclass
class State:
    """How far a training is.

    Attributes
    ----------
    epoch : epochs done.
    batch : batches done of the epoch under way.
    loss : sum of its pictures' losses so far, of this process.
    seconds : that it took so far.
    """

    epoch: int = 0
    batch: int = 0
    loss: float = 0.0
    seconds: float = 0.0
    history: list[EpochRecord] = field(default_factory=list)
    best: Best | None = None


class RunFolder:
    """Where one training keeps what it needs to go on."""

    def __init__(self, path: Path, plan: Plan, *, resume: bool) -> None:
        """
        Parameters
        ----------
        plan : JSON values.
        resume : go on from what is there, if anything is.

        Raises
        ------
        InputError
            If the folder holds an unfinished training that is not to be resumed, or one with another plan.
        """
        self.path = path
        self._plan = dict(plan)
        self._found = self._read()
        if self._found is not None and not resume:
            raise InputError(
                f"{path}: holds a training that is not finished; go on with it by --resume, or remove the folder"
            )
        if self._found is not None and (differing := _differing(self._found["plan"], self._plan)):
            raise InputError(f"{path}: holds a training with other settings ({differing}); resume it with those")
        self._log: Log | None = None

    def begin(self, config: TrainingConfig) -> dict[str, Any] | None:
        """What `save` kept last, or None; the log goes on from there, and the settings are written down."""
        write_settings(self.path / _SETTINGS, config)
        history = state_from(self._found).history if self._found is not None else []
        if not history:
            (self.path / _BEST).unlink(missing_ok=True)
        self._log = Log(self.path, history)
        return self._found

    def save(self, learner: Mapping[str, Any], state: State) -> None:
        """Keep a state, whole or not at all."""
        written = io.BytesIO()
        torch.save({"plan": self._plan, "learner": learner, "state": asdict(state)}, written)
        atomic_files.write_bytes(self.path / _STATE, written.getvalue())

    def note(self, history: Sequence[EpochRecord]) -> None:
        """Log the last epoch."""
        if self._log is not None:
            self._log.write(history)

    def save_best(self, model: GuideModel, accuracy: Accuracy) -> None:
        """Keep a model that is the best so far, for whoever wants to look into it."""
        save_model(self.path / _BEST, model, training=self._plan, metrics=asdict(accuracy))

    def complete(self) -> None:
        """Leave nothing but the settings and the log."""
        if self._log is not None:
            self._log.close()
        for name in (_STATE, _BEST):
            (self.path / name).unlink(missing_ok=True)

    def _read(self) -> dict[str, Any] | None:
        path = self.path / _STATE
        if not path.exists():
            return None
        try:
            found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except Exception:  # whatever a damaged file makes PyTorch raise
            raise InputError(f"{path}: damaged; remove {self.path} to begin anew") from None
        return found


def state_from(found: Mapping[str, Any]) -> State:
    """The state in what `RunFolder.begin` gave."""
    values = dict(found["state"])
    values["history"] = [EpochRecord(**one) for one in values["history"]]
    if values["best"] is not None:
        values["best"] = Best(**{**values["best"], "accuracy": Accuracy(**values["best"]["accuracy"])})
    return State(**values)


def _differing(before: Plan, now: Plan) -> str:
    names = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    return "; ".join(f"{name} was {before.get(name)!r}, now {now.get(name)!r}" for name in names)

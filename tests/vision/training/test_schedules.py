"""Learning rate and ε follow their formulas, written out here independently."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from lwise_core.vision.training.config import TrainingConfig
from lwise_core.vision.training.schedules import epsilon_at, learning_rate_schedule

_PEAK, _EPOCHS, _PER_EPOCH = 0.3, 12, 5
_N = _EPOCHS * _PER_EPOCH


def _step(batch: int) -> float:
    return _PEAK * 0.2 ** (batch // (4 * _PER_EPOCH))


def _cyclic(batch: int) -> float:
    top = _N * 4 / 15
    return _PEAK * batch / top if batch < top else _PEAK * (_N - batch) / (_N - top)


def _cosine(batch: int) -> float:
    return _PEAK * (1 + math.cos(math.pi * batch / _N)) / 2


def _one_cycle(batch: int) -> float:
    lowest, end, top = _PEAK / 25, _PEAK / 25 / 1e4, 0.3 * _N - 1
    if batch <= top:
        return _PEAK + (lowest - _PEAK) * (1 + math.cos(math.pi * batch / top)) / 2
    return end + (_PEAK - end) * (1 + math.cos(math.pi * (batch - top) / (_N - 1 - top))) / 2


@pytest.mark.parametrize(
    ("name", "formula"), [("step", _step), ("cyclic", _cyclic), ("cosine", _cosine), ("one_cycle", _one_cycle)]
)
def test_learning_rate_follows_the_formula(name: str, formula: Callable[[int], float]) -> None:
    config = TrainingConfig(
        schedule=name,  # type: ignore[arg-type]
        peak_learning_rate=_PEAK,
        epochs=_EPOCHS,
        step_epochs=4,
        step_factor=0.2,
    )
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=_PEAK, momentum=0.9)
    schedule = learning_rate_schedule(optimiser, config, batches_per_epoch=_PER_EPOCH)
    used = []
    for _ in range(_N):
        used.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    assert used == pytest.approx([formula(batch) for batch in range(_N)], rel=1e-9, abs=1e-12)


def test_epsilon_is_zero_then_grows_then_stays() -> None:
    config = TrainingConfig(epsilon=2, zero_eps_epochs=1, eps_warmup_epochs=4)
    expected = {0: 0, 0.99: 0, 1: 0, 2: 0.5, 3.5: 1.25, 5: 2, 9: 2}
    assert {epoch: epsilon_at(epoch, config) for epoch in expected} == pytest.approx(expected)


def test_epsilon_is_constant_by_default() -> None:
    assert [epsilon_at(epoch, TrainingConfig(epsilon=2)) for epoch in (0, 0.5, 29.9)] == [2, 2, 2]

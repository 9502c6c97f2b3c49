"""How much a training computes for one picture, and what share of the device's ability that is."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from lwise_core.vision.engine import Engine, Precision
from lwise_core.vision.guide import GuideModel

_PEAK_TFLOPS: dict[str, dict[Precision, float]] = {
    # Dense, by the makers' data sheets. PyTorch lets convolutions in fp32 use TF32, whose peak this is.
    "NVIDIA A100": {"bf16": 312.0, "fp32": 156.0},
    "NVIDIA H100 80GB HBM3": {"bf16": 989.4, "fp32": 494.7},
    "NVIDIA H200": {"bf16": 989.4, "fp32": 494.7},
}
_COUNTED = 2
"""Pictures; PyTorch takes other ways with one alone."""


@dataclass(frozen=True)
class Work:
    """Floating-point operations for one picture: of its attack, and of learning from it."""

    attack: float
    learning: float


def count_work(model: GuideModel, *, attack_steps: int, engine: Engine) -> Work:
    """Counted, not estimated, on a model that is about to be trained, which stays as it is."""
    frozen = copy.deepcopy(model).requires_grad_(False)
    attack_step = _count(frozen, engine, by_pictures=True)
    return Work(attack_steps * attack_step, _count(copy.deepcopy(model), engine, by_pictures=False))


def _count(model: GuideModel, engine: Engine, *, by_pictures: bool) -> float:
    """Of a forward and a backward pass of one picture, the gradient by the picture or by the weights that learn."""
    side = model.description.size
    images = torch.full((_COUNTED, 3, side, side), 0.5, device=engine.device, requires_grad=by_pictures)
    model.eval()
    with engine.computing(), FlopCounterMode(display=False) as counter:
        model(images).float().sum().backward()
    return float(counter.get_total_flops() / _COUNTED)


def peak_tflops(engine: Engine) -> float | None:
    """Of the device in the engine's precision, in TFLOP/s; None where it is not known."""
    if engine.device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(engine.device)
    return next((peaks.get(engine.precision) for known, peaks in _PEAK_TFLOPS.items() if name.startswith(known)), None)

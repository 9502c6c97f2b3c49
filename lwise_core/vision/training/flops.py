"""Floating-point operations per training image, and the peak throughput of known GPUs."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from lwise_core.vision.engine import Engine, Precision
from lwise_core.vision.guide import GuideModel

_PEAK_TFLOPS: dict[str, dict[Precision, float]] = {
    # Dense, from the vendors' data sheets. PyTorch runs fp32 convolutions in TF32, so fp32 gives the TF32 peak.
    "NVIDIA A100": {"bf16": 312.0, "fp32": 156.0},
    "NVIDIA H100 80GB HBM3": {"bf16": 989.4, "fp32": 494.7},
    "NVIDIA H200": {"bf16": 989.4, "fp32": 494.7},
}
_N_IMAGES = 2
"""PyTorch picks other kernels for a single image."""


@dataclass(frozen=True)
class ImageFlops:
    """Floating-point operations for one image: those of its attack, and those of the update."""

    attack: float
    update: float


def count_flops(model: GuideModel, *, attack_steps: int, engine: Engine) -> ImageFlops:
    """Count the operations, rather than estimate them, on copies of a model."""
    frozen = copy.deepcopy(model).requires_grad_(False)
    attack_step = _count(frozen, engine, by_images=True)
    return ImageFlops(attack_steps * attack_step, _count(copy.deepcopy(model), engine, by_images=False))


def _count(model: GuideModel, engine: Engine, *, by_images: bool) -> float:
    """FLOPs per image of a forward and a backward pass, for the gradient of the images or of the trainable weights."""
    side = model.description.size
    images = torch.full((_N_IMAGES, 3, side, side), 0.5, device=engine.device, requires_grad=by_images)
    model.eval()
    with engine.computing(), FlopCounterMode(display=False) as counter:
        model(images).float().sum().backward()
    return float(counter.get_total_flops() / _N_IMAGES)


def peak_tflops(engine: Engine) -> float | None:
    """Peak of the device in the engine's precision, in TFLOP/s; None if it is not known."""
    if engine.device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(engine.device)
    return next((peaks.get(engine.precision) for known, peaks in _PEAK_TFLOPS.items() if name.startswith(known)), None)

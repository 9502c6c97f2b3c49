"""Convert stored pixels, 0 … 255, to a network's input, 0 … 1."""

from __future__ import annotations

import torch
from torch import Tensor


def as_float(images: Tensor) -> Tensor:
    """uint8 0 … 255 -> float32 0 … 1."""
    return images.to(torch.float32) / 255

"""Random views of an image: colours changed, shifted, a square cut out.

A transformer's gradient at the image itself shows the grid of its patches and little that people see; the mean gradient
over many views does not have that grid. Every view is differentiable. The views of a step depend on the seed and the
step alone, so that an ascent is reproducible and a longer one starts like a shorter one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

_COLOUR = 0.15
"""Largest change of a channel's brightness and contrast, as a share."""
_SHIFT = 0.08
"""Largest shift along either side, as a share of it."""
_HOLE = 0.25
"""Side of the square that is cut out, as a share of the image's."""
_STEPS_APART = 1_000_003
"""More steps than any ascent has, so that no two seeds share random numbers."""


@dataclass(frozen=True)
class RandomViews:
    """`n` views of every image at each step."""

    n: int
    seed: int = 0

    def at(self, step: int, images: Tensor) -> Iterator[Tensor]:
        """Yield views (N, 3, H, W) of a batch at a step; each changes every image in the same way."""
        random = torch.Generator().manual_seed(self.seed * _STEPS_APART + step)
        for _ in range(self.n):
            yield _view(images, random)


def _view(images: Tensor, random: torch.Generator) -> Tensor:
    return _cut(_shifted(_coloured(images, random), random), random)


def _coloured(images: Tensor, random: torch.Generator) -> Tensor:
    contrast, brightness = _uniform(2, 3, 1, 1, random=random).to(images).unbind()
    changed: Tensor = (images - 0.5) * (1 + _COLOUR * contrast) + 0.5 + _COLOUR * brightness
    return changed


def _shifted(images: Tensor, random: torch.Generator) -> Tensor:
    """Shifted with wrap-around, so that every pixel keeps a gradient."""
    sides = torch.tensor(images.shape[-2:])
    down, right = (_uniform(2, random=random) * _SHIFT * sides).round().long().tolist()
    return images.roll((down, right), dims=(-2, -1))


def _cut(images: Tensor, random: torch.Generator) -> Tensor:
    """With a grey square."""
    height, width = images.shape[-2:]
    side = max(1, round(_HOLE * min(height, width)))
    top = int(torch.randint(0, height - side + 1, (), generator=random))
    left = int(torch.randint(0, width - side + 1, (), generator=random))
    hole = torch.zeros(height, width, dtype=torch.bool, device=images.device)
    hole[top : top + side, left : left + side] = True
    return torch.where(hole, images.new_tensor(0.5), images)


def _uniform(*shape: int, random: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=random) * 2 - 1

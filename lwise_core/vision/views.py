"""Random views of a picture: other colours, shifted, a piece cut out.

A transformer's gradient at the picture itself holds its patches' grid and little that people see; the mean gradient
over many views does not. Every view is differentiable. Those of a step depend on the seed and the step alone, so that a
walk can be repeated, and a longer one begins like a shorter one.
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
"""Side of the piece that is cut out, as a share of the picture's."""
_STEPS_APART = 1_000_003
"""More steps than any walk has, so that no two seeds share the random numbers of a step."""


@dataclass(frozen=True)
class Views:
    """`n` views of every picture at each step."""

    n: int
    seed: int = 0

    def at(self, step: int, images: Tensor) -> Iterator[Tensor]:
        """One view after another of pictures (N, 3, H, W) at a step, each the same for every picture of a batch."""
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
    """Moved as a whole; what leaves at one edge comes in at the other, so that every pixel keeps a gradient."""
    sides = torch.tensor(images.shape[-2:])
    down, right = (_uniform(2, random=random) * _SHIFT * sides).round().long().tolist()
    return images.roll((down, right), dims=(-2, -1))


def _cut(images: Tensor, random: torch.Generator) -> Tensor:
    """A square becomes grey."""
    height, width = images.shape[-2:]
    side = max(1, round(_HOLE * min(height, width)))
    top = int(torch.randint(0, height - side + 1, (), generator=random))
    left = int(torch.randint(0, width - side + 1, (), generator=random))
    hole = torch.zeros(height, width, dtype=torch.bool, device=images.device)
    hole[top : top + side, left : left + side] = True
    return torch.where(hole, images.new_tensor(0.5), images)


def _uniform(*shape: int, random: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=random) * 2 - 1

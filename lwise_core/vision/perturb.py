"""Projected gradient ascent inside an L2 ball: the engine of enhancement and of adversarial training.

One step moves every image by `step` (L2, in [0, 1] pixel space) along its own gradient, then projects onto the ball of
radius ε around the start and clamps to [0, 1] (Madry et al. 2018, https://arxiv.org/abs/1706.06083). Pure functions:
model, labels, budget and random numbers are arguments.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lwise_core.vision.objectives import Objective

_TINY = 1e-10
"""Keeps a zero gradient from dividing by zero; the same constant as the published attack."""


@dataclass(frozen=True)
class Budget:
    """Radius ε of the ball and length of one step, both L2 over the whole image in [0, 1] pixels; number of steps."""

    epsilon: float
    step: float
    steps: int

    @classmethod
    def along_radius(cls, epsilon: float, *, step: float) -> Budget:
        """The rule of the learning studies: just enough steps of `step` to walk the radius, at least one."""
        return cls(epsilon=epsilon, step=step, steps=max(1, round(epsilon / step)))

    @property
    def stays_inside(self) -> bool:
        """Whether the walk is too short to reach the ball's surface, so that the projection never changes it."""
        return self.steps * self.step <= self.epsilon * (1 + 1e-9)


def ascend(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    objective: Objective,
    budget: Budget,
    start: Tensor | None = None,
) -> Tensor:
    """The last iterate of the ascent from `start` (default: `images`), around `images`.

    Parameters
    ----------
    images : float (N, 3, H, W) in [0, 1].
    labels : int64 (N,).

    Returns
    -------
    float (N, 3, H, W) in [0, 1] with ||result - images||_2 <= ε for each image.
    """
    current = images if start is None else start
    for _ in range(budget.steps):
        current = _one_step(model, current, images, labels, objective, budget)
    return current


def ascend_many(
    model: nn.Module, images: Tensor, labels: Tensor, *, objective: Objective, budgets: Sequence[Budget]
) -> list[Tensor]:
    """`ascend` for several budgets in as few steps as possible, one result per budget.

    A walk that never reaches its ball's surface is a prefix of every longer walk with the same step, so such budgets
    are read off one trajectory; any other budget gets a walk of its own.
    """
    shared = [budget for budget in budgets if budget.stays_inside and budget.step == budgets[0].step]
    snapshots: dict[int, Tensor] = {}
    if shared:
        longest = max(shared, key=lambda budget: budget.steps)
        current = images
        for done in range(1, longest.steps + 1):
            current = _one_step(model, current, images, labels, objective, longest)
            snapshots[done] = current
    return [
        snapshots[budget.steps]
        if budget in shared
        else ascend(model, images, labels, objective=objective, budget=budget)
        for budget in budgets
    ]


def random_start(images: Tensor, *, epsilon: float, generator: torch.Generator) -> Tensor:
    """A point uniform in direction and in radius within the ball, clamped to [0, 1]."""
    noise = torch.randn(images.shape, generator=generator, device=generator.device).to(images)
    radius = torch.rand(len(images), generator=generator, device=generator.device).to(images)
    return (images + noise * (epsilon * radius / _norms(noise))[:, None, None, None]).clamp(0, 1)


def _one_step(
    model: nn.Module, current: Tensor, images: Tensor, labels: Tensor, objective: Objective, budget: Budget
) -> Tensor:
    with torch.enable_grad():
        point = current.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(objective(model(point), labels).sum(), point)
    moved = point.detach() + budget.step * gradient / (_norms(gradient) + _TINY)[:, None, None, None]
    return _project(moved, images, budget.epsilon)


def _project(points: Tensor, images: Tensor, epsilon: float) -> Tensor:
    difference = points - images
    scale = (epsilon / _norms(difference).clamp_min(_TINY)).clamp_max(1.0)
    return (images + difference * scale[:, None, None, None]).clamp(0, 1)


def _norms(batch: Tensor) -> Tensor:
    norms: Tensor = torch.linalg.vector_norm(batch.flatten(1), dim=1)
    return norms


def rounding_bound(size: int) -> float:
    """Largest L2 error of storing a `size` x `size` RGB picture in 8 bits: each value moves by at most 0.5/255."""
    return 0.5 / 255 * math.sqrt(3 * size * size)

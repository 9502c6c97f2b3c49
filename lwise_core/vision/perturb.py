"""Projected gradient ascent inside an L2 ball: the engine of enhancement and of adversarial training.

Each step moves every image by `step` (L2, in [0, 1] pixels) along its own gradient, projects it onto the ball of radius
ε around the original and clamps it to [0, 1] (Madry et al. 2018, https://arxiv.org/abs/1706.06083). Pure functions:
model, labels, budget and random numbers are arguments. Nothing here waits for the device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lwise_core.vision.budget import ROUNDING, Budget
from lwise_core.vision.objectives import Objective
from lwise_core.vision.random_views import RandomViews

Model = Callable[[Tensor], Tensor]
"""Images (N, 3, H, W) in [0, 1] -> logits (N, C)."""

_TINY = 1e-10
"""Keeps a zero gradient from dividing by zero; the same constant as in the published attack."""


def ascend(
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    objective: Objective,
    budget: Budget,
    start: Tensor | None = None,
    best: bool = False,
    views: RandomViews | None = None,
) -> Tensor:
    """Raise the objective of each image within its ball, from `start` (default: the image itself).

    Parameters
    ----------
    images : float (N, 3, H, W) in [0, 1], the centres of the balls.
    labels : int64 (N,).
    best : return the iterate of the highest value of each image, the start included, instead of the last one.
    views : raise the mean value over random views instead of the value of the image itself.

    Returns
    -------
    float (N, 3, H, W) in [0, 1] with ||result - images||_2 <= ε for each image.
    """
    values = Values(model, labels, objective, views)
    point = images if start is None else start
    highest = Highest(point)
    for step in range(budget.steps):
        value, gradient = values.with_gradient(point, step)
        if best:
            highest = highest.or_higher(point, value)
        point = project(step_along(gradient, point, budget.step), images, budget.epsilon)
    if best:
        point = highest.or_higher(point, values.without_gradient(point, budget.steps)).point
    return point


def step_along(gradient: Tensor, point: Tensor, length: float) -> Tensor:
    """Move each image by `length` along its gradient."""
    return point.detach() + length * gradient / _per_image(_norms(gradient) + _TINY)


def project(points: Tensor, images: Tensor, epsilon: float) -> Tensor:
    """The nearest points of the balls around `images`, clamped to [0, 1]; points inside a ball stay as they are."""
    offset = points - images
    length = _per_image(_norms(offset))
    return torch.where(length > epsilon * ROUNDING, images + offset * (epsilon / length), points).clamp(0, 1)


def random_starts(images: Tensor, *, epsilon: float, seeds: Sequence[int]) -> Tensor:
    """Points uniform in direction and in radius within ε of images (N, 3, H, W), clamped to [0, 1].

    Each image has its own seed. The noise is drawn on the images' device.
    """
    noise, radius = torch.empty(images.shape, device=images.device), torch.empty(len(images))
    on_device, on_cpu = torch.Generator(images.device), torch.Generator()
    for row, seed in enumerate(seeds):
        # A single call on the device per image: on a GPU, calls cost more than numbers.
        torch.randn(images.shape[1:], generator=on_device.manual_seed(seed), out=noise[row])
        torch.rand((), generator=on_cpu.manual_seed(seed), out=radius[row])
    length = epsilon * radius.to(images.device, non_blocking=True) / _norms(noise)
    moved: Tensor = images + noise.to(images.dtype) * _per_image(length.to(images.dtype))
    return moved.clamp(0, 1)


@dataclass(frozen=True)
class Values:
    """The values that an ascent raises, at any point."""

    model: Model
    labels: Tensor
    objective: Objective
    views: RandomViews | None

    def with_gradient(self, point: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """The values (N,), and the gradient of each with respect to its own image (N, 3, H, W)."""
        if len(point) == 1 and point.device.type == "cpu":
            # On a CPU, PyTorch 2.11 computes a wrong gradient of batch normalisation for a single image if it comes
            # from a transposed tensor, as in XCiT. Two images are right.
            pair = Values(self.model, torch.cat([self.labels, self.labels]), self.objective, self.views)
            value, gradient = pair.with_gradient(point.repeat(2, 1, 1, 1), step)
            return value[:1], gradient[:1]
        with torch.enable_grad():
            leaf = point.detach().requires_grad_()
            values: list[Tensor] = []
            gradients: list[Tensor] = []
            # One view at a time, so that memory holds one graph.
            for view in self._views_of(leaf, step):
                value = self._of(view)
                values.append(value.detach())
                gradients += torch.autograd.grad(value.sum(), leaf)
        return _mean(values), _mean(gradients)

    def without_gradient(self, point: Tensor, step: int) -> Tensor:
        """The values (N,)."""
        with torch.no_grad():
            return _mean([self._of(view) for view in self._views_of(point, step)])

    def _views_of(self, point: Tensor, step: int) -> Iterable[Tensor]:
        return [point] if self.views is None else self.views.at(step, point)

    def _of(self, view: Tensor) -> Tensor:
        # The network may compute in bf16; differences between logits, and between iterates, need full precision.
        return self.objective(self.model(view).to(view.dtype), self.labels)


@dataclass(frozen=True)
class Highest:
    """The point of the highest value so far, for each image; the start before any value is known."""

    point: Tensor
    value: Tensor | None = None

    def or_higher(self, point: Tensor, value: Tensor) -> Highest:
        """With another point, where its value is higher."""
        if self.value is None:
            return Highest(point, value)
        is_higher = value > self.value
        return Highest(torch.where(_per_image(is_higher), point, self.point), torch.where(is_higher, value, self.value))


def _mean(tensors: Sequence[Tensor]) -> Tensor:
    return tensors[0] if len(tensors) == 1 else torch.stack(list(tensors)).mean(dim=0)


def _per_image(values: Tensor) -> Tensor:
    return values[:, None, None, None]


def _norms(batch: Tensor) -> Tensor:
    norms: Tensor = torch.linalg.vector_norm(batch.flatten(1), dim=1)
    return norms

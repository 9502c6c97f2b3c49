"""Minimal adversarial ε: how far an image is from being taken for another class.

The radius of the smallest L2 ball around an image in which an attack finds an image that is misclassified, found by
bisection for a whole batch at once, each image with a radius of its own. It is an upper bound of the distance to the
decision boundary, and one that an image was found for.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lwise_core.vision.difficulty.settings import Bisection
from lwise_core.vision.engine import Engine
from lwise_core.vision.guide import GuideModel
from lwise_core.vision.objectives import logit
from lwise_core.vision.per_image import Measure
from lwise_core.vision.perturb import Model
from lwise_core.vision.targets import Targets

COLUMN = "minimal_epsilon"

_REACH = 2.5
"""Length of the whole walk in radii: enough to reach any point of the ball and to turn (Madry et al. 2018)."""
_TINY = 1e-10


def minimal_epsilon(model: GuideModel, targets: Targets, engine: Engine, bisection: Bisection) -> Measure:
    """What `measure_images` computes: the minimal ε of each image, as `smallest_radii` gives it."""
    ready = engine.prepared(model)

    def logits(pictures: Tensor) -> Tensor:
        return targets.columns(ready(pictures)).to(pictures.dtype)

    def compute(pictures: Tensor, labels: Tensor) -> list[Tensor]:
        with engine.computing():
            return [smallest_radii(logits, pictures, labels, bisection)]

    return Measure((COLUMN,), compute, model.description.size, targets)


def smallest_radii(model: Model, pictures: Tensor, labels: Tensor, bisection: Bisection) -> Tensor:
    """L2 distance (N,) of each image to the nearest misclassified image in [0, 1] that was found.

    0 for an image that is misclassified as it is, infinity where none was found within the largest radius.
    """
    if len(pictures) == 1 and pictures.device.type == "cpu":
        # The gradient for one image alone may be wrong on a processor: see `perturb.ascend_many`.
        return smallest_radii(model, pictures.repeat(2, 1, 1, 1), labels.repeat(2), bisection)[:1]
    without = torch.zeros(len(pictures), dtype=pictures.dtype, device=pictures.device)
    within = torch.full_like(without, torch.inf)
    radius = torch.full_like(without, bisection.largest)
    for _ in range(bisection.rounds + 1):
        found = _nearest_found(model, pictures, labels, radius, bisection.steps)
        without = torch.where(found.isinf(), torch.maximum(without, radius), without)
        within = torch.minimum(within, found)
        radius = (without + within.clamp_max(bisection.largest)) / 2
    return within


def _nearest_found(model: Model, pictures: Tensor, labels: Tensor, radius: Tensor, steps: int) -> Tensor:
    """Distance (N,) of the nearest misclassified image on a walk down the margin; infinity where there is none."""
    nearest = torch.full_like(radius, torch.inf)
    point = pictures
    step = _REACH * radius / steps
    for number in range(steps + 1):
        margin, gradient = _margin_with_gradient(model, point, labels)
        distance = _norms(point - pictures)
        nearest = torch.where(margin <= 0, torch.minimum(nearest, distance), nearest)
        if number < steps:
            moved = point - _per_image(step / (_norms(gradient) + _TINY)) * gradient
            difference = moved - pictures
            scale = (radius / _norms(difference).clamp_min(_TINY)).clamp_max(1.0)
            point = (pictures + _per_image(scale) * difference).clamp(0, 1)
    return nearest


def _margin_with_gradient(model: Model, point: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """z_y - max_{k != y} z_k (N,), which unlike the cross-entropy does not go flat far from the boundary."""
    with torch.enable_grad():
        leaf = point.detach().requires_grad_()
        logits = model(leaf)
        others = logits.scatter(1, labels[:, None], -torch.inf).amax(dim=1)
        margin = logit(logits, labels) - others
        (gradient,) = torch.autograd.grad(margin.sum(), leaf)
    return margin.detach(), gradient


def _per_image(values: Tensor) -> Tensor:
    return values[:, None, None, None]


def _norms(batch: Tensor) -> Tensor:
    norms: Tensor = torch.linalg.vector_norm(batch.flatten(1), dim=1)
    return norms

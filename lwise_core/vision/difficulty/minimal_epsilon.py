"""Minimal adversarial ε: the distance of an image from misclassification.

The radius of the smallest L2 ball around an image in which an attack finds a misclassified one, by bisection for a
whole batch at once, with a radius for each image. It is an upper bound of the distance to the decision boundary.
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
"""Length of the whole attack in radii: enough to reach any point of the ball and turn (Madry et al. 2018)."""
_TINY = 1e-10


def minimal_epsilon(model: GuideModel, targets: Targets, engine: Engine, bisection: Bisection) -> Measure:
    """The measure for `measure_images`: the minimal ε of each image, from `smallest_radii`."""
    ready = engine.prepared(model)

    def logits(images: Tensor) -> Tensor:
        return targets.columns(ready(images)).to(images.dtype)

    def compute(images: Tensor, labels: Tensor) -> list[Tensor]:
        with engine.computing():
            return [smallest_radii(logits, images, labels, bisection)]

    return Measure((COLUMN,), compute, model.description.size, targets)


def smallest_radii(model: Model, images: Tensor, labels: Tensor, bisection: Bisection) -> Tensor:
    """L2 distance (N,) of each image to the nearest misclassified image found in [0, 1].

    0 for an image that is misclassified itself, infinity if none was found within the largest radius.
    """
    if len(images) == 1 and images.device.type == "cpu":
        # On a CPU the gradient of a single image may be wrong: see `perturb.ascend_many`.
        return smallest_radii(model, images.repeat(2, 1, 1, 1), labels.repeat(2), bisection)[:1]
    lower = torch.zeros(len(images), dtype=images.dtype, device=images.device)
    upper = torch.full_like(lower, torch.inf)
    radius = torch.full_like(lower, bisection.largest)
    for _ in range(bisection.rounds + 1):
        distance = _nearest_misclassified(model, images, labels, radius, bisection.steps)
        lower = torch.where(distance.isinf(), torch.maximum(lower, radius), lower)
        upper = torch.minimum(upper, distance)
        radius = (lower + upper.clamp_max(bisection.largest)) / 2
    return upper


def _nearest_misclassified(model: Model, images: Tensor, labels: Tensor, radius: Tensor, steps: int) -> Tensor:
    """Distance (N,) of the nearest misclassified image on a descent of the margin; infinity if there is none."""
    nearest = torch.full_like(radius, torch.inf)
    point = images
    step = _REACH * radius / steps
    for number in range(steps + 1):
        margin, gradient = _margin_with_gradient(model, point, labels)
        distance = _norms(point - images)
        nearest = torch.where(margin <= 0, torch.minimum(nearest, distance), nearest)
        if number < steps:
            moved = point - _per_image(step / (_norms(gradient) + _TINY)) * gradient
            difference = moved - images
            scale = (radius / _norms(difference).clamp_min(_TINY)).clamp_max(1.0)
            point = (images + _per_image(scale) * difference).clamp(0, 1)
    return nearest


def _margin_with_gradient(model: Model, point: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """z_y - max_{k != y} z_k (N,), which unlike cross-entropy does not flatten far from the boundary."""
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

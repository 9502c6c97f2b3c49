"""Projected gradient ascent inside an L2 ball: the engine of enhancement and of adversarial training.

One step moves every image by `step` (L2, in [0, 1] pixel space) along its own gradient, then projects onto the ball of
radius ε around the start and clamps to [0, 1] (Madry et al. 2018, https://arxiv.org/abs/1706.06083). Pure functions:
model, labels, budget and random numbers are arguments. Nothing in a walk waits for the device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from lwise_core.vision.objectives import Objective
from lwise_core.vision.views import Views

Model = Callable[[Tensor], Tensor]
"""Pictures (N, 3, H, W) in [0, 1] -> logits (N, C)."""

_TINY = 1e-10
"""Keeps a zero gradient from dividing by zero; the same constant as the published attack."""
_ROUNDING = 1 + 1e-9


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

    def binds_at(self, done: int) -> bool:
        """Whether the ball's surface may be reached by step number `done`, counted from 1."""
        return done * self.step > self.epsilon * _ROUNDING

    @property
    def stays_inside(self) -> bool:
        """Whether the walk is too short to reach the ball's surface, so that the projection never changes it."""
        return not self.binds_at(self.steps)


def ascend(
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    objective: Objective,
    budget: Budget,
    start: Tensor | None = None,
    best: bool = False,
    views: Views | None = None,
) -> Tensor:
    """The ascent from `start` (default: `images`) around `images`.

    Parameters
    ----------
    images : float (N, 3, H, W) in [0, 1].
    labels : int64 (N,).
    best : of each image the iterate of the highest value, the start among them, instead of the last.
    views : raise the mean value over views instead of the value of the picture itself.

    Returns
    -------
    float (N, 3, H, W) in [0, 1] with ||result - images||_2 <= ε for each image.
    """
    (result,) = ascend_many(
        model, images, labels, objective=objective, budgets=[budget], start=start, best=best, views=views
    )
    return result


def ascend_many(
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    objective: Objective,
    budgets: Sequence[Budget],
    start: Tensor | None = None,
    best: bool = False,
    views: Views | None = None,
) -> list[Tensor]:
    """`ascend` for several budgets with as few gradients as possible, one result per budget.

    Walks with the same step are one walk for as long as none of them has reached its ball's surface: until then the
    gradient is computed once for all. A walk that reaches it goes on alone.
    """
    if len(images) == 1 and images.device.type == "cpu":
        # PyTorch 2.11's gradient of a batch normalisation is wrong on a processor for one picture alone where it comes
        # from a transposed tensor, as in XCiT; two pictures are right.
        images, labels = images.repeat(2, 1, 1, 1), torch.cat([labels, labels])
        start = None if start is None else start.repeat(2, 1, 1, 1)
        options = {"objective": objective, "budgets": budgets, "start": start, "best": best, "views": views}
        return [pair[:1] for pair in ascend_many(model, images, labels, **options)]  # type: ignore[arg-type]
    results: dict[int, Tensor] = {}
    values = _Values(model, labels, objective, views)
    for step in dict.fromkeys(budget.step for budget in budgets):
        together = {index: budget for index, budget in enumerate(budgets) if budget.step == step}
        field = _Field(images, step, starts_in_centre=start is None)
        point = images if start is None else start
        walks = [_Walk(point, together, _Best(point) if best else None)]
        while walks:
            walks = [after for walk in walks for after in _one_step(walk, field, values, results)]
    return [results[index] for index in range(len(budgets))]


def n_gradients(budgets: Sequence[Budget]) -> int:
    """How many gradients `ascend_many` computes of each image."""
    total = 0
    for step in {budget.step for budget in budgets}:
        of_step = [budget for budget in budgets if budget.step == step]
        for done in range(1, max(budget.steps for budget in of_step) + 1):
            going = [budget for budget in of_step if budget.steps >= done]
            alone = sum(budget.binds_at(done - 1) for budget in going)
            total += alone + (alone < len(going))
    return total


def random_starts(images: Tensor, *, epsilon: float, seeds: Sequence[int]) -> Tensor:
    """Points uniform in direction and in radius within ε of pictures (N, 3, H, W), clamped to [0, 1].

    The noise of each picture is drawn by a seed of its own, where the pictures are.
    """
    noise, radius = torch.empty(images.shape, device=images.device), torch.empty(len(images))
    there, here = torch.Generator(images.device), torch.Generator()
    for row, seed in enumerate(seeds):
        # One call for each picture on the device, no more: on a card, calls cost more than numbers.
        torch.randn(images.shape[1:], generator=there.manual_seed(seed), out=noise[row])
        torch.rand((), generator=here.manual_seed(seed), out=radius[row])
    length = epsilon * radius.to(images.device, non_blocking=True) / _norms(noise)
    moved: Tensor = images + noise.to(images.dtype) * length.to(images.dtype)[:, None, None, None]
    return moved.clamp(0, 1)


@dataclass(frozen=True)
class _Field:
    """What the walks with one length of step share: the balls' centres, and whether the walks start there."""

    images: Tensor
    step: float
    starts_in_centre: bool

    def binds(self, budget: Budget, done: int) -> bool:
        return not self.starts_in_centre or budget.binds_at(done)


@dataclass(frozen=True)
class _Best:
    """Of each image the point of the highest value so far; before the first value is known, the start."""

    point: Tensor
    value: Tensor | None = None

    def or_better(self, point: Tensor, value: Tensor) -> _Best:
        if self.value is None:
            return _Best(point, value)
        is_better = value > self.value
        return _Best(
            torch.where(is_better[:, None, None, None], point, self.point), torch.where(is_better, value, self.value)
        )


@dataclass(frozen=True)
class _Walk:
    """Where the walks of some budgets stand after `done` steps.

    `budgets` go on, and `ended` have ended here, by their place in the list; the latter wait for the value of `point`,
    which comes for nothing with the next gradient.
    """

    point: Tensor
    budgets: dict[int, Budget]
    best: _Best | None
    done: int = 0
    ended: tuple[int, ...] = ()

    def result(self, value: Callable[[], Tensor]) -> Tensor:
        return self.point if self.best is None else self.best.or_better(self.point, value()).point


@dataclass(frozen=True)
class _Values:
    """What is raised, at any point of a walk."""

    model: Model
    labels: Tensor
    objective: Objective
    views: Views | None

    def with_gradient(self, point: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """The values (N,), and the gradient of each with respect to its own image (N, 3, H, W)."""
        with torch.enable_grad():
            leaf = point.detach().requires_grad_()
            # Each view's graph goes before the next one's is made.
            values: list[Tensor] = []
            gradients: list[Tensor] = []
            for view in self._seen(leaf, step):
                value = self._of(view)
                values.append(value.detach())
                gradients += torch.autograd.grad(value.sum(), leaf)
        return _mean(values), _mean(gradients)

    def without_gradient(self, point: Tensor, step: int) -> Tensor:
        with torch.no_grad():
            return _mean([self._of(view) for view in self._seen(point, step)])

    def _seen(self, point: Tensor, step: int) -> Iterable[Tensor]:
        return [point] if self.views is None else self.views.at(step, point)

    def _of(self, view: Tensor) -> Tensor:
        # A network that computes in bf16 leaves differences between logits, and between iterates, to full precision.
        return self.objective(self.model(view).to(view.dtype), self.labels)


def _one_step(walk: _Walk, field: _Field, values: _Values, results: dict[int, Tensor]) -> list[_Walk]:
    """The walks that go on after this step; the others' results are written down."""
    value, gradient = values.with_gradient(walk.point, walk.done)
    results.update((index, walk.result(lambda: value)) for index in walk.ended)
    best = None if walk.best is None else walk.best.or_better(walk.point, value)
    done = walk.done + 1
    moved = walk.point.detach() + field.step * gradient / (_norms(gradient) + _TINY)[:, None, None, None]
    free = {index: budget for index, budget in walk.budgets.items() if not field.binds(budget, done)}
    reached = [_arrived(moved.clamp(0, 1), free, best, done)] if free else []
    for index, budget in walk.budgets.items():
        if index not in free:
            reached.append(_arrived(_project(moved, field.images, budget.epsilon), {index: budget}, best, done))
    for one in reached:
        if not one.budgets:
            result = one.result(partial(values.without_gradient, one.point, done))
            results.update(dict.fromkeys(one.ended, result))
    return [one for one in reached if one.budgets]


def _arrived(point: Tensor, budgets: dict[int, Budget], best: _Best | None, done: int) -> _Walk:
    going = {index: budget for index, budget in budgets.items() if budget.steps > done}
    return _Walk(point, going, best, done, tuple(budgets.keys() - going.keys()))


def _mean(tensors: Sequence[Tensor]) -> Tensor:
    return tensors[0] if len(tensors) == 1 else torch.stack(list(tensors)).mean(dim=0)


def _project(points: Tensor, images: Tensor, epsilon: float) -> Tensor:
    difference = points - images
    scale = (epsilon / _norms(difference).clamp_min(_TINY)).clamp_max(1.0)
    return (images + difference * scale[:, None, None, None]).clamp(0, 1)


def _norms(batch: Tensor) -> Tensor:
    norms: Tensor = torch.linalg.vector_norm(batch.flatten(1), dim=1)
    return norms

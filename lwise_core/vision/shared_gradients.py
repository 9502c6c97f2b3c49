"""The ascents of `perturb.ascend` for several budgets, sharing gradients between them.

Walks with the same step length are one walk until the first of them reaches the surface of its ball; until then each
gradient is computed once for all of them. A walk that reaches it continues alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from lwise_core.vision.budget import Budget
from lwise_core.vision.objectives import Objective
from lwise_core.vision.perturb import Highest, Model, Values, project, step_along
from lwise_core.vision.random_views import RandomViews


def ascend_many(
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    objective: Objective,
    budgets: Sequence[Budget],
    start: Tensor | None = None,
    best: bool = False,
    views: RandomViews | None = None,
) -> list[Tensor]:
    """`perturb.ascend` for each budget, with as few gradients as possible; one result per budget."""
    results: dict[int, Tensor] = {}
    values = Values(model, labels, objective, views)
    for step in dict.fromkeys(budget.step for budget in budgets):
        balls = _Balls(images, step, starts_at_centre=start is None)
        point = images if start is None else start
        same_step = {index: budget for index, budget in enumerate(budgets) if budget.step == step}
        walks = [_Walk(point, same_step, Highest(point) if best else None)]
        while walks:
            walks = [walk_after for walk in walks for walk_after in _advance(walk, balls, values, results)]
    return [results[index] for index in range(len(budgets))]


def n_gradients(budgets: Sequence[Budget]) -> int:
    """How many gradients `ascend_many` computes for each image."""
    total = 0
    for step in {budget.step for budget in budgets}:
        same_step = [budget for budget in budgets if budget.step == step]
        for done in range(1, max(budget.steps for budget in same_step) + 1):
            walking = [budget for budget in same_step if budget.steps >= done]
            alone = sum(budget.may_leave_ball(done - 1) for budget in walking)
            total += alone + (alone < len(walking))
    return total


@dataclass(frozen=True)
class _Balls:
    """What the walks of one step length share: the centres of the balls, and whether the walks start there."""

    images: Tensor
    step: float
    starts_at_centre: bool

    def must_project(self, budget: Budget, done: int) -> bool:
        return not self.starts_at_centre or budget.may_leave_ball(done)


@dataclass(frozen=True)
class _Walk:
    """The common walk of some budgets after `done` steps.

    Attributes
    ----------
    budgets : those that need more steps, by their place in the list.
    ended : places of those that end here; with `highest`, they wait for the value of `point`, which the next gradient
        yields at no cost.
    """

    point: Tensor
    budgets: dict[int, Budget]
    highest: Highest | None
    done: int = 0
    ended: tuple[int, ...] = ()

    def result(self, value: Callable[[], Tensor]) -> Tensor:
        return self.point if self.highest is None else self.highest.or_higher(self.point, value()).point


def _advance(walk: _Walk, balls: _Balls, values: Values, results: dict[int, Tensor]) -> list[_Walk]:
    """Take one step; return the walks that continue and add the results of the others to `results`."""
    value, gradient = values.with_gradient(walk.point, walk.done)
    results.update((index, walk.result(lambda: value)) for index in walk.ended)
    highest = None if walk.highest is None else walk.highest.or_higher(walk.point, value)
    done = walk.done + 1
    moved = step_along(gradient, walk.point, balls.step)
    inside = {index: budget for index, budget in walk.budgets.items() if not balls.must_project(budget, done)}
    walks = [_split_ended(moved.clamp(0, 1), inside, highest, done)] if inside else []
    for index, budget in walk.budgets.items():
        if index not in inside:
            projected = project(moved, balls.images, budget.epsilon)
            walks.append(_split_ended(projected, {index: budget}, highest, done))
    for one in walks:
        if not one.budgets:
            result = one.result(partial(values.without_gradient, one.point, done))
            results.update(dict.fromkeys(one.ended, result))
    return [one for one in walks if one.budgets]


def _split_ended(point: Tensor, budgets: dict[int, Budget], highest: Highest | None, done: int) -> _Walk:
    continuing = {index: budget for index, budget in budgets.items() if budget.steps > done}
    return _Walk(point, continuing, highest, done, tuple(budgets.keys() - continuing.keys()))

"""The perturbation engine against its formula, written out here once more in the plainest way."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from lwise_core.vision.objectives import OBJECTIVES, attack, logit
from lwise_core.vision.perturb import Budget, ascend, ascend_many, random_start, rounding_bound


def _model(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    layers = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(6 * 64, 4))
    return layers.double().eval()


def _batch(n: int = 5, *, low: float = 0.0, high: float = 1.0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    images = low + (high - low) * torch.rand(n, 3, 8, 8, generator=generator, dtype=torch.float64)
    return images, torch.randint(0, 4, (n,), generator=generator)


def _reference(model: nn.Module, image: Tensor, label: int, objective: str, budget: Budget) -> Tensor:
    """One image at a time: step along the unit gradient, project onto the ball, clamp."""
    current = image.clone()
    for _ in range(budget.steps):
        point = current[None].clone().requires_grad_(True)
        z = model(point)[0]
        others = [z[k] for k in range(4) if k != label]
        value = {
            "logit": z[label],
            "logit_diverge": z[label] - sum(others) / 3,
            "cross_entropy": z[label] - torch.logsumexp(z, 0),
        }[objective]
        gradient = torch.autograd.grad(value, point)[0][0]
        moved = current + budget.step * gradient / gradient.norm()
        offset = moved - image
        if offset.norm() > budget.epsilon:
            offset = offset * budget.epsilon / offset.norm()
        current = (image + offset).clamp(0, 1)
    return current


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
@pytest.mark.parametrize("budget", [Budget(0.3, 0.1, 3), Budget(0.3, 0.25, 6), Budget(2.0, 0.5, 4)])
def test_equals_the_formula_in_float64(objective: str, budget: Budget) -> None:
    model, (images, labels) = _model(), _batch()
    found = ascend(model, images, labels, objective=OBJECTIVES[objective], budget=budget)
    for image, label, result in zip(images, labels, found, strict=True):
        expected = _reference(model, image, int(label), objective, budget)
        assert (result - expected).abs().max() <= 1e-9


@pytest.mark.parametrize("epsilon", [0.05, 0.5, 5.0])
def test_stays_in_the_ball_and_in_the_range_of_pixels(epsilon: float) -> None:
    model, (images, labels) = _model(), _batch()
    budget = Budget(epsilon=epsilon, step=epsilon, steps=5)
    found = ascend(model, images, labels, objective=logit, budget=budget)
    assert ((found - images).flatten(1).norm(dim=1) <= epsilon * (1 + 1e-9)).all()
    assert found.min() >= 0
    assert found.max() <= 1


def test_many_budgets_equal_separate_runs_also_where_the_projection_binds() -> None:
    model, (images, labels) = _model(), _batch()
    budgets = [
        Budget.along_radius(0.8, step=0.1),
        Budget.along_radius(0.2, step=0.1),
        Budget.along_radius(0.05, step=0.1),  # a single step already leaves this ball
        Budget(epsilon=0.3, step=0.1, steps=20),  # this walk meets the ball's surface
    ]
    together = ascend_many(model, images, labels, objective=logit, budgets=budgets)
    for budget, found in zip(budgets, together, strict=True):
        alone = ascend(model, images, labels, objective=logit, budget=budget)
        assert torch.equal(found, alone)


def test_many_budgets_cost_no_more_gradients_than_the_largest() -> None:
    model, (images, labels) = _model(), _batch()
    calls = 0

    def counting(logits: Tensor, targets: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return logit(logits, targets)

    budgets = [Budget.along_radius(epsilon, step=0.1) for epsilon in (0.8, 0.4, 0.2, 0.1)]
    ascend_many(model, images, labels, objective=counting, budgets=budgets)
    assert calls == 8


def test_a_zero_gradient_leaves_the_image_alone() -> None:
    images, labels = _batch()
    flat = nn.Sequential(nn.Flatten(), nn.Linear(192, 4)).double()
    nn.init.zeros_(flat[1].weight)
    found = ascend(flat, images, labels, objective=logit, budget=Budget(1.0, 0.5, 3))
    assert torch.equal(found, images)


def test_an_attack_lowers_the_true_logit_and_an_enhancement_raises_it() -> None:
    model, (images, labels) = _model(), _batch(low=0.3, high=0.7)
    budget = Budget.along_radius(0.5, step=0.1)
    before = logit(model(images), labels)
    attacked = ascend(model, images, labels, objective=attack, budget=budget)
    enhanced = ascend(model, images, labels, objective=logit, budget=budget)
    assert (logit(model(attacked), labels) < before).all()
    assert (logit(model(enhanced), labels) > before).all()


def test_random_starts_fill_the_ball_and_repeat_with_the_seed() -> None:
    images = torch.full((400, 3, 8, 8), 0.5)
    first, again = (random_start(images, epsilon=1.0, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    distances = (first - images).flatten(1).norm(dim=1)
    assert torch.equal(first, again)
    assert distances.max() <= 1.0 + 1e-5
    # Uniform in radius: mean 1/2, standard error 0.29 / sqrt(400) = 0.0144; five of them either way.
    assert abs(float(distances.mean()) - 0.5) < 0.072


def test_the_rounding_bound_is_reached_by_the_worst_picture_and_by_no_other() -> None:
    worst = torch.full((3, 8, 8), 100.5, dtype=torch.float64) / 255
    rounded = (worst * 255).round() / 255
    assert float((rounded - worst).norm()) == pytest.approx(rounding_bound(8))
    anything = torch.rand(50, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    errors = ((anything * 255).round() / 255 - anything).flatten(1).norm(dim=1)
    assert (errors <= rounding_bound(8)).all()

"""The perturbation engine against its formula, written out here once more in the plainest way."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from lwise_core.errors import InputError
from lwise_core.vision.engine import Engine
from lwise_core.vision.guide import IMAGENET, GuideDescription, GuideModel, new_guide
from lwise_core.vision.objectives import OBJECTIVES, attack, logit, objective_for
from lwise_core.vision.perturb import Budget, ascend, ascend_many, n_gradients, random_starts
from lwise_core.vision.views import Views
from tests.vision.rounding import rounding_bound


def _model(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    layers = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(6 * 64, 4))
    return layers.double().eval()


def _batch(n: int = 5, *, low: float = 0.0, high: float = 1.0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    images = low + (high - low) * torch.rand(n, 3, 8, 8, generator=generator, dtype=torch.float64)
    return images, torch.randint(0, 4, (n,), generator=generator)


def _value(z: Tensor, label: int, objective: str) -> Tensor:
    n = len(z)
    others = [z[k] for k in range(n) if k != label]
    return {
        "logit": z[label],
        "logit_diverge": z[label] - sum(others) / (n - 1),
        "cross_entropy": z[label] - torch.logsumexp(z, 0),
    }[objective]


def _reference(
    model: nn.Module, image: Tensor, label: int, objective: str, budget: Budget, *, best: bool = False
) -> Tensor:
    """One image at a time: step along the unit gradient, project onto the ball, clamp.

    Every image stands beside a copy, since PyTorch's gradient of a lone one may be wrong (see below).
    """
    current = image.clone()
    highest, at_highest = -torch.inf, image
    for _ in range(budget.steps):
        point = torch.stack([current, current]).requires_grad_(True)
        value = _value(model(point)[0], label, objective)
        gradient = torch.autograd.grad(value, point)[0][0]
        if value > highest:
            highest, at_highest = float(value.detach()), current
        moved = current + budget.step * gradient / (gradient.norm() + 1e-10)
        offset = moved - image
        if offset.norm() > budget.epsilon:
            offset = offset * budget.epsilon / offset.norm()
        current = (image + offset).clamp(0, 1)
    if best and _value(model(current[None])[0], label, objective) <= highest:
        return at_highest
    return current


@pytest.mark.parametrize("best", [False, True])
@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
@pytest.mark.parametrize(
    "budget", [Budget(0.3, 0.1, 3), Budget(0.3, 0.25, 6), Budget(2.0, 0.5, 4), Budget(0.5, 0.4, 9)]
)
def test_equals_the_formula_in_float64(objective: str, budget: Budget, best: bool) -> None:
    model, (images, labels) = _model(), _batch()
    found = ascend(model, images, labels, objective=OBJECTIVES[objective], budget=budget, best=best)
    for image, label, result in zip(images, labels, found, strict=True):
        expected = _reference(model, image, int(label), objective, budget, best=best)
        assert (result - expected).abs().max() <= 1e-9


def test_a_lone_image_is_treated_like_one_among_others() -> None:
    model = new_guide(GuideDescription("timm/xcit_nano_12_p16_224", tuple("abcd"), 32), IMAGENET, seed=3).eval()
    images, labels = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1)), torch.tensor([1, 2])
    options = {"objective": logit, "budget": Budget(2.0, 0.5, 3), "best": True}
    together = ascend(model, images, labels, **options)  # type: ignore[arg-type]
    alone = ascend(model, images[:1], labels[:1], **options)  # type: ignore[arg-type]
    assert alone.shape == (1, 3, 32, 32)
    assert (alone - together[:1]).abs().max() <= 1e-5


def test_the_best_iterate_is_not_always_the_last() -> None:
    model, (images, labels) = _model(), _batch()
    budget = Budget(epsilon=0.5, step=0.4, steps=9)  # long steps along the ball's surface, which overshoot
    last = ascend(model, images, labels, objective=logit, budget=budget)
    best = ascend(model, images, labels, objective=logit, budget=budget, best=True)
    gain = logit(model(best), labels) - logit(model(last), labels)
    assert (gain >= 0).all()
    assert (gain > 0).any()


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
@pytest.mark.parametrize("architecture", ["resnet18", "small_resnet", "timm/xcit_nano_12_p16_224"])
def test_what_makes_a_network_fast_does_not_change_the_result(architecture: str, objective: str) -> None:
    side = 32
    model = _with_used_norms(new_guide(GuideDescription(architecture, tuple("abcd"), side), IMAGENET, seed=3))
    engine = Engine(torch.device("cpu"), precision="fp64")
    images = torch.randint(0, 256, (2, 3, side, side), generator=torch.Generator().manual_seed(5), dtype=torch.uint8)
    labels, budget = torch.tensor([1, 2]), Budget(2.0, 0.5, 4)
    fast = engine.prepared(model)
    assert any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    assert sum(isinstance(module, nn.BatchNorm2d) for module in fast.modules()) < sum(
        isinstance(module, nn.BatchNorm2d) for module in model.modules()
    )
    found = ascend(fast, engine.placed(images), labels, objective=OBJECTIVES[objective], budget=budget, best=True)
    plain = model.double()
    for image, label, result in zip(images.double() / 255, labels, found, strict=True):
        expected = _reference(plain, image, int(label), objective, budget, best=True)
        assert (result - expected).abs().max() <= 1e-9


def _with_used_norms(model: GuideModel) -> GuideModel:
    """Batch normalisations as after a training, in which folding can go wrong."""
    random = torch.Generator().manual_seed(4)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in (
                (module.running_mean, -0.2, 0.2),
                (module.running_var, 0.5, 2.0),
                (module.weight.data, 0.5, 1.5),
                (module.bias.data, -0.2, 0.2),
            ):
                assert tensor is not None
                tensor.copy_(low + (high - low) * torch.rand(tensor.shape, generator=random))
    return model.eval().requires_grad_(False)


@pytest.mark.parametrize("epsilon", [0.05, 0.5, 5.0])
def test_stays_in_the_ball_and_in_the_range_of_pixels(epsilon: float) -> None:
    model, (images, labels) = _model(), _batch()
    budget = Budget(epsilon=epsilon, step=epsilon, steps=5)
    found = ascend(model, images, labels, objective=logit, budget=budget)
    assert ((found - images).flatten(1).norm(dim=1) <= epsilon * (1 + 1e-9)).all()
    assert found.min() >= 0
    assert found.max() <= 1


@pytest.mark.parametrize("best", [False, True])
@pytest.mark.parametrize("views", [None, Views(3, seed=8)])
def test_many_budgets_equal_separate_runs_also_where_the_projection_binds(best: bool, views: Views | None) -> None:
    model, (images, labels) = _model(), _batch()
    budgets = [
        Budget.along_radius(0.8, step=0.1),
        Budget.along_radius(0.2, step=0.1),
        Budget.along_radius(0.05, step=0.1),  # a single step already leaves this ball
        Budget(epsilon=0.3, step=0.1, steps=20),  # this walk meets the ball's surface
    ]
    together = ascend_many(model, images, labels, objective=logit, budgets=budgets, best=best, views=views)
    for budget, found in zip(budgets, together, strict=True):
        alone = ascend(model, images, labels, objective=logit, budget=budget, best=best, views=views)
        assert torch.equal(found, alone)


def test_a_walk_from_elsewhere_than_the_centre_stays_in_the_ball() -> None:
    model, (images, labels) = _model(), _batch(low=0.3, high=0.7)
    budget = Budget(epsilon=0.5, step=0.2, steps=2)
    start = random_starts(images, epsilon=0.5, seeds=range(len(images)))
    for best in (False, True):
        found = ascend(model, images, labels, objective=logit, budget=budget, start=start, best=best)
        assert ((found - images).flatten(1).norm(dim=1) <= 0.5 * (1 + 1e-9)).all()
    freely = ascend(model, start, labels, objective=logit, budget=budget)
    assert ((freely - images).flatten(1).norm(dim=1) > 0.5).any()


@pytest.mark.parametrize(("best", "n_values"), [(False, 0), (True, 2)])
def test_many_budgets_cost_no_more_gradients_than_the_largest(best: bool, n_values: int) -> None:
    model, (images, labels) = _model(), _batch()
    calls = 0

    def counting(logits: Tensor, targets: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return logit(logits, targets)

    budgets = [Budget.along_radius(epsilon, step=0.1) for epsilon in (0.8, 0.4, 0.2, 0.1, 0.05)]
    ascend_many(model, images, labels, objective=counting, budgets=budgets, best=best)
    # Where a walk ends that goes on for another budget, its value comes with the next gradient. It does not at the two
    # ends that nobody goes on from: that of the longest, and that of 0.05, which the projection took elsewhere.
    assert calls == n_gradients(budgets) + n_values == 8 + n_values


def test_gradients_are_counted_as_they_are_computed() -> None:
    model, (images, labels) = _model(), _batch()
    calls = 0

    def counting(logits: Tensor, targets: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return logit(logits, targets)

    budgets = [Budget(0.3, 0.1, 6), Budget(0.2, 0.1, 5), Budget(0.8, 0.1, 8), Budget(0.5, 0.25, 2)]
    ascend_many(model, images, labels, objective=counting, budgets=budgets)
    assert calls == n_gradients(budgets)


def test_a_gradient_over_views_is_the_mean_of_the_views_gradients() -> None:
    model, (images, labels) = _model(), _batch(low=0.4, high=0.6)
    views = Views(4, seed=2)
    found = ascend(model, images, labels, objective=logit, budget=Budget(1.0, 0.1, 1), views=views)
    for index in range(len(images)):
        point = images[[index]].clone().requires_grad_(True)
        value = sum(logit(model(view), labels[[index]]).sum() for view in views.at(0, point)) / 4
        (gradient,) = torch.autograd.grad(value, point)
        assert torch.allclose(found[index], images[index] + 0.1 * gradient[0] / gradient.norm(), atol=1e-12)


def test_views_differ_from_step_to_step_and_repeat_with_the_seed() -> None:
    images, _ = _batch()
    first, again, later, other = (
        list(Views(2, seed=seed).at(step, images)) for seed, step in ((1, 0), (1, 0), (1, 1), (2, 0))
    )
    assert torch.equal(first[0], again[0])
    assert not any(torch.equal(first[0], view) for view in (first[1], later[0], other[0]))


def test_rivals_are_what_an_image_is_told_apart_from() -> None:
    logits = torch.tensor([[1.0, 2.0, 4.0, 8.0], [1.0, 2.0, 4.0, 8.0]])
    labels = torch.tensor([0, 3])
    among = objective_for("logit_diverge", present=[0, 2, 3])
    assert among(logits, labels).tolist() == [1 - (4 + 8) / 2, 8 - (1 + 4) / 2]
    from_one = objective_for("logit_diverge", present=[0, 3], rivals=[1])
    assert from_one(logits, labels).tolist() == [1 - 2, 8 - 2]
    assert objective_for("logit", present=[0, 3], turned=True)(logits, labels).tolist() == [-1, -8]


@pytest.mark.parametrize(
    ("name", "options", "complaint"),
    [
        ("logits", {}, "expected one of logit, "),
        ("logit", {"rivals": [1]}, "goes with the objective logit_diverge"),
        ("logit_diverge", {"present": [2]}, "nothing to be told apart from"),
        ("logit_diverge", {"rivals": [0]}, "nothing to be told apart from"),
    ],
)
def test_an_objective_that_makes_no_sense_is_refused(name: str, options: dict[str, list[int]], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        objective_for(name, **{"present": [0, 1], **options})


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
    first, again = (random_starts(images, epsilon=1.0, seeds=range(400)) for _ in range(2))
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

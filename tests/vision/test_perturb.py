"""The perturbation engine against a plain restatement of its formula."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from lwise_core.errors import InputError
from lwise_core.vision.budget import Budget
from lwise_core.vision.engine import Engine
from lwise_core.vision.guide import IMAGENET, GuideDescription, GuideModel, new_guide
from lwise_core.vision.objectives import OBJECTIVES, attack, logit, logit_diverge, objective_for
from lwise_core.vision.perturb import ascend, project, random_starts
from lwise_core.vision.random_views import RandomViews
from lwise_core.vision.shared_gradients import ascend_many, n_gradients
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
    model: nn.Module,
    image: Tensor,
    label: int,
    objective: str,
    budget: Budget,
    *,
    start: Tensor | None = None,
    best: bool = False,
) -> Tensor:
    """One image at a time: step along the unit gradient, project onto the ball, clamp.

    The batch is the image twice, since PyTorch's gradient of a single image may be wrong (`Values.with_gradient`).
    """
    current = image.clone() if start is None else start
    highest, at_highest = -torch.inf, current
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
def test_ascent_equals_the_formula_in_float64(objective: str, budget: Budget, best: bool) -> None:
    model, (images, labels) = _model(), _batch()
    results = ascend(model, images, labels, objective=OBJECTIVES[objective], budget=budget, best=best)
    for image, label, result in zip(images, labels, results, strict=True):
        expected = _reference(model, image, int(label), objective, budget, best=best)
        assert (result - expected).abs().max() <= 1e-9


@pytest.mark.parametrize("best", [False, True])
@pytest.mark.parametrize("budget", [Budget(0.5, 0.1, 3), Budget(0.5, 0.25, 6), Budget(2.0, 0.05, 2)])
@pytest.mark.parametrize("share", [False, True])
def test_ascent_from_a_random_start_equals_the_formula(budget: Budget, best: bool, share: bool) -> None:
    model, (images, labels) = _model(), _batch(low=0.3, high=0.7)
    starts = random_starts(images, epsilon=budget.epsilon, seeds=range(len(images)))
    options = {"objective": logit, "start": starts, "best": best}
    if share:
        (results,) = ascend_many(model, images, labels, budgets=[budget], **options)  # type: ignore[arg-type]
    else:
        results = ascend(model, images, labels, budget=budget, **options)  # type: ignore[arg-type]
    for image, label, start, result in zip(images, labels, starts, results, strict=True):
        expected = _reference(model, image, int(label), "logit", budget, start=start, best=best)
        assert (result - expected).abs().max() <= 1e-9


def test_projection_moves_only_points_outside_the_ball() -> None:
    images = torch.full((3, 3, 8, 8), 0.5, dtype=torch.float64)
    directions = torch.randn(3, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    directions /= directions.flatten(1).norm(dim=1)[:, None, None, None]
    lengths = torch.tensor([0.0, 0.2, 0.8], dtype=torch.float64)[:, None, None, None]
    projected = project(images + lengths * directions, images, 0.4)
    assert torch.equal(projected[:2], (images + lengths * directions)[:2])
    assert torch.allclose(projected[2], images[2] + 0.4 * directions[2], atol=1e-12)


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("best", [False, True])
def test_objective_is_computed_in_full_precision_when_the_network_is_not(share: bool, best: bool) -> None:
    images, labels = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 3])
    model = _model().float()
    dtypes: list[tuple[torch.dtype, torch.dtype]] = []

    def in_half(shown: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits: Tensor = model(shown)
        return logits

    def recording(logits: Tensor, targets: Tensor) -> Tensor:
        values = logit_diverge(logits, targets)
        dtypes.append((logits.dtype, values.dtype))
        return values

    assert in_half(images).dtype == torch.bfloat16
    budget, options = Budget(0.5, 0.1, 3), {"objective": recording, "best": best}
    if share:
        ascend_many(in_half, images, labels, budgets=[budget], **options)  # type: ignore[arg-type]
    else:
        ascend(in_half, images, labels, budget=budget, **options)  # type: ignore[arg-type]
    assert len(dtypes) == budget.steps + best
    assert set(dtypes) == {(torch.float32, torch.float32)}


def test_single_image_gets_the_same_result_as_in_a_batch() -> None:
    model = new_guide(GuideDescription("timm/xcit_nano_12_p16_224", tuple("abcd"), 32), IMAGENET, seed=3).eval()
    images, labels = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1)), torch.tensor([1, 2])
    options = {"objective": logit, "budget": Budget(2.0, 0.5, 3), "best": True}
    together = ascend(model, images, labels, **options)  # type: ignore[arg-type]
    alone = ascend(model, images[:1], labels[:1], **options)  # type: ignore[arg-type]
    assert alone.shape == (1, 3, 32, 32)
    assert (alone - together[:1]).abs().max() <= 1e-5


def test_best_iterate_is_not_always_the_last() -> None:
    model, (images, labels) = _model(), _batch()
    budget = Budget(epsilon=0.5, step=0.4, steps=9)  # long steps along the ball's surface, which overshoot
    last = ascend(model, images, labels, objective=logit, budget=budget)
    best = ascend(model, images, labels, objective=logit, budget=budget, best=True)
    gain = logit(model(best), labels) - logit(model(last), labels)
    assert (gain >= 0).all()
    assert (gain > 0).any()


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
@pytest.mark.parametrize("architecture", ["resnet18", "small_resnet", "timm/xcit_nano_12_p16_224"])
def test_prepared_model_gives_the_same_ascent(architecture: str, objective: str) -> None:
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
    results = ascend(fast, engine.placed(images), labels, objective=OBJECTIVES[objective], budget=budget, best=True)
    plain = model.double()
    for image, label, result in zip(images.double() / 255, labels, results, strict=True):
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
def test_result_stays_in_the_ball_and_in_the_pixel_range(epsilon: float) -> None:
    model, (images, labels) = _model(), _batch()
    budget = Budget(epsilon=epsilon, step=epsilon, steps=5)
    results = ascend(model, images, labels, objective=logit, budget=budget)
    assert ((results - images).flatten(1).norm(dim=1) <= epsilon * (1 + 1e-9)).all()
    assert results.min() >= 0
    assert results.max() <= 1


@pytest.mark.parametrize("best", [False, True])
@pytest.mark.parametrize("views", [None, RandomViews(3, seed=8)])
def test_shared_gradients_give_the_results_of_separate_ascents(best: bool, views: RandomViews | None) -> None:
    model, (images, labels) = _model(), _batch()
    budgets = [
        Budget.along_radius(0.8, step=0.1),
        Budget.along_radius(0.2, step=0.1),
        Budget.along_radius(0.05, step=0.1),  # a single step leaves this ball
        Budget(epsilon=0.3, step=0.1, steps=20),  # this walk reaches the surface
    ]
    together = ascend_many(model, images, labels, objective=logit, budgets=budgets, best=best, views=views)
    for budget, results in zip(budgets, together, strict=True):
        alone = ascend(model, images, labels, objective=logit, budget=budget, best=best, views=views)
        assert torch.equal(results, alone)


def test_ascent_from_a_random_start_stays_in_the_ball() -> None:
    model, (images, labels) = _model(), _batch(low=0.3, high=0.7)
    budget = Budget(epsilon=0.5, step=0.2, steps=2)
    start = random_starts(images, epsilon=0.5, seeds=range(len(images)))
    for best in (False, True):
        results = ascend(model, images, labels, objective=logit, budget=budget, start=start, best=best)
        assert ((results - images).flatten(1).norm(dim=1) <= 0.5 * (1 + 1e-9)).all()
    unbounded = ascend(model, start, labels, objective=logit, budget=budget)
    assert ((unbounded - images).flatten(1).norm(dim=1) > 0.5).any()


@pytest.mark.parametrize(("best", "n_values"), [(False, 0), (True, 2)])
def test_sharing_needs_no_more_gradients_than_the_largest_budget(best: bool, n_values: int) -> None:
    model, (images, labels) = _model(), _batch()
    calls = 0

    def counting(logits: Tensor, targets: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return logit(logits, targets)

    budgets = [Budget.along_radius(epsilon, step=0.1) for epsilon in (0.8, 0.4, 0.2, 0.1, 0.05)]
    ascend_many(model, images, labels, objective=counting, budgets=budgets, best=best)
    # Where a walk ends for one budget and continues for another, the next gradient yields its value. Two ends need a
    # value of their own: that of the longest walk, and that of 0.05, which the projection has separated.
    assert calls == n_gradients(budgets) + n_values == 8 + n_values


def test_n_gradients_counts_the_gradients_computed() -> None:
    model, (images, labels) = _model(), _batch()
    calls = 0

    def counting(logits: Tensor, targets: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return logit(logits, targets)

    budgets = [Budget(0.3, 0.1, 6), Budget(0.2, 0.1, 5), Budget(0.8, 0.1, 8), Budget(0.5, 0.25, 2)]
    ascend_many(model, images, labels, objective=counting, budgets=budgets)
    assert calls == n_gradients(budgets)


def test_gradient_over_views_is_the_mean_of_the_gradients_of_views() -> None:
    model, (images, labels) = _model(), _batch(low=0.4, high=0.6)
    views = RandomViews(4, seed=2)
    results = ascend(model, images, labels, objective=logit, budget=Budget(1.0, 0.1, 1), views=views)
    for index in range(len(images)):
        point = images[[index]].clone().requires_grad_(True)
        value = sum(logit(model(view), labels[[index]]).sum() for view in views.at(0, point)) / 4
        (gradient,) = torch.autograd.grad(value, point)
        assert torch.allclose(results[index], images[index] + 0.1 * gradient[0] / gradient.norm(), atol=1e-12)


def test_views_differ_between_steps_and_repeat_with_the_seed() -> None:
    images, _ = _batch()
    first, again, later, other = (
        list(RandomViews(2, seed=seed).at(step, images)) for seed, step in ((1, 0), (1, 0), (1, 1), (2, 0))
    )
    assert torch.equal(first[0], again[0])
    assert not any(torch.equal(first[0], view) for view in (first[1], later[0], other[0]))


def test_objective_compares_with_the_rivals_only() -> None:
    logits = torch.tensor([[1.0, 2.0, 4.0, 8.0], [1.0, 2.0, 4.0, 8.0]])
    labels = torch.tensor([0, 3])
    with_present = objective_for("logit_diverge", present=[0, 2, 3])
    assert with_present(logits, labels).tolist() == [1 - (4 + 8) / 2, 8 - (1 + 4) / 2]
    with_rival = objective_for("logit_diverge", present=[0, 3], rivals=[1])
    assert with_rival(logits, labels).tolist() == [1 - 2, 8 - 2]
    assert objective_for("logit", present=[0, 3], lower=True)(logits, labels).tolist() == [-1, -8]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("logits", {}, "expected one of logit, "),
        ("logit", {"rivals": [1]}, "needs the objective logit_diverge"),
        ("logit_diverge", {"present": [2]}, "has no rivals"),
        ("logit_diverge", {"rivals": [0]}, "has no rivals"),
    ],
)
def test_rejects_impossible_objectives(name: str, options: dict[str, list[int]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        objective_for(name, **{"present": [0, 1], **options})


def test_zero_gradient_leaves_the_image_unchanged() -> None:
    images, labels = _batch()
    flat = nn.Sequential(nn.Flatten(), nn.Linear(192, 4)).double()
    nn.init.zeros_(flat[1].weight)
    results = ascend(flat, images, labels, objective=logit, budget=Budget(1.0, 0.5, 3))
    assert torch.equal(results, images)


def test_attack_lowers_the_true_logit_and_enhancement_raises_it() -> None:
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


def test_rounding_bound_holds_and_is_reached() -> None:
    worst = torch.full((3, 8, 8), 100.5, dtype=torch.float64) / 255
    rounded = (worst * 255).round() / 255
    assert float((rounded - worst).norm()) == pytest.approx(rounding_bound(8))
    anything = torch.rand(50, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    errors = ((anything * 255).round() / 255 - anything).flatten(1).norm(dim=1)
    assert (errors <= rounding_bound(8)).all()

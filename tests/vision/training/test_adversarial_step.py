"""One adversarial training step: its attack, its update, and what it freezes."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lwise_core.errors import InputError
from lwise_core.vision import perturb
from lwise_core.vision.guide import NONE, GuideDescription, GuideModel, new_guide
from lwise_core.vision.perturb import Budget, random_starts
from lwise_core.vision.training import adversarial_step as adversarial_step_module
from lwise_core.vision.training.initialisation import from_pretrained, head_name, new_model
from lwise_core.vision.training.loop import Data
from tests.vision.training.tiny import TINY, adversarial_step, equal, run_step, tiny_model


@pytest.fixture
def model(data: Data) -> GuideModel:
    return tiny_model(data)


def _changed(before: nn.Module, after: nn.Module) -> set[str]:
    """Names of the weights and statistics that differ."""
    old = before.state_dict()
    return {name for name, value in after.state_dict().items() if not torch.equal(value, old[name])}


def _images() -> tuple[Tensor, Tensor]:
    return torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(3)), torch.arange(6) % 3


def test_attack_raises_the_loss_within_epsilon_and_changes_no_weights_or_statistics(
    model: GuideModel,
) -> None:
    before, step = copy.deepcopy(model), adversarial_step(model, attack_steps=3)
    images, labels = _images()
    adversarial = step.perturb(images, labels, epsilon=1.5, seeds=range(6))
    distances = (adversarial - images).flatten(1).norm(dim=1)
    assert float(distances.max()) <= 1.5 + 1e-5
    assert float(distances.min()) > 0.1
    model.eval()
    assert functional.cross_entropy(model(adversarial), labels) > functional.cross_entropy(model(images), labels)
    assert equal(before, model)
    assert all(weight.grad is None for weight in model.parameters())


def test_perturbation_is_full_precision_under_bf16(model: GuideModel) -> None:
    step = adversarial_step(model, precision="bf16")
    images, labels = _images()
    adversarial = step.perturb(images, labels, epsilon=1.0, seeds=range(6))
    assert adversarial.dtype == torch.float32
    # bf16 has 256 values between 0.5 and 1; full precision keeps nearly all apart.
    assert len(adversarial.unique()) > 10_000
    assert run_step(step).isfinite()
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("settings", "step_length"), [({"attack_steps": 3}, 0.5), ({"attack_steps": 3, "attack_step": 0.05}, 0.05)]
)
def test_attack_takes_steps_of_the_configured_length(
    model: GuideModel, monkeypatch: pytest.MonkeyPatch, settings: dict[str, float], step_length: float
) -> None:
    budgets: list[Budget] = []

    def ascend(*arguments: Any, budget: Budget, **options: Any) -> Tensor:
        budgets.append(budget)
        return perturb.ascend(*arguments, budget=budget, **options)

    monkeypatch.setattr(adversarial_step_module, "ascend", ascend)
    images, labels = _images()
    adversarial_step(model, **settings).perturb(images, labels, epsilon=1.0, seeds=range(6))
    assert [(budget.epsilon, budget.steps) for budget in budgets] == [(1.0, 3)]
    assert budgets[0].step == pytest.approx(step_length)


def test_attack_starts_at_the_seeded_random_point(model: GuideModel) -> None:
    step = adversarial_step(model, attack_steps=1, attack_step=0.01)
    images, labels = _images()
    start = random_starts(images, epsilon=1.0, seeds=range(6))
    adversarial = step.perturb(images, labels, epsilon=1.0, seeds=range(6))
    assert float((adversarial - start).flatten(1).norm(dim=1).max()) <= 0.01 + 1e-5
    assert float((adversarial - images).flatten(1).norm(dim=1).max()) > 0.1


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_first_step_equals_nesterov_sgd_written_out(model: GuideModel, momentum: float) -> None:
    settings = {"peak_learning_rate": 0.1, "momentum": momentum, "weight_decay": 0.01, "label_smoothing": 0.1}
    step = adversarial_step(model, schedule="step", **settings)
    images = torch.randint(0, 256, (6, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels, reference = torch.arange(6) % 3, copy.deepcopy(model).train()
    log_probabilities = functional.log_softmax(reference(images / 255), dim=1)
    smoothed = functional.one_hot(labels, 3) * 0.9 + 0.1 / 3
    loss = -(smoothed * log_probabilities).sum(dim=1)
    loss.mean().backward()
    expected = {
        name: weight - 0.1 * (1 + momentum) * (weight.grad + 0.01 * weight)
        for name, weight in reference.named_parameters()
    }
    assert run_step(step, epsilon=0).item() == pytest.approx(loss.sum().item(), rel=1e-5)
    for name, weight in model.named_parameters():
        torch.testing.assert_close(weight, expected[name], rtol=1e-4, atol=1e-6)


def test_moving_average_follows_its_formula(model: GuideModel) -> None:
    step, average = adversarial_step(model, ema=0.9), None
    for seed in range(3):
        run_step(step, seed=seed)
        now = model.network.head.weight.detach().clone()
        average = now if average is None else 0.9 * average + 0.1 * now
    torch.testing.assert_close(step.averaged_model.network.head.weight, average)
    assert not torch.equal(step.averaged_model.network.head.weight, model.network.head.weight)


def test_moving_average_includes_batch_statistics(model: GuideModel) -> None:
    step, average = adversarial_step(model, ema=0.9), None
    for seed in range(3):
        run_step(step, seed=seed)
        now = model.network.norm.running_mean.clone()
        average = now if average is None else 0.9 * average + 0.1 * now
    torch.testing.assert_close(step.averaged_model.network.norm.running_mean, average)


@pytest.mark.parametrize("mixing", [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.4, "cutmix": 1.0}])
def test_same_seed_mixes_images_the_same_way(data: Data, mixing: dict[str, float]) -> None:
    models = [tiny_model(data) for _ in range(3)]
    plain, mixed, again = models
    run_step(adversarial_step(plain))
    for one in (mixed, again):
        run_step(adversarial_step(one, **mixing))
    assert equal(mixed, again)
    assert not equal(mixed, plain)


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_alpha_changes_the_mixing(data: Data, name: str) -> None:
    weak, strong = tiny_model(data), tiny_model(data)
    run_step(adversarial_step(weak, **{name: 0.1}))
    run_step(adversarial_step(strong, **{name: 5.0}))
    assert not equal(weak, strong)


def test_head_only_trains_nothing_but_the_head(model: GuideModel) -> None:
    before = copy.deepcopy(model)
    run_step(adversarial_step(model, head_only=True))
    assert _changed(before, model) == {"network.head.weight", "network.head.bias"}


def test_freeze_convolutions_freezes_all_weights_before_the_next_one(model: GuideModel) -> None:
    before = copy.deepcopy(model)
    run_step(adversarial_step(model, freeze_convolutions=3))
    changed = _changed(before, model)
    assert not any(name.startswith(("network.stem", "network.blocks.0")) for name in changed)
    assert "network.blocks.1.conv1.weight" in changed


@pytest.mark.parametrize("n", [9, 100])
def test_freezing_every_convolution_is_rejected(model: GuideModel, n: int) -> None:
    with pytest.raises(InputError, match=f"freeze_convolutions is {n}; small_resnet has 9 convolutions"):
        adversarial_step(model, freeze_convolutions=n)


@pytest.mark.parametrize(
    ("architecture", "head"),
    [
        ("resnet18", "network.fc"),
        ("squeezenet1_1", "network.classifier.1"),
        ("convnext_tiny", "network.classifier.2"),
        ("timm/test_vit", "network.head"),
        ("timm/xcit_nano_12_p16_224", "network.head"),
    ],
)
def test_head_of_many_architectures_is_found(architecture: str, head: str) -> None:
    assert head_name(new_guide(GuideDescription(architecture, ("a", "b"), size=224), NONE, seed=0)) == head


def test_fine_tuning_keeps_weights_and_normalisation_and_replaces_the_head(data: Data) -> None:
    four = GuideDescription("small_resnet", ("a", "b", "c", "d"), size=32, settings={"width": 8})
    source = new_model(four, data.train, seed=1)
    tuned = from_pretrained(source, ("x", "y"), size=32, seed=2)
    assert tuned.description.classes == ("x", "y")
    assert tuned.network.head.weight.shape[0] == 2
    kept, weights = source.state_dict(), tuned.state_dict()
    assert all(torch.equal(kept[name], weights[name]) for name in kept if not name.startswith("network.head"))


def test_fine_tuning_on_the_same_classes_keeps_the_head(data: Data) -> None:
    source = tiny_model(data, seed=1)
    assert equal(from_pretrained(source, TINY.classes, size=32, seed=2), source)


def test_network_bound_to_its_size_rejects_another(data: Data) -> None:
    with pytest.raises(
        InputError, match=r"size is 64, but the shape of stem.weight depends on the size; expected 32, the size that"
    ):
        from_pretrained(tiny_model(data), ("x", "y"), size=64, seed=2)


def test_random_start_does_not_depend_on_the_batch() -> None:
    images, _ = _images()
    together = random_starts(images, epsilon=1.0, seeds=range(6))
    alone = random_starts(images[4:], epsilon=1.0, seeds=[4, 5])
    assert torch.equal(together[4:], alone)
    assert float((together - images).flatten(1).norm(dim=1).max()) <= 1.0 + 1e-5

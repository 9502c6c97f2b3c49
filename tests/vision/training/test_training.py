"""Training gains accuracy and robustness, and the same seed gives the same model."""

from __future__ import annotations

import multiprocessing
import os
import signal
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from lwise_core.errors import InputError
from lwise_core.vision.budget import Budget
from lwise_core.vision.checkpoints.native import load_model, model_metrics, save_model
from lwise_core.vision.engine import Engine
from lwise_core.vision.guide import GuideDescription
from lwise_core.vision.pixels import as_float
from lwise_core.vision.training.augment import augmentation
from lwise_core.vision.training.batches import (
    InMemoryImages,
    epoch_batches,
    evaluation_batches,
    fits_in_memory,
    training_batches,
)
from lwise_core.vision.training.distributed import SINGLE_PROCESS, Group
from lwise_core.vision.training.evaluation import Accuracy, evaluate
from lwise_core.vision.training.initialisation import new_model
from lwise_core.vision.training.log import EpochRecord
from lwise_core.vision.training.loop import Callbacks, Data, _is_better, train
from tests.vision.training.tiny import TINY, config, equal, tiny_model, trained

_ATTACK = Budget(epsilon=2.0, step=0.5, steps=10)
_CPU = Engine(torch.device("cpu"))


def _bright_or_dark(n: int, *, seed: int) -> InMemoryImages:
    """Two classes with two cues (after Tsipras et al. 2019, https://arxiv.org/abs/1805.12152).

    A faint pixel pattern is always right but within the attack's reach; brightness is right in four of five images and
    beyond its reach.
    """
    random = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 2
    sign = labels.float() * 2 - 1
    brightness_sign = torch.where(torch.rand(n, generator=random) < 0.8, sign, -sign)
    pattern = torch.randint(0, 2, (3, 16, 16), generator=torch.Generator().manual_seed(99)).repeat(1, 2, 2) * 2 - 1
    images = 128 + 25 * brightness_sign[:, None, None, None] + 5 * sign[:, None, None, None] * pattern
    images += 8 * torch.randn(images.shape, generator=random)
    return InMemoryImages(images.clamp(0, 255).round().to(torch.uint8), labels)


def test_adversarial_training_gains_accuracy_under_attack() -> None:
    description = GuideDescription("small_resnet", ("dark", "bright"), size=32, settings={"width": 8})
    data = Data(_bright_or_dark(480, seed=0), _bright_or_dark(120, seed=1))

    def accuracy(epsilon: float) -> Accuracy:
        settings = config(epsilon=epsilon, epochs=12, batch_size=40, peak_learning_rate=0.05, evaluate_every=12)
        # With half as many images the ordinary model may rely on brightness alone, depending on rounding.
        model = train(new_model(description, data.train, seed=0), data, settings).model
        return evaluate(model, data.validation, budget=_ATTACK, engine=_CPU)

    robust, ordinary = accuracy(2.0), accuracy(0.0)
    assert ordinary.clean_accuracy > 0.65
    assert ordinary.robust_accuracy < 0.2
    assert robust.robust_accuracy > 0.7
    assert robust.chance == pytest.approx(1 / 2)


def test_same_seed_gives_the_same_weights(data: Data) -> None:
    first, again, other = (trained(data, epochs=1, seed=seed).model for seed in (4, 4, 5))
    assert equal(first, again)
    assert not equal(first, other)


def test_loading_processes_do_not_change_the_weights(data: Data, listed: Data) -> None:
    assert equal(trained(data).model, trained(listed, workers=2).model)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_loading_processes_ignore_stop_signals(data: Data, number: int) -> None:
    batches, n_loaded = epoch_batches(90, 10, seed=0, epoch=0), 0
    for _, _, numbers in evaluation_batches(data.train, batches, workers=1, pinned=False):
        assert torch.equal(numbers, batches[n_loaded])
        n_loaded += 1
        for process in multiprocessing.active_children():
            os.kill(process.pid or 0, number)
    assert n_loaded == len(batches)


def test_training_does_not_change_the_global_generator(data: Data) -> None:
    state = torch.get_rng_state()
    trained(data, epochs=1)
    assert torch.equal(torch.get_rng_state(), state)


def test_every_epoch_is_reported_and_the_best_under_attack_returned(data: Data) -> None:
    records: list[EpochRecord] = []
    done = train(tiny_model(data), data, config(epochs=4), callbacks=Callbacks(on_epoch=records.append))
    assert [record.epoch for record in records] == [1, 2, 3, 4]
    assert done.accuracy.robust_accuracy == max(record.robust_accuracy or 0 for record in records)
    assert all(record.loss > 0 and record.images_per_s > 0 and record.tflops > 0 for record in records)


def test_record_has_the_mean_loss_and_the_last_epsilon(data: Data) -> None:
    records: list[EpochRecord] = []
    settings = config(epochs=2, epsilon=1.0, eps_warmup_epochs=2)
    train(tiny_model(data), data, settings, callbacks=Callbacks(on_epoch=records.append))
    assert [record.epsilon for record in records] == pytest.approx([1 / 3, 5 / 6])
    # Guessing among three classes costs log 3 = 1.1.
    assert all(0.1 < record.loss < 5 for record in records)


def test_operations_of_the_attack_count_only_if_there_is_one(data: Data) -> None:
    records: list[EpochRecord] = []
    for epsilon in (0.0, 1.0):
        settings = config(epochs=1, epsilon=epsilon, attack_steps=2)
        train(tiny_model(data), data, settings, callbacks=Callbacks(on_epoch=records.append))
    plain, adversarial = (record.tflops / record.images_per_s for record in records)
    assert adversarial > 2 * plain


def test_evaluation_uses_its_own_attack(data: Data) -> None:
    accuracy = trained(data, epochs=1, evaluation_epsilon=0.25, evaluation_steps=3).accuracy
    assert accuracy.attack == pytest.approx({"epsilon": 0.25, "step": 2.5 * 0.25 / 3, "steps": 3})


def test_augmentation_depends_on_seed_and_epoch(data: Data) -> None:
    first, again, next_epoch, next_seed = (
        next(
            training_batches(
                data.train,
                [torch.arange(8)],
                augmentation("small", size=32),
                seed=seed,
                epoch=epoch,
                workers=0,
                pinned=False,
            )
        )[0]
        for seed, epoch in ((0, 0), (0, 0), (0, 1), (1, 0))
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, next_epoch)
    assert not torch.equal(first, next_seed)


def test_images_are_held_in_memory_up_to_2_gb_per_machine() -> None:
    four = Group(n=4, rank=0, local_size=4, local_rank=0)
    assert fits_in_memory(10_000, 224, SINGLE_PROCESS)
    assert not fits_in_memory(10_000, 224, four)
    assert not fits_in_memory(20_000, 224, SINGLE_PROCESS)


def test_of_equally_accurate_models_the_later_is_better() -> None:
    def accuracy(robust: float, clean: float) -> Accuracy:
        return Accuracy(clean_accuracy=clean, robust_accuracy=robust, chance=0.5, n_images=9, attack={})

    assert _is_better(accuracy(0.5, 0.7), than=accuracy(0.5, 0.7))
    assert _is_better(accuracy(0.5, 0.8), than=accuracy(0.5, 0.7))
    assert not _is_better(accuracy(0.4, 0.9), than=accuracy(0.5, 0.7))


def test_evaluate_every_skips_epochs_but_not_the_last(data: Data) -> None:
    records: list[EpochRecord] = []
    train(tiny_model(data), data, config(epochs=3, evaluate_every=2), callbacks=Callbacks(on_epoch=records.append))
    assert [record.robust_accuracy is None for record in records] == [True, False, False]


def test_epoch_has_every_image_once_in_batches_of_equal_size() -> None:
    batches = epoch_batches(100, 32, seed=1, epoch=2)
    assert [len(batch) for batch in batches] == [25] * 4
    assert torch.cat(batches).sort().values.tolist() == list(range(100))
    assert not torch.equal(batches[0], epoch_batches(100, 32, seed=1, epoch=3)[0])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"batch_size": 2}, "91 training images in batches of 2 leave 1 for each of 1 processes"),
        ({"augment": "imagenet"}, r"training images are \(3, 32, 32\); expected \(3, 37, 37\)"),
        ({"peak_learning_rate": 1e6}, "the loss is nan; try a lower peak_learning_rate than 1e"),
    ],
)
def test_impossible_training_is_rejected(data: Data, change: dict[str, object], complaint: str) -> None:
    images = data.train
    assert isinstance(images, InMemoryImages)
    one_more = [torch.cat([part, part[:1]]) for part in (images.images, images.labels)]
    with pytest.raises(InputError, match=complaint):
        trained(replace(data, train=InMemoryImages(*one_more)), **change)


def test_network_that_rejects_the_image_size_is_reported(data: Data) -> None:
    bound_to_224 = new_model(GuideDescription("timm/vit_tiny_patch16_224", TINY.classes, size=32), data.train, seed=0)
    with pytest.raises(InputError, match=r"size is 32: timm/vit_tiny_patch16_224 does not accept images .*224"):
        train(bound_to_224, data, config())


def test_saved_model_loads_unchanged(tmp_path: Path, data: Data) -> None:
    done = trained(data, epochs=1)
    path = tmp_path / "model.safetensors"
    save_model(path, done.model, training={}, metrics=asdict(done.accuracy))
    again = load_model(path)
    images = as_float(torch.stack([data.validation[number][0] for number in range(5)]))
    assert again.description == TINY
    assert torch.equal(again(images), done.model(images))
    assert Accuracy(**model_metrics(path)) == done.accuracy
    save_model(tmp_path / "again.safetensors", again, training={}, metrics=asdict(done.accuracy))
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(None, "no such model file"), (b"", "not a safetensors file"), (b"x" * 99, "not a safetensors")],
)
def test_other_file_is_rejected(tmp_path: Path, content: bytes | None, complaint: str) -> None:
    path = tmp_path / "model.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=complaint):
        load_model(path)


@pytest.mark.parametrize(
    ("metadata", "complaint"),
    [
        ({}, "does not describe its model"),
        ({"lwise": "{"}, "not JSON"),
        ({"lwise": "[]"}, "does not describe its model"),
    ],
)
def test_third_party_safetensors_file_is_rejected(tmp_path: Path, metadata: dict[str, str], complaint: str) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(save({"weight": torch.zeros(2)}, metadata=metadata))
    with pytest.raises(InputError, match=complaint):
        load_model(path)

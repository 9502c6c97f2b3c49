"""The minimal ε equals the distance to the boundary where that is known, and is never smaller."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from lwise_core.dirmap import read_dirmap, write_dirmap
from lwise_core.vision.checkpoints.native import load_model, save_model
from lwise_core.vision.datasets import DirmapDataset
from lwise_core.vision.difficulty.minimal_epsilon import Bisection, smallest_radii
from lwise_core.vision.guide import IMAGENET, GuideDescription, new_guide
from lwise_core.vision.image_folder import index_image_folder
from lwise_core.vision.pixels import as_float
from tests.conftest import write_photographs
from tests.run_cli import succeed

_BISECTION = Bisection(largest=2.0, rounds=10, steps=10)


class _Linear:
    """z_k = w_k · x + b_k: the boundary between k and y lies |z_y - z_k| / ||w_y - w_k|| away."""

    def __init__(self, weights: Tensor, bias: Tensor) -> None:
        self.weights, self.bias = weights, bias

    def __call__(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ self.weights.T + self.bias

    def distances(self, images: Tensor, labels: Tensor) -> Tensor:
        """Distance to the nearest boundary (N,), 0 beyond it."""
        logits = self(images)
        distances = []
        for row, label in zip(logits, labels.tolist(), strict=True):
            others = [k for k in range(len(row)) if k != label]
            distances.append(
                min((row[label] - row[k]) / (self.weights[label] - self.weights[k]).norm() for k in others)
            )
        return torch.stack(distances).clamp_min(0)


def _linear(n_classes: int) -> _Linear:
    random = torch.Generator().manual_seed(n_classes)
    weights = torch.randn(n_classes, 3 * 8 * 8, generator=random, dtype=torch.float64)
    return _Linear(weights, -weights.sum(dim=1) / 2 + torch.randn(n_classes, generator=random, dtype=torch.float64))


def _grey_images(n: int) -> Tensor:
    """Grey images, far from the limits of [0, 1]."""
    random = torch.Generator().manual_seed(7)
    return 0.5 + 0.05 * torch.randn(n, 3, 8, 8, generator=random, dtype=torch.float64)


def test_minimal_epsilon_is_exact_for_a_linear_model_with_two_classes() -> None:
    model, images, labels = _linear(2), _grey_images(40), torch.arange(40) % 2
    exact = model.distances(images, labels)
    found = smallest_radii(model, images, labels, _BISECTION)
    assert 10 < (exact == 0).sum() < 30  # some are misclassified without a perturbation
    assert torch.equal(found == 0, exact == 0)
    assert (found >= exact - 1e-9).all()
    assert (found <= exact + _BISECTION.largest / 2**_BISECTION.rounds).all()


def test_minimal_epsilon_is_a_tight_upper_bound_with_more_classes() -> None:
    model, images = _linear(5), _grey_images(40)
    labels = model(images).argmax(dim=1)
    exact = model.distances(images, labels)
    found = smallest_radii(model, images, labels, _BISECTION)
    assert (found >= exact - 1e-9).all()
    assert (found / exact).median() <= 1.02


def test_no_misclassification_within_the_largest_radius_gives_infinity() -> None:
    model, images = _linear(2), _grey_images(20)
    labels = model(images).argmax(dim=1)
    exact = model.distances(images, labels)
    largest = float(exact.median())
    found = smallest_radii(model, images, labels, Bisection(largest=largest, rounds=6, steps=10))
    assert torch.equal(found.isinf(), exact > largest)


def test_bisection_is_as_precise_as_its_rounds() -> None:
    model, images = _linear(2), _grey_images(40)
    labels = model(images).argmax(dim=1)
    exact = model.distances(images, labels)
    # A single step ends on the boundary of the ball, so that only the bisection finds smaller radii.
    found = smallest_radii(model, images, labels, Bisection(largest=4.0, rounds=6, steps=1))
    assert (found - exact).max() <= 4.0 / 2**6 + 1e-9


def test_perturbation_stays_within_the_range_of_pixels() -> None:
    """The classes differ in brightness, and the boundary is brighter than white."""
    model = _Linear(torch.stack([-torch.ones(192), torch.ones(192)]).double(), torch.tensor([400.0, 0.0]).double())
    bright = torch.full((2, 3, 8, 8), 0.75, dtype=torch.float64)
    assert (
        smallest_radii(model, bright, torch.tensor([0, 0]), Bisection(largest=20.0, rounds=4, steps=10)).isinf().all()
    )


def test_single_image_has_the_same_distance_as_in_a_batch() -> None:
    model, images, labels = _linear(3), _grey_images(3), torch.tensor([0, 1, 2])
    together = smallest_radii(model, images, labels, _BISECTION)
    alone = [smallest_radii(model, images[i : i + 1], labels[i : i + 1], _BISECTION) for i in range(3)]
    assert torch.allclose(torch.cat(alone), together, atol=1e-9)


def test_command_adds_the_column(tmp_path: Path) -> None:
    photographs = write_photographs(tmp_path / "photographs", per_class={"train": 4, "val": 2})
    rows = index_image_folder(photographs).rows
    write_dirmap(tmp_path / "dirmap.csv", rows)
    description = GuideDescription("small_resnet", ("blue", "green", "red"), size=32, settings={"width": 8})
    save_model(tmp_path / "guide.safetensors", new_guide(description, IMAGENET, seed=4), training={}, metrics={})
    settings = "--images photographs --model guide.safetensors --split val --rounds 4 --steps 4"
    succeed("difficulty", "epsilon", "dirmap.csv", *settings.split(), folder=tmp_path)
    after = read_dirmap(tmp_path / "dirmap.csv")
    cells = {row.split: [] for row in after}
    for row in after:
        cells[row.split].append(row.extra["minimal_epsilon"])
    assert set(cells["train"]) == {""}
    values = [float(cell) for cell in cells["val"]]
    assert 0.0 in values  # an untrained model takes most images for one class
    assert any(0 < value < float("inf") for value in values)


def test_shards_are_merged(tmp_path: Path) -> None:
    """Shard 0 measures the only batch; after its images are removed, the result can only come from the shard."""
    photographs = write_photographs(tmp_path / "photographs", per_class={"train": 4, "val": 2})
    rows = index_image_folder(photographs).rows
    write_dirmap(tmp_path / "dirmap.csv", rows)
    description = GuideDescription("small_resnet", ("blue", "green", "red"), size=32, settings={"width": 8})
    save_model(tmp_path / "guide.safetensors", new_guide(description, IMAGENET, seed=4), training={}, metrics={})
    settings = "--images photographs --model guide.safetensors --rounds 2 --steps 2 --out found.csv"
    command = ("difficulty", "epsilon", "dirmap.csv", *settings.split())
    succeed(*command, "--shard", "0/2", folder=tmp_path)
    assert not (tmp_path / "found.csv").exists()
    for row in rows:
        (photographs / row.im_path).unlink()
    assert f"minimal_epsilon of {len(rows)} images" in succeed(*command, folder=tmp_path)
    assert all(row.extra["minimal_epsilon"] for row in read_dirmap(tmp_path / "found.csv"))
    assert not list(tmp_path.glob("*.unfinished"))


def test_superclass_combines_several_logits(tmp_path: Path) -> None:
    """All logits of the model belong to two classes; a confusion within red is not a misclassification."""
    photographs = write_photographs(tmp_path / "photographs", per_class={"train": 4, "val": 2})
    rows = [row for row in index_image_folder(photographs).rows if row.class_name != "green"]
    numbered = [replace(row, class_num=("blue", "red").index(row.class_name)) for row in rows]
    write_dirmap(tmp_path / "dirmap.csv", numbered)
    (tmp_path / "kinds.yaml").write_text("red: [0, 2]\nblue: [1, 3]\n")
    description = GuideDescription("small_resnet", tuple("abcd"), size=32, settings={"width": 8})
    save_model(tmp_path / "guide.safetensors", new_guide(description, IMAGENET, seed=4), training={}, metrics={})
    settings = "--images photographs --model guide.safetensors --superclasses kinds.yaml --rounds 4 --steps 4"
    succeed("difficulty", "epsilon", "dirmap.csv", *settings.split(), folder=tmp_path)
    after = read_dirmap(tmp_path / "dirmap.csv")
    guide = load_model(tmp_path / "guide.safetensors")
    images, labels = DirmapDataset(photographs, numbered, size=32).load()
    logits = guide(as_float(images))
    right = (logits[:, [0, 2]].amax(dim=1) > logits[:, [1, 3]].amax(dim=1)) == (labels == 1)
    assert [float(row.extra["minimal_epsilon"]) > 0 for row in after] == right.tolist()

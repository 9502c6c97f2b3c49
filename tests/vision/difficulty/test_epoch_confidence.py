"""Confidence over training is the mean probability of the true class over the models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lwise_core.dirmap import DirmapRow, read_dirmap, write_dirmap
from lwise_core.errors import InputError
from lwise_core.vision.checkpoints.native import save_model
from lwise_core.vision.datasets import DirmapDataset
from lwise_core.vision.difficulty.epoch_confidence import epoch_confidence
from lwise_core.vision.engine import Engine
from lwise_core.vision.guide import IMAGENET, GuideDescription, GuideModel, new_guide
from lwise_core.vision.image_folder import index_image_folder
from lwise_core.vision.pixels import as_float
from lwise_core.vision.targets import targets_for
from tests.conftest import write_photographs
from tests.run_cli import succeed


def _model(seed: int, *, size: int = 32) -> GuideModel:
    description = GuideDescription("small_resnet", ("blue", "green", "red"), size=size, settings={"width": 8})
    return new_guide(description, IMAGENET, seed=seed).eval().requires_grad_(False)


def test_command_adds_the_mean_probability_of_the_true_class(tmp_path: Path) -> None:
    photographs = write_photographs(tmp_path / "photographs", per_class={"train": 4, "val": 2})
    rows: list[DirmapRow] = index_image_folder(photographs).rows
    write_dirmap(tmp_path / "dirmap.csv", rows)
    models = [_model(seed) for seed in (1, 2, 3)]
    options = ["--images", "photographs"]
    for number, model in enumerate(models):
        save_model(tmp_path / f"epoch-{number}.safetensors", model, training={}, metrics={})
        options += ["--model", f"epoch-{number}.safetensors"]
    succeed("difficulty", "confidence", "dirmap.csv", *options, folder=tmp_path)
    images, labels = DirmapDataset(photographs, rows, size=32).load()
    probabilities = torch.stack([model(as_float(images)).softmax(dim=1) for model in models]).mean(dim=0)
    expected = [float(of_one[label]) for of_one, label in zip(probabilities, labels, strict=True)]
    found = [float(row.extra["epoch_confidence"]) for row in read_dirmap(tmp_path / "dirmap.csv")]
    assert found == pytest.approx(expected, abs=2e-6)


def test_present_only_ignores_classes_without_images(tmp_path: Path) -> None:
    """A model of three classes and a data set of two, mapped by its column `logit`."""
    photographs = write_photographs(tmp_path / "photographs", per_class={"train": 4, "val": 2})
    numbers = {"blue": 0, "red": 1}
    rows = [
        replace(row, class_num=numbers[row.class_name], extra={"logit": str(2 * numbers[row.class_name])})
        for row in index_image_folder(photographs).rows
        if row.class_name in numbers
    ]
    write_dirmap(tmp_path / "dirmap.csv", rows)
    model = _model(1)
    save_model(tmp_path / "guide.safetensors", model, training={}, metrics={})
    images, labels = DirmapDataset(photographs, rows, size=32).load()
    settings = "--images photographs --model guide.safetensors --class-num-col logit --present-only"
    succeed("difficulty", "confidence", "dirmap.csv", *settings.split(), folder=tmp_path)
    probabilities = model(as_float(images))[:, [0, 2]].softmax(dim=1)
    expected = probabilities[torch.arange(len(rows)), labels].tolist()
    found = [float(row.extra["epoch_confidence"]) for row in read_dirmap(tmp_path / "dirmap.csv")]
    assert found == pytest.approx(expected, abs=2e-6)


def test_models_of_different_trainings_are_rejected(tmp_path: Path) -> None:
    rows = [DirmapRow("val", name, number, f"{name}.png") for number, name in enumerate(("blue", "green", "red"))]
    models = [_model(1), _model(2, size=48)]
    with pytest.raises(InputError, match="--model number 2 has 3 classes at 48 pixels, the first 3 at 32"):
        epoch_confidence(models, targets_for(models[0].description, rows), Engine(torch.device("cpu")))

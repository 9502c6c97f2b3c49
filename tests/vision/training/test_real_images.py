"""Adversarial training gains robustness on real photographs."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch
from torchvision.io import decode_image

from lwise_core.vision.guide import GuideDescription
from lwise_core.vision.training.batches import InMemoryImages
from lwise_core.vision.training.config import TrainingConfig
from lwise_core.vision.training.evaluation import Accuracy
from lwise_core.vision.training.initialisation import new_model
from lwise_core.vision.training.loop import Data, train

_PHOTOGRAPHS = Path(__file__).parents[4] / "shared" / "data" / "cifar10_subset.zip"
"""CIFAR-10 photographs beside the repository, `<split>/<class>/<number>.jpg`; too large to commit."""
_CLASSES = ("airplane", "automobile", "frog")
_EPSILON = 1.5


def _photographs(archive: zipfile.ZipFile, split: str, n_per_class: int) -> InMemoryImages:
    images, labels = [], []
    for number, name in enumerate(_CLASSES):
        of_class = [member for member in archive.namelist() if member.startswith(f"{split}/{name}/")]
        for member in sorted(member for member in of_class if member.endswith(".jpg"))[:n_per_class]:
            images.append(decode_image(torch.frombuffer(bytearray(archive.read(member)), dtype=torch.uint8)))
            labels.append(number)
    return InMemoryImages(torch.stack(images), torch.tensor(labels))


def test_adversarial_training_gains_accuracy_under_attack_on_photographs() -> None:
    """Measured with seeds 0 to 2: 0.49 to 0.52 under attack against 0.19 to 0.20 for the non-robust model.

    Undisturbed 0.72 to 0.75 against 0.81; chance is 1/3; 300 photographs.
    """
    if not _PHOTOGRAPHS.is_file():
        pytest.skip("the photographs are not on this machine; the bright and dark images test the same")
    with zipfile.ZipFile(_PHOTOGRAPHS) as archive:
        data = Data(_photographs(archive, "train", 200), _photographs(archive, "val", 100))
    description = GuideDescription("small_resnet", _CLASSES, size=32, settings={"width": 8})

    def accuracy(epsilon: float) -> Accuracy:
        config = TrainingConfig(
            epsilon=epsilon,
            attack_steps=1,
            epochs=16,
            evaluate_every=16,
            evaluation_epsilon=_EPSILON,
            peak_learning_rate=0.1,
        )
        return train(new_model(description, data.train, seed=0), data, config).accuracy

    robust, ordinary = accuracy(_EPSILON), accuracy(0)
    assert robust.robust_accuracy > ordinary.robust_accuracy + 0.15
    assert robust.robust_accuracy > 0.4
    assert robust.clean_accuracy > 0.6
    assert ordinary.clean_accuracy > 0.7

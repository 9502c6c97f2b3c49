"""Images of a dirmap as tensors."""

from __future__ import annotations

from pathlib import Path

import torch

from lwise_core.vision.datasets import DirmapDataset
from lwise_core.vision.image_folder import index_image_folder


def test_dataset_gives_square_uint8_images_and_class_numbers(photographs: Path) -> None:
    rows = index_image_folder(photographs).rows
    dataset = DirmapDataset(photographs, rows, size=24)
    image, label = dataset[5]
    images, labels = dataset.load()
    assert images.shape == (120, 3, 24, 24)
    assert torch.equal(images[5], image)
    assert labels[5] == label == rows[5].class_num

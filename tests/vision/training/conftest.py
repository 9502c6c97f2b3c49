"""Small data sets for training."""

from __future__ import annotations

from pathlib import Path

import pytest

from lwise_core.dirmap import DirmapRow
from lwise_core.vision.datasets import DirmapDataset
from lwise_core.vision.image_folder import index_image_folder
from lwise_core.vision.training.batches import InMemoryImages
from lwise_core.vision.training.loop import Data


@pytest.fixture
def rows(photographs: Path) -> list[DirmapRow]:
    return index_image_folder(photographs).rows


@pytest.fixture
def data(photographs: Path, rows: list[DirmapRow]) -> Data:
    """Three classes, 90 training and 30 validation images in all, 32 x 32 pixels, in memory."""
    return Data(*(InMemoryImages(*_listed(photographs, rows, split).load()) for split in ("train", "val")))


@pytest.fixture
def listed(photographs: Path, rows: list[DirmapRow]) -> Data:
    """The same, decoded on access."""
    return Data(*(_listed(photographs, rows, split) for split in ("train", "val")))


def _listed(photographs: Path, rows: list[DirmapRow], split: str) -> DirmapDataset:
    return DirmapDataset(photographs, [row for row in rows if row.split == split], size=32)

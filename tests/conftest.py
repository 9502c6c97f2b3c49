"""Fixtures shared by all tests: small real pictures, made in code and seeded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

CLASSES = ("red", "green", "blue")


def coloured_noise(channel: int, *, size: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """A noisy picture in which one colour channel is brighter: easy to tell apart, yet not trivial."""
    pixels = random.normal(110, 30, (size, size, 3))
    pixels[..., channel] += random.normal(35, 15)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def write_photographs(root: Path, *, per_class: dict[str, int], size: int = 32, seed: int = 0) -> Path:
    """An ImageFolder tree `root/<split>/<class>/<number>.png` of three classes."""
    random = np.random.default_rng(seed)
    for split, count in per_class.items():
        for channel, name in enumerate(CLASSES):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                Image.fromarray(coloured_noise(channel, size=size, random=random)).save(folder / f"{number:03d}.png")
    return root


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Three classes, 30 training and 10 validation pictures each, 32 x 32 pixels."""
    return write_photographs(tmp_path / "photographs", per_class={"train": 30, "val": 10})

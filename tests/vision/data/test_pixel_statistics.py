"""Streamed statistics equal the formula over all pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lwise_core.errors import InputError
from lwise_core.vision.data.pixel_statistics import channel_statistics
from lwise_core.vision.image_folder import index_image_folder
from lwise_core.vision.images import load_rgb


@pytest.mark.parametrize("size", [32, 20])
def test_statistics_equal_the_plain_formula(photographs: Path, size: int) -> None:
    rows = index_image_folder(photographs).rows
    pixels = np.stack([load_rgb(photographs / row.im_path, size=size) for row in rows]).astype(np.float64) / 255
    found = channel_statistics(photographs, rows, size=size)
    assert found.mean == pytest.approx(pixels.mean(axis=(0, 2, 3)), rel=1e-13)
    assert found.std == pytest.approx(pixels.std(axis=(0, 2, 3)), rel=1e-12)
    assert found == channel_statistics(photographs, rows[::-1], size=size)


def test_unreadable_image_is_named(photographs: Path) -> None:
    rows = index_image_folder(photographs).rows
    (photographs / rows[3].im_path).write_bytes(b"no picture")
    with pytest.raises(InputError, match=rows[3].im_path):
        channel_statistics(photographs, rows, size=32)

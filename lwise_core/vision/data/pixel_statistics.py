"""Mean and standard deviation of each colour channel over a data set: the numbers of a normalisation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lwise_core.dirmap import DirmapRow
from lwise_core.progress import OnProgress
from lwise_core.vision.images import load_rgb
from lwise_core.vision.prefetch import prefetch

_WHITE = 255
_AHEAD = 64


@dataclass(frozen=True)
class ChannelStatistics:
    """Mean and (population) standard deviation of red, green and blue in [0, 1], over all pixels."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def channel_statistics(
    root: Path, rows: Sequence[DirmapRow], *, size: int, on_progress: OnProgress | None = None
) -> ChannelStatistics:
    """Statistics of images at a model's input size, `size` x `size` pixels, streamed so that any number fits in memory.

    Sums of 8-bit values and their squares are exact integers, so the result does not depend on the order.

    Raises
    ------
    InputError
        If an image cannot be read.
    """
    totals, squares = [0, 0, 0], [0, 0, 0]

    def sums_of(row: DirmapRow) -> NDArray[np.int64]:
        values = load_rgb(root / row.im_path, size=size).reshape(3, -1).astype(np.int64)
        return np.stack([values.sum(axis=1), (values * values).sum(axis=1)])

    with ThreadPoolExecutor() as pool:
        sums = prefetch(rows, begin=lambda row: pool.submit(sums_of, row), end=lambda job: job.result(), n=_AHEAD)
        for done, (value_sums, square_sums) in enumerate(sums, start=1):
            totals = [total + int(value) for total, value in zip(totals, value_sums, strict=True)]
            squares = [total + int(value) for total, value in zip(squares, square_sums, strict=True)]
            if on_progress:
                on_progress(done, len(rows))
    n_pixels = len(rows) * size * size
    red, green, blue = (total / n_pixels / _WHITE for total in totals)
    red_std, green_std, blue_std = (
        math.sqrt(n_pixels * square - total * total) / n_pixels / _WHITE
        for total, square in zip(totals, squares, strict=True)
    )
    return ChannelStatistics(mean=(red, green, blue), std=(red_std, green_std, blue_std))

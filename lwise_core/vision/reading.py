"""Read images from disk in batches; threads decode the next batches while the last one is computed on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lwise_core.errors import InputError
from lwise_core.vision.images import Pixels, load_rgb
from lwise_core.vision.prefetch import prefetch

_READ_AHEAD = 2
"""Batches that are decoded or wait while one is computed on; memory holds no more of a data set."""


@dataclass(frozen=True)
class ReadBatch:
    """The readable images of a batch.

    Attributes
    ----------
    indices : of the readable images.
    images : uint8 (N, 3, size, size), in the order of `indices`.
    unreadable : index -> why an image cannot be read.
    """

    indices: list[int]
    images: Tensor
    unreadable: dict[int, str]


def read_batches(paths: Mapping[int, Path], batches: Sequence[Sequence[int]], *, size: int) -> Iterator[ReadBatch]:
    """Read one batch after another, each given as indices of `paths`."""
    with ThreadPoolExecutor() as threads:

        def begin(batch: Sequence[int]) -> dict[int, Future[Pixels]]:
            return {index: threads.submit(load_rgb, paths[index], size=size) for index in batch}

        yield from prefetch(batches, begin=begin, end=lambda futures: _read(futures, size), n=_READ_AHEAD)


def collect_readable(futures: Mapping[int, Future[Pixels]]) -> tuple[dict[int, Pixels], dict[int, str]]:
    """The images that could be read, and why the others could not, by index."""
    images, unreadable = {}, {}
    for index, future in futures.items():
        try:
            images[index] = future.result()
        except InputError as error:
            unreadable[index] = str(error)
    return images, unreadable


def _read(futures: Mapping[int, Future[Pixels]], size: int) -> ReadBatch:
    images, unreadable = collect_readable(futures)
    stacked = np.stack(list(images.values())) if images else np.empty((0, 3, size, size), dtype=np.uint8)
    return ReadBatch(list(images), torch.from_numpy(stacked), unreadable)

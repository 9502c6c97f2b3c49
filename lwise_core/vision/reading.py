"""Pictures from disk, in batches, decoded by threads while the batches before them are computed on."""

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
from lwise_core.vision.prefetch import ahead

_READ_AHEAD = 2
"""Batches that are decoded or wait while one is computed on: memory holds no more of a data set of any size."""


@dataclass(frozen=True)
class ReadBatch:
    """What could be read of a batch.

    Attributes
    ----------
    indices : of the pictures, as they were asked for.
    pictures : uint8 (N, 3, size, size), in the order of `indices`.
    unreadable : index -> why a picture could not be read.
    """

    indices: list[int]
    pictures: Tensor
    unreadable: dict[int, str]


def read_batches(paths: Mapping[int, Path], batches: Sequence[Sequence[int]], *, size: int) -> Iterator[ReadBatch]:
    """The pictures of one batch after another, each batch given as the indices of its `paths`."""
    with ThreadPoolExecutor() as threads:

        def begin(batch: Sequence[int]) -> dict[int, Future[Pixels]]:
            return {index: threads.submit(load_rgb, paths[index], size=size) for index in batch}

        yield from ahead(batches, begin=begin, end=lambda reading: _read(reading, size), n=_READ_AHEAD)


def _read(reading: Mapping[int, Future[Pixels]], size: int) -> ReadBatch:
    read, unreadable = {}, {}
    for index, picture in reading.items():
        try:
            read[index] = picture.result()
        except InputError as error:
            unreadable[index] = str(error)
    pictures = np.stack(list(read.values())) if read else np.empty((0, 3, size, size), dtype=np.uint8)
    return ReadBatch(list(read), torch.from_numpy(pictures), unreadable)

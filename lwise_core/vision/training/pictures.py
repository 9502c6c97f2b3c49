"""Pictures on their way into training: which batch has which, augmented, from memory or decoded as they are needed."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from lwise_core.keyed_random import key_seed
from lwise_core.vision.training.augment import Augmentation
from lwise_core.vision.training.distributed import Group

_READ_AHEAD = 4
"""Batches that each loading process has ready."""
_MOST_BYTES_IN_MEMORY = 2_000_000_000
_FEWEST = 2
"""Batch normalisation cannot learn from one picture."""


class Pictures(Protocol):
    """Anything with a length, whose item i is (uint8 picture (3, side, side), class)."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> tuple[Tensor, int | Tensor]: ...


class PicturesInMemory:
    """uint8 (N, 3, side, side) with int64 labels (N,)."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.images[index], self.labels[index]


def fit_memory(n_pictures: int, side: int, group: Group) -> bool:
    """Whether decoded pictures are little enough to be kept by each of a machine's processes."""
    return n_pictures * 3 * side * side * group.n_here < _MOST_BYTES_IN_MEMORY


def epoch_batches(n_pictures: int, batch_size: int, *, seed: int, epoch: int) -> list[Tensor]:
    """Every picture once, in random order, in the fewest batches of at most `batch_size`, which are of equal size.

    Sizes differ by one at most: no small rest, whose gradient would be noise.
    """
    generator = torch.Generator().manual_seed(key_seed(seed, "order", epoch))
    order = torch.randperm(n_pictures, generator=generator)
    return list(torch.tensor_split(order, n_batches(n_pictures, batch_size)))


def n_batches(n_pictures: int, batch_size: int) -> int:
    """In an epoch."""
    return -(-n_pictures // batch_size)


def too_few(n_pictures: int, batch_size: int, group: Group) -> str | None:
    """What keeps batches from being shared among the processes of a group, or None."""
    smallest = n_pictures // n_batches(n_pictures, batch_size) // group.n
    if smallest >= _FEWEST:
        return None
    return (
        f"{n_pictures} pictures to learn from, in batches of {batch_size} among {group.n} processes, leave {smallest} "
        f"for a process; expected {_FEWEST} at least. Give more pictures, larger batches or fewer processes"
    )


def training_batches(
    pictures: Pictures,
    batches: Sequence[Tensor],
    augmentation: Augmentation,
    *,
    seed: int,
    epoch: int,
    workers: int,
    pinned: bool,
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Batches of (uint8 pictures, labels, their numbers in the data set), augmented."""
    augmented = _Augmented(pictures, augmentation, seed, epoch)
    return iter(_loader(augmented, batches, workers=workers, pinned=pinned))


def plain_batches(
    pictures: Pictures, batches: Sequence[Tensor], *, workers: int, pinned: bool
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """As `training_batches`, the pictures as they are."""
    return iter(_loader(_Numbered(pictures), batches, workers=workers, pinned=pinned))


class _Numbered(Dataset[tuple[Tensor, int | Tensor, int]]):
    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> tuple[Tensor, int | Tensor, int]:
        return (*self._pictures[index], index)


class _Augmented(_Numbered):
    def __init__(self, pictures: Pictures, augmentation: Augmentation, seed: int, epoch: int) -> None:
        super().__init__(pictures)
        self._augmentation, self._seed, self._epoch = augmentation, seed, epoch

    def __getitem__(self, index: int) -> tuple[Tensor, int | Tensor, int]:
        picture, label, _ = super().__getitem__(index)
        seed = key_seed(self._seed, "augmentation", self._epoch, index)
        return self._augmentation.apply(picture, seed=seed), label, index


def _loader(
    dataset: _Numbered, batches: Sequence[Tensor], *, workers: int, pinned: bool
) -> DataLoader[tuple[Tensor, Tensor, Tensor]]:
    return DataLoader(
        dataset,  # type: ignore[arg-type]  # batches of what the data set has one by one
        batch_sampler=[batch.tolist() for batch in batches],
        num_workers=workers,
        prefetch_factor=_READ_AHEAD if workers else None,
        pin_memory=pinned,
        worker_init_fn=_leave_signals_to_the_training if workers else None,
        generator=torch.Generator(),
    )


def _leave_signals_to_the_training(_: int) -> None:
    """Ctrl-C and `torchrun` tell every process to stop; the training still needs what these have begun to load."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)

"""Batches for training and evaluation: their composition, augmentation and loading, from memory or from files."""

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

_PREFETCHED_BATCHES = 4
"""Per loading process."""
_MOST_BYTES_IN_MEMORY = 2_000_000_000
_MIN_IMAGES = 2
"""Batch normalisation cannot train on a single image."""


class Images(Protocol):
    """A data set whose item i is (uint8 image (3, side, side), class)."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> tuple[Tensor, int | Tensor]: ...


class InMemoryImages:
    """uint8 (N, 3, side, side) with int64 labels (N,)."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.images[index], self.labels[index]


def fits_in_memory(n_images: int, side: int, group: Group) -> bool:
    """Whether each process of a machine can hold the decoded images in memory."""
    return n_images * 3 * side * side * group.local_size < _MOST_BYTES_IN_MEMORY


def epoch_batches(n_images: int, batch_size: int, *, seed: int, epoch: int) -> list[Tensor]:
    """Every image once, in random order, in the fewest batches of at most `batch_size`.

    Batch sizes differ by at most one: the gradient of a small last batch would be noise.
    """
    generator = torch.Generator().manual_seed(key_seed(seed, "order", epoch))
    order = torch.randperm(n_images, generator=generator)
    return list(torch.tensor_split(order, n_batches(n_images, batch_size)))


def n_batches(n_images: int, batch_size: int) -> int:
    """Number of batches in an epoch."""
    return -(-n_images // batch_size)


def batch_problem(n_images: int, batch_size: int, group: Group) -> str | None:
    """Why batches cannot be shared among the processes of a group, or None."""
    smallest = n_images // n_batches(n_images, batch_size) // group.n
    if smallest >= _MIN_IMAGES:
        return None
    return (
        f"{n_images} training images in batches of {batch_size} leave {smallest} for each of {group.n} processes; "
        f"expected at least {_MIN_IMAGES}. Give more images, larger batches or fewer processes"
    )


def training_batches(
    dataset: Images,
    batches: Sequence[Tensor],
    augmentation: Augmentation,
    *,
    seed: int,
    epoch: int,
    workers: int,
    pinned: bool,
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Augmented batches of (uint8 images, labels, indices in the data set)."""
    augmented = _Augmented(dataset, augmentation, seed, epoch)
    return iter(_loader(augmented, batches, workers=workers, pinned=pinned))


def evaluation_batches(
    dataset: Images, batches: Sequence[Tensor], *, workers: int, pinned: bool
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """As `training_batches`, without augmentation."""
    return iter(_loader(_Indexed(dataset), batches, workers=workers, pinned=pinned))


class _Indexed(Dataset[tuple[Tensor, int | Tensor, int]]):
    def __init__(self, dataset: Images) -> None:
        self._dataset = dataset

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, int | Tensor, int]:
        return (*self._dataset[index], index)


class _Augmented(_Indexed):
    def __init__(self, dataset: Images, augmentation: Augmentation, seed: int, epoch: int) -> None:
        super().__init__(dataset)
        self._augmentation, self._seed, self._epoch = augmentation, seed, epoch

    def __getitem__(self, index: int) -> tuple[Tensor, int | Tensor, int]:
        image, label, _ = super().__getitem__(index)
        seed = key_seed(self._seed, "augmentation", self._epoch, index)
        return self._augmentation.apply(image, seed=seed), label, index


def _loader(
    dataset: _Indexed, batches: Sequence[Tensor], *, workers: int, pinned: bool
) -> DataLoader[tuple[Tensor, Tensor, Tensor]]:
    return DataLoader(
        dataset,  # type: ignore[arg-type]  # the loader yields batches, the data set single items
        batch_sampler=[batch.tolist() for batch in batches],
        num_workers=workers,
        prefetch_factor=_PREFETCHED_BATCHES if workers else None,
        pin_memory=pinned,
        worker_init_fn=_ignore_stop_signals if workers else None,
        generator=torch.Generator(),
    )


def _ignore_stop_signals(_: int) -> None:
    """Ctrl-C and `torchrun` signal every process; the training still needs the batches that these are loading."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)

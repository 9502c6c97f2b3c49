"""The pipeline of an enhancement: batches are read, enhanced, stored and measured at the same time.

Threads read and write images while the device computes; memory holds a few batches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lwise_core.dirmap import DirmapRow
from lwise_core.vision.budget import Budget
from lwise_core.vision.encoding import DeepPixels, Encoding, read_8_bits
from lwise_core.vision.engine import Engine, in_parts
from lwise_core.vision.images import Pixels, load_rgb
from lwise_core.vision.objectives import Objective, logit
from lwise_core.vision.prefetch import prefetch
from lwise_core.vision.random_views import RandomViews
from lwise_core.vision.reading import collect_readable
from lwise_core.vision.resumable import BatchResult, Finished
from lwise_core.vision.shared_gradients import ascend_many
from lwise_core.vision.targets import Targets

MEASURES = ("logit_natural", "logit_enhanced", "l2", "kept")

_READ_AHEAD = 2
_WHITE = 255
_TINY = 1e-12


@dataclass(frozen=True)
class Ascent:
    """The ascents of an enhancement.

    Attributes
    ----------
    model : prepared by `engine`.
    targets : maps its logits to those that `objective` takes.
    budgets : by name of the variant.
    best, views : as in `perturb.ascend`.
    """

    engine: Engine
    model: nn.Module
    targets: Targets
    objective: Objective
    budgets: Mapping[str, Budget]
    best: bool
    views: RandomViews | None

    def logits(self, images: Tensor) -> Tensor:
        """Logits (N, columns of `targets`)."""
        return self.targets.columns(self.model(images))

    def perturb(self, images: Tensor, labels: Tensor) -> list[Tensor]:
        """Images 0 … 1 on the device -> the enhanced batch for each budget."""
        with self.engine.computing():
            return ascend_many(
                self.logits,
                images,
                labels,
                objective=self.objective,
                budgets=list(self.budgets.values()),
                best=self.best,
                views=self.views,
            )

    def true_logits(self, images: Tensor, labels: Tensor) -> Tensor:
        """The logit of the true class (N,), in full precision."""
        with torch.inference_mode(), self.engine.computing():
            return logit(self.logits(images), labels).float()


class EnhancedBatches:
    """Enhances batches of a data set and stores them."""

    def __init__(
        self,
        ascent: Ascent,
        rows: Sequence[DirmapRow],
        *,
        images_root: Path,
        size: int,
        encoder: Encoding,
        paths: Mapping[str, Sequence[Path]],
    ) -> None:
        """
        Parameters
        ----------
        size : side of the images in pixels.
        paths : variant, natural first -> where the image of each row is stored.
        """
        self._ascent = ascent
        self._rows = rows
        self._images_root = images_root
        self._size = size
        self._encoder = encoder
        self._paths = paths

    def compute(self, batches: Sequence[Sequence[int]]) -> Iterator[BatchResult]:
        """Yield the result of each batch of row indices, in order, after its files are written."""
        with ThreadPoolExecutor() as threads:
            read = prefetch(batches, begin=lambda batch: self._start_reading(threads, batch), end=_read, n=_READ_AHEAD)
            # A CPU has finished a batch when `_start_enhancing` returns; a GPU gets the next batch meanwhile.
            n = 1 if self._ascent.engine.device.type == "cuda" else 0
            enhanced = prefetch(read, begin=self._start_enhancing, end=_synchronize, n=n)
            yield from prefetch(
                enhanced, begin=lambda batch: self._start_storing(threads, batch), end=self._finish, n=1
            )

    def _start_reading(self, threads: ThreadPoolExecutor, batch: Sequence[int]) -> dict[int, Future[Pixels]]:
        return {
            index: threads.submit(load_rgb, self._images_root / self._rows[index].im_path, size=self._size)
            for index in batch
        }

    def _start_enhancing(self, batch: _Read) -> _Enhanced:
        """Queue a batch on the device without waiting for it."""
        if not batch.indices:
            return _Enhanced(batch, torch.empty(0), {}, [], None, None)
        engine = self._ascent.engine
        labels = self._ascent.targets.labels([self._rows[index] for index in batch.indices]).to(engine.device)
        natural = engine.placed(_pinned(torch.from_numpy(np.stack(batch.images)), engine.device))
        perturbed = in_parts(self._ascent.perturb, natural, labels)
        rounded = {
            name: (variant * self._encoder.levels).round()
            for name, variant in zip(self._paths, (natural, *perturbed), strict=True)
        }
        perturbations = [variant - natural for variant in perturbed]
        measured = None
        if self._encoder.is_lossless:
            stored = [variant / self._encoder.levels for variant in rounded.values()]
            measured = _start_copy_to_host(self._measure(stored, perturbations, labels))
        integers = torch.uint8 if self._encoder.levels == _WHITE else torch.int32
        images = {name: _start_copy_to_host(variant.to(integers)) for name, variant in rounded.items()}
        copied = None
        if engine.device.type == "cuda":
            copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
            copied.record()
        return _Enhanced(batch, labels, images, perturbations, measured, copied)

    def _measure(self, stored: Sequence[Tensor], perturbations: Sequence[Tensor], labels: Tensor) -> Tensor:
        """The measures (budgets, measures, N) of stored images 0 … 1, natural first."""
        natural, *variants = stored
        before = self._true_logits(natural, labels)
        measured = []
        for variant, perturbation in zip(variants, perturbations, strict=True):
            difference = variant - natural
            along = (difference * perturbation).flatten(1).sum(dim=1)
            kept = along / perturbation.square().flatten(1).sum(dim=1).clamp_min(_TINY)
            l2 = difference.flatten(1).norm(dim=1)
            measured.append(torch.stack([before, self._true_logits(variant, labels), l2, kept]))
        return torch.stack(measured)

    def _true_logits(self, images: Tensor, labels: Tensor) -> Tensor:
        (logits,) = in_parts(lambda *part: [self._ascent.true_logits(*part)], images, labels)
        return logits.to(images.dtype)

    def _start_storing(self, threads: ThreadPoolExecutor, batch: _Enhanced) -> _Storing:
        kind = np.uint8 if self._encoder.levels == _WHITE else np.uint16
        writing = {
            name: [
                threads.submit(self._write, self._paths[name][index], pixels.astype(kind))
                for index, pixels in zip(batch.read.indices, images.numpy(), strict=True)
            ]
            for name, images in batch.images.items()
        }
        return _Storing(batch, writing)

    def _write(self, path: Path, pixels: DeepPixels) -> tuple[str, NDArray[np.uint8] | None]:
        """The file's SHA-256 and, if the format is lossy, the stored image."""
        content = self._encoder.write(pixels)
        path.write_bytes(content)
        stored = None if self._encoder.is_lossless else read_8_bits(content)
        return hashlib.sha256(content).hexdigest(), stored

    def _finish(self, storing: _Storing) -> BatchResult:
        written = {name: [one.result() for one in files] for name, files in storing.writing.items()}
        batch = storing.batch
        measured = batch.measured
        if measured is None and batch.read.indices:
            engine = self._ascent.engine
            stored = [
                engine.placed(torch.from_numpy(np.stack([image for _, image in files if image is not None])))
                for files in written.values()
            ]
            measured = self._measure(stored, batch.perturbations, batch.labels).cpu()
        finished = []
        for place, index in enumerate(batch.read.indices):
            sha256 = {name: files[place][0] for name, files in written.items()}
            assert measured is not None  # noqa: S101 - the batch has images
            values = {
                name: dict(zip(MEASURES, of_budget[:, place].tolist(), strict=True))
                for name, of_budget in zip(self._ascent.budgets, measured, strict=True)
            }
            finished.append(Finished(index, values, sha256))
        return BatchResult(finished, batch.read.unreadable)


@dataclass(frozen=True)
class _Read:
    indices: list[int]
    images: list[Pixels]
    unreadable: dict[int, str]


@dataclass(frozen=True)
class _Enhanced:
    """A batch that the device computes: the images of each variant, natural first, and their measures."""

    read: _Read
    labels: Tensor
    images: dict[str, Tensor]
    perturbations: list[Tensor]
    measured: Tensor | None
    copied: torch.cuda.Event | None


@dataclass(frozen=True)
class _Storing:
    batch: _Enhanced
    writing: dict[str, list[Future[tuple[str, NDArray[np.uint8] | None]]]]


def _read(futures: Mapping[int, Future[Pixels]]) -> _Read:
    images, unreadable = collect_readable(futures)
    return _Read(list(images), list(images.values()), unreadable)


def _synchronize(batch: _Enhanced) -> _Enhanced:
    if batch.copied is not None:
        batch.copied.synchronize()
    return batch


def _pinned(tensor: Tensor, device: torch.device) -> Tensor:
    """In page-locked memory, from which a GPU copies without the CPU."""
    return tensor.pin_memory() if device.type == "cuda" else tensor


def _start_copy_to_host(tensor: Tensor) -> Tensor:
    if tensor.device.type != "cuda":
        return tensor.contiguous()
    on_host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    return on_host.copy_(tensor, non_blocking=True)

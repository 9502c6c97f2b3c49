"""Batches of images on their way through an ascent: read, enhanced, stored and measured, each while others are.

Reading and writing are threads' work, which Pillow lets go on beside the device's; memory holds a few batches.
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
from lwise_core.errors import InputError
from lwise_core.vision.encoding import DeepPixels, Encoding, read_8_bits
from lwise_core.vision.engine import Engine, in_parts
from lwise_core.vision.images import Pixels, load_rgb
from lwise_core.vision.objectives import Objective, logit
from lwise_core.vision.perturb import Budget
from lwise_core.vision.prefetch import ahead
from lwise_core.vision.random_views import RandomViews
from lwise_core.vision.resumable import Stored
from lwise_core.vision.shared_gradients import ascend_many
from lwise_core.vision.targets import Targets

MEASURES = ("logit_natural", "logit_enhanced", "l2", "kept")

_READ_AHEAD = 2
_WHITE = 255
_TINY = 1e-12


@dataclass(frozen=True)
class Ascent:
    """What is raised, with which model, how far.

    Attributes
    ----------
    model : as `engine` prepared it.
    targets : from its logits to those that `objective` takes.
    budgets : by the variant's name.
    best, views : as in `perturb.ascend`.
    """

    engine: Engine
    model: nn.Module
    targets: Targets
    objective: Objective
    budgets: Mapping[str, Budget]
    best: bool
    views: RandomViews | None

    def logits(self, pictures: Tensor) -> Tensor:
        """(N, columns) of `targets`."""
        return self.targets.columns(self.model(pictures))

    def perturbed(self, pictures: Tensor, labels: Tensor) -> list[Tensor]:
        """Pictures 0 … 1 on the device -> one such batch per budget."""
        with self.engine.computing():
            return ascend_many(
                self.logits,
                pictures,
                labels,
                objective=self.objective,
                budgets=list(self.budgets.values()),
                best=self.best,
                views=self.views,
            )

    def true_logits(self, pictures: Tensor, labels: Tensor) -> Tensor:
        """The logit of the true class (N,), in full precision."""
        with torch.inference_mode(), self.engine.computing():
            return logit(self.logits(pictures), labels).float()


@dataclass(frozen=True)
class Done:
    """A batch that is stored, and what of it could not be read, by the index of the row."""

    stored: list[Stored]
    unreadable: dict[int, str]


class EnhancedBatches:
    """Takes batches of row numbers through an ascent."""

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
        size : side of the pictures in pixels.
        paths : variant, natural among them -> where the picture of each row is stored.
        """
        self._ascent = ascent
        self._rows = rows
        self._images_root = images_root
        self._size = size
        self._encoder = encoder
        self._paths = paths

    def go_through(self, batches: Sequence[Sequence[int]]) -> Iterator[Done]:
        """One batch after another, each when its files are written. What cannot be read is left out of its batch."""
        with ThreadPoolExecutor() as threads:
            read = ahead(batches, begin=lambda batch: self._begin_to_read(threads, batch), end=_read, n=_READ_AHEAD)
            # A processor is done with a batch when it has begun it; an accelerator has the next one waiting meanwhile.
            n = 1 if self._ascent.engine.device.type == "cuda" else 0
            enhanced = ahead(read, begin=self._enhanced, end=_arrived, n=n)
            yield from ahead(enhanced, begin=lambda batch: self._begin_to_store(threads, batch), end=self._stored, n=1)

    def _begin_to_read(self, threads: ThreadPoolExecutor, batch: Sequence[int]) -> dict[int, Future[Pixels]]:
        return {
            index: threads.submit(load_rgb, self._images_root / self._rows[index].im_path, size=self._size)
            for index in batch
        }

    def _enhanced(self, batch: _Read) -> _Enhanced:
        """Begun on the device; nothing here waits for it."""
        if not batch.indices:
            return _Enhanced(batch, torch.empty(0), {}, [], None, None)
        engine = self._ascent.engine
        labels = self._ascent.targets.labels([self._rows[index] for index in batch.indices]).to(engine.device)
        natural = engine.placed(_to_be_sent(torch.from_numpy(np.stack(batch.pictures)), engine.device))
        perturbed = in_parts(self._ascent.perturbed, natural, labels)
        pictures = {
            name: (picture * self._encoder.levels).round()
            for name, picture in zip(self._paths, (natural, *perturbed), strict=True)
        }
        perturbations = [picture - natural for picture in perturbed]
        measured = None
        if self._encoder.is_lossless:
            shown = [picture / self._encoder.levels for picture in pictures.values()]
            measured = _fetched(self._measured(shown, perturbations, labels))
        integers = torch.uint8 if self._encoder.levels == _WHITE else torch.int32
        fetched = {name: _fetched(picture.to(integers)) for name, picture in pictures.items()}
        arrived = None
        if engine.device.type == "cuda":
            arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
            arrived.record()
        return _Enhanced(batch, labels, fetched, perturbations, measured, arrived)

    def _measured(self, shown: Sequence[Tensor], perturbations: Sequence[Tensor], labels: Tensor) -> Tensor:
        """The measures of stored pictures 0 … 1, natural first: (budgets, measures, N)."""
        natural, *variants = shown
        before = self._true_logits(natural, labels)
        measured = []
        for picture, perturbation in zip(variants, perturbations, strict=True):
            difference = picture - natural
            along = (difference * perturbation).flatten(1).sum(dim=1)
            kept = along / perturbation.square().flatten(1).sum(dim=1).clamp_min(_TINY)
            l2 = difference.flatten(1).norm(dim=1)
            measured.append(torch.stack([before, self._true_logits(picture, labels), l2, kept]))
        return torch.stack(measured)

    def _true_logits(self, pictures: Tensor, labels: Tensor) -> Tensor:
        (logits,) = in_parts(lambda *part: [self._ascent.true_logits(*part)], pictures, labels)
        return logits.to(pictures.dtype)

    def _begin_to_store(self, threads: ThreadPoolExecutor, batch: _Enhanced) -> _Storing:
        kind = np.uint8 if self._encoder.levels == _WHITE else np.uint16
        writing = {
            name: [
                threads.submit(self._write, self._paths[name][index], picture.astype(kind))
                for index, picture in zip(batch.read.indices, pictures.numpy(), strict=True)
            ]
            for name, pictures in batch.pictures.items()
        }
        return _Storing(batch, writing)

    def _write(self, path: Path, pixels: DeepPixels) -> tuple[str, NDArray[np.uint8] | None]:
        """The file's SHA-256 and, where it is not what was to be stored, what it shows."""
        content = self._encoder.write(pixels)
        path.write_bytes(content)
        shown = None if self._encoder.is_lossless else read_8_bits(content)
        return hashlib.sha256(content).hexdigest(), shown

    def _stored(self, storing: _Storing) -> Done:
        written = {name: [one.result() for one in files] for name, files in storing.writing.items()}
        batch = storing.batch
        measured = batch.measured
        if measured is None and batch.read.indices:
            engine = self._ascent.engine
            shown = [
                engine.placed(torch.from_numpy(np.stack([picture for _, picture in files if picture is not None])))
                for files in written.values()
            ]
            measured = self._measured(shown, batch.perturbations, batch.labels).cpu()
        stored = []
        for place, index in enumerate(batch.read.indices):
            sha256 = {name: files[place][0] for name, files in written.items()}
            assert measured is not None  # noqa: S101 - the batch has images
            values = {
                name: dict(zip(MEASURES, of_one[:, place].tolist(), strict=True))
                for name, of_one in zip(self._ascent.budgets, measured, strict=True)
            }
            stored.append(Stored(index, sha256, values))
        return Done(stored, batch.read.unreadable)


@dataclass(frozen=True)
class _Read:
    indices: list[int]
    pictures: list[Pixels]
    unreadable: dict[int, str]


@dataclass(frozen=True)
class _Enhanced:
    """On its way from the device: the pictures of each variant, natural first, and what was measured on them there."""

    read: _Read
    labels: Tensor
    pictures: dict[str, Tensor]
    perturbations: list[Tensor]
    measured: Tensor | None
    arrived: torch.cuda.Event | None


@dataclass(frozen=True)
class _Storing:
    batch: _Enhanced
    writing: dict[str, list[Future[tuple[str, NDArray[np.uint8] | None]]]]


def _read(reading: Mapping[int, Future[Pixels]]) -> _Read:
    read, unreadable = {}, {}
    for index, picture in reading.items():
        try:
            read[index] = picture.result()
        except InputError as error:
            unreadable[index] = str(error)
    return _Read(list(read), list(read.values()), unreadable)


def _arrived(batch: _Enhanced) -> _Enhanced:
    if batch.arrived is not None:
        batch.arrived.synchronize()
    return batch


def _to_be_sent(tensor: Tensor, device: torch.device) -> Tensor:
    """On pages that a device can fetch from by itself."""
    return tensor.pin_memory() if device.type == "cuda" else tensor


def _fetched(tensor: Tensor) -> Tensor:
    """On its way to this side, without waiting."""
    if tensor.device.type != "cuda":
        return tensor.contiguous()
    here = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    return here.copy_(tensor, non_blocking=True)

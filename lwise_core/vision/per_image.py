"""Numbers per image of a data set, computed batch by batch from the images on disk.

What scores and the other measures of difficulty have in common: memory holds a few batches, an unreadable image can be
skipped, and an interrupted run can be resumed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from lwise_core.dirmap import DirmapRow
from lwise_core.errors import InputError
from lwise_core.progress import OnProgress
from lwise_core.vision.engine import Engine, in_parts
from lwise_core.vision.reading import ReadBatch, read_batches
from lwise_core.vision.resumable import BatchResult, Compute, Finished, ResumableFolder, run_batches
from lwise_core.vision.shard import WHOLE, Shard, cut_batches
from lwise_core.vision.targets import Targets


@dataclass(frozen=True)
class Measure:
    """Numbers to compute for each image.

    Attributes
    ----------
    names : names of the numbers.
    compute : images (N, 3, H, W) in [0, 1] on the engine's device, labels (N,) -> a tensor (N,) per name.
    size : side of the images in pixels.
    targets : says which label an image has.
    """

    names: tuple[str, ...]
    compute: Callable[[Tensor, Tensor], list[Tensor]]
    size: int
    targets: Targets


@dataclass(frozen=True)
class Measurements:
    """By index of the row: the numbers of each image, by name, or why it cannot be read."""

    values: dict[int, Mapping[str, float]]
    unreadable: dict[int, str]


def measure_images(
    measure: Measure,
    rows: Sequence[DirmapRow],
    *,
    images_root: Path,
    engine: Engine,
    split: str | None = None,
    skip_bad: bool = False,
    folder: ResumableFolder | None = None,
    shard: Shard = WHOLE,
    on_progress: OnProgress | None = None,
) -> Measurements:
    """Measure the images of one split, or all.

    Parameters
    ----------
    skip_bad : skip unreadable images instead of stopping.
    folder : where measurements are recorded, those of an interrupted run included.
    shard : the part of this run, of several parallel runs. The result comprises what other runs have measured.

    Raises
    ------
    InputError
        If the split has no images, or an image cannot be read: names its file and its row.
    """
    indices = [index for index, row in enumerate(rows) if split in (None, row.split)]
    if not indices:
        if folder is not None:
            folder.discard_if_empty()
        splits = ", ".join(sorted({row.split for row in rows}))
        raise InputError(f"the dirmap has no images in split {split}; it has {splits}")
    outcome = run_batches(
        cut_batches(indices, engine.batch_size(measure.size)),
        _compute(measure, rows, images_root, engine),
        images_root=images_root,
        folder=folder,
        shard=shard,
        skip_bad=skip_bad,
        on_progress=on_progress,
    )
    return Measurements({index: one.result for index, one in outcome.finished.items()}, outcome.unreadable)


def measurement_folder(
    table: Path,
    column: str,
    measure: Measure,
    rows: Sequence[DirmapRow],
    *,
    images_root: Path,
    engine: Engine,
    settings: Mapping[str, Any],
    images_name: str | None = None,
) -> ResumableFolder:
    """Where a measurement that becomes a column of `table` is recorded until it is complete.

    Parameters
    ----------
    settings : JSON values; everything that decides the numbers, except the images and their labels.
    images_name : what identifies the images in the plan (default: the path of their folder).

    Raises
    ------
    InputError
        If there is an unfinished measurement with other settings.
    """
    labels = [(row.im_path, row.class_name, row.class_num) for row in rows]
    plan = {
        **settings,
        "images": images_name or str(images_root.resolve()),
        "rows_sha256": hashlib.sha256(repr((labels, measure.targets)).encode()).hexdigest(),
        "size": measure.size,
        "precision": engine.precision,
        "batch_size": engine.batch_size(measure.size),
    }
    return ResumableFolder(table.with_name(f"{table.name}.{column}"), plan)


def with_measurements(rows: Sequence[DirmapRow], measurements: Measurements) -> list[DirmapRow]:
    """Dirmap rows with the numbers as columns of their names, empty for unreadable images."""
    names = list(next(iter(measurements.values.values())))
    measured_rows = list(rows)
    for index in (*measurements.unreadable, *measurements.values):
        numbers = measurements.values.get(index)
        cells = {name: "" if numbers is None else f"{numbers[name]:.6f}" for name in names}
        measured_rows[index] = replace(rows[index], extra={**rows[index].extra, **cells})
    return measured_rows


def _compute(measure: Measure, rows: Sequence[DirmapRow], images_root: Path, engine: Engine) -> Compute:
    def compute(batches: Sequence[Sequence[int]]) -> Iterator[BatchResult]:
        paths = {index: images_root / rows[index].im_path for batch in batches for index in batch}
        for batch in read_batches(paths, batches, size=measure.size):
            yield BatchResult(_measure_batch(measure, batch, rows, engine), batch.unreadable)

    return compute


def _measure_batch(measure: Measure, batch: ReadBatch, rows: Sequence[DirmapRow], engine: Engine) -> list[Finished]:
    if not batch.indices:
        return []
    labels = measure.targets.labels([rows[index] for index in batch.indices]).to(engine.device)
    columns = [tensor.tolist() for tensor in in_parts(measure.compute, engine.placed(batch.images), labels)]
    return [
        Finished(index, dict(zip(measure.names, numbers, strict=True)))
        for index, numbers in zip(batch.indices, zip(*columns, strict=True), strict=True)
    ]

"""Numbers per image of a data set, computed batch by batch from the pictures on disk.

What scores and the other measures of difficulty have in common: memory holds a few batches, a damaged picture costs
nothing but itself, and a run that was cut short goes on where it stopped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from lwise_core.dirmap import DirmapRow
from lwise_core.errors import InputError
from lwise_core.vision.engine import Engine, in_parts
from lwise_core.vision.images import Progress
from lwise_core.vision.reading import ReadBatch, read_batches
from lwise_core.vision.resumable import Journal, Stored, UnfinishedVariants
from lwise_core.vision.shard import WHOLE, Shard
from lwise_core.vision.targets import Targets

_MEASURED = "measured"


@dataclass(frozen=True)
class Measure:
    """What is computed of each image.

    Attributes
    ----------
    names : of the numbers.
    compute : pictures (N, 3, H, W) in [0, 1] where the engine puts them, labels (N,) -> a tensor (N,) per name.
    size : side of the pictures in pixels.
    targets : says which label an image has.
    """

    names: tuple[str, ...]
    compute: Callable[[Tensor, Tensor], list[Tensor]]
    size: int
    targets: Targets


@dataclass(frozen=True)
class Measured:
    """By index of the row: the numbers of each image, by name, or why its picture could not be read."""

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
    begun: UnfinishedVariants | None = None,
    shard: Shard = WHOLE,
    on_progress: Progress | None = None,
) -> Measured:
    """Measure the images of one split, or all.

    Parameters
    ----------
    skip_bad : leave out pictures that cannot be read, instead of stopping.
    begun : where what is measured is written down, and what a run before this one wrote is found.
    shard : of several runs at once, the part of this one; what is returned is what all of them measured until now.

    Raises
    ------
    InputError
        If the split has no images, or a picture cannot be read: names its file and its row.
    """
    unreadable: dict[int, str] = {}
    with _written_down(begun, shard) as journal:
        wanted = _of_split(rows, split)
        known = {} if begun is None else begun.stored({})
        values = {index: known[index].measured[_MEASURED] for index in wanted if index in known}
        paths = {index: images_root / rows[index].im_path for index in wanted}
        batches = [
            [wanted[place] for place in batch] for batch in shard.batches(len(wanted), engine.batch_size(measure.size))
        ]
        left = [batch for batch in batches if not all(index in values for index in batch)]
        for batch in read_batches(paths, left, size=measure.size):
            found = _of_batch(measure, batch, rows, engine)
            values |= found
            if journal is not None:
                journal.note(Stored(index, {}, {_MEASURED: one}) for index, one in found.items())
            unreadable |= batch.unreadable
            if unreadable and not skip_bad:
                raise InputError(
                    _cannot_be_read(unreadable, len(values), goes_on=begun is not None and len(values) > 0)
                )
            if on_progress:
                on_progress(len(values) + len(unreadable), len(wanted))
        if not values and shard == WHOLE:
            raise InputError(f"{images_root}: none of the {len(wanted)} images can be read; is it the dirmap's folder?")
    return Measured(values, unreadable)


def measurements_of(
    table: Path,
    column: str,
    measure: Measure,
    rows: Sequence[DirmapRow],
    *,
    images_root: Path,
    engine: Engine,
    settings: Mapping[str, Any],
    called: str | None = None,
) -> UnfinishedVariants:
    """Where a measurement that becomes a column of `table` is written down until it is complete.

    Parameters
    ----------
    settings : JSON values; all that decides the numbers but the images and their labels.
    called : what the images are in the plan, by which a run knows its own work; None: their folder.

    Raises
    ------
    InputError
        If a measurement with other settings was begun there.
    """
    told = [(row.im_path, row.class_name, row.class_num) for row in rows]
    plan = {
        **settings,
        "images": called or str(images_root.resolve()),
        "rows_sha256": hashlib.sha256(repr((told, measure.targets)).encode()).hexdigest(),
        "size": measure.size,
        "precision": engine.precision,
        "batch_size": engine.batch_size(measure.size),
    }
    return UnfinishedVariants(table.with_name(f"{table.name}.{column}"), plan)


@contextmanager
def _written_down(begun: UnfinishedVariants | None, shard: Shard) -> Iterator[Journal | None]:
    """The journal, if there is one. One that nothing was written into would only bar runs with other settings.

    A shard leaves it, since others may be about to write into theirs beside it.
    """
    if begun is None:
        yield None
        return
    try:
        with begun.journal(shard.index) as journal:
            yield journal
    except BaseException:
        if shard == WHOLE and not begun.stored({}):
            begun.discard()
        raise


def _of_batch(
    measure: Measure, batch: ReadBatch, rows: Sequence[DirmapRow], engine: Engine
) -> dict[int, dict[str, float]]:
    if not batch.indices:
        return {}
    labels = measure.targets.labels([rows[index] for index in batch.indices]).to(engine.device)
    columns = [tensor.tolist() for tensor in in_parts(measure.compute, engine.placed(batch.pictures), labels)]
    of_images = zip(*columns, strict=True)
    return {
        index: dict(zip(measure.names, numbers, strict=True))
        for index, numbers in zip(batch.indices, of_images, strict=True)
    }


def with_measured(rows: Sequence[DirmapRow], found: Measured) -> list[DirmapRow]:
    """Dirmap rows with the numbers as columns of their names; what could not be read has none."""
    names = list(next(iter(found.values.values())))
    after = list(rows)
    for index in (*found.unreadable, *found.values):
        numbers = found.values.get(index)
        cells = {name: "" if numbers is None else f"{numbers[name]:.6f}" for name in names}
        after[index] = replace(rows[index], extra={**rows[index].extra, **cells})
    return after


def _of_split(rows: Sequence[DirmapRow], split: str | None) -> list[int]:
    wanted = [index for index, row in enumerate(rows) if split in (None, row.split)]
    if not wanted:
        splits = ", ".join(sorted({row.split for row in rows}))
        raise InputError(f"the dirmap has no images in split {split}; it has {splits}")
    return wanted


def _cannot_be_read(unreadable: Mapping[int, str], n_measured: int, *, goes_on: bool) -> str:
    ((index, why), *others) = unreadable.items()
    more = f" and {len(others)} more" if others else ""
    rest = f". {n_measured} images are done, with which the next run goes on" if goes_on else ""
    return f"{why} (row {index + 1} of the dirmap){more}; mend it or use --skip-bad{rest}"

"""Measure the images of a data set, showing progress and what was skipped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lwise_core.cli.progress import step, warn
from lwise_core.dirmap import DirmapRow

if TYPE_CHECKING:
    from lwise_core.vision.engine import Engine
    from lwise_core.vision.per_image import Measure, Measurements
    from lwise_core.vision.resumable import ResumableFolder
    from lwise_core.vision.shard import Shard


def measure_with_progress(
    description: str,
    measure: Measure,
    rows: list[DirmapRow],
    images: Path,
    *,
    engine: Engine,
    split: str | None = None,
    skip_bad: bool = False,
    folder: ResumableFolder | None = None,
    shard: Shard | None = None,
) -> Measurements:
    """`measure_images` with a progress bar. Shared by the commands that measure images."""
    from lwise_core.vision.per_image import measure_images
    from lwise_core.vision.shard import WHOLE

    with step(description) as on_progress:
        measurements = measure_images(
            measure,
            rows,
            images_root=images,
            engine=engine,
            split=split,
            skip_bad=skip_bad,
            folder=folder,
            shard=shard or WHOLE,
            on_progress=on_progress,
        )
    print_skipped(measurements.unreadable)
    return measurements


def print_skipped(unreadable: Mapping[int, str]) -> None:
    """Print why images could not be read, by index of the row."""
    for index, why in sorted(unreadable.items()):
        warn(f"skipped: {why} (row {index + 1} of the dirmap)")

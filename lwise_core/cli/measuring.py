"""Measuring the images of a data set, with progress and a word about what was skipped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lwise_core.cli.progress import step, warn
from lwise_core.dirmap import DirmapRow

if TYPE_CHECKING:
    from lwise_core.vision.engine import Engine
    from lwise_core.vision.per_image import Measure, Measured
    from lwise_core.vision.resumable import UnfinishedVariants
    from lwise_core.vision.shard import Shard


def measured(
    description: str,
    measure: Measure,
    rows: list[DirmapRow],
    images: Path,
    *,
    engine: Engine,
    split: str | None = None,
    skip_bad: bool = False,
    begun: UnfinishedVariants | None = None,
    shard: Shard | None = None,
) -> Measured:
    """`vision.measuring.measure_images` for people. Shared by the commands that measure images."""
    from lwise_core.vision.per_image import measure_images
    from lwise_core.vision.shard import WHOLE

    with step(description) as on_progress:
        found = measure_images(
            measure,
            rows,
            images_root=images,
            engine=engine,
            split=split,
            skip_bad=skip_bad,
            begun=begun,
            shard=shard or WHOLE,
            on_progress=on_progress,
        )
    say_skipped(found.unreadable)
    return found


def say_skipped(unreadable: Mapping[int, str]) -> None:
    """What could not be read, by the index of its row."""
    for index, why in sorted(unreadable.items()):
        warn(f"skipped: {why} (row {index + 1} of the dirmap)")

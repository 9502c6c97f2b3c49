"""From a folder of photographs to a dirmap. Knows nothing of PyTorch, whose loading takes seconds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lwise_core.dirmap import DirmapRow
from lwise_core.errors import InputError
from lwise_core.progress import OnProgress
from lwise_core.vision.data.description import DatasetDescription
from lwise_core.vision.data.listing import list_images, split_rank
from lwise_core.vision.data.splitting import split_by_class
from lwise_core.vision.images import problem_with
from lwise_core.vision.prefetch import prefetch

_SHOWN_PROBLEMS = 5
_AHEAD = 64


@dataclass(frozen=True)
class ImageIndex:
    """What `index_image_folder` found.

    Attributes
    ----------
    rows : of the dirmap.
    shorter_side : the median length of the pictures' shorter side in pixels.
    skipped : what is wrong with each picture that was left out.
    """

    rows: list[DirmapRow]
    shorter_side: int
    skipped: list[str]


def index_image_folder(
    root: Path,
    *,
    description: DatasetDescription | None = None,
    val_fraction: float = 0.25,
    seed: int = 0,
    skip_bad: bool = False,
    on_progress: OnProgress | None = None,
) -> ImageIndex:
    """List every photograph of a data set, as `list_images` does, in the order of the splits.

    Every file is decoded once, so that a damaged one stops the work here and not an hour later. A data set without a
    `val` split gets one from its training images, as `with_validation` says.

    Parameters
    ----------
    val_fraction : share held out, 0 for none.
    skip_bad : leave out what cannot be read instead of stopping.

    Raises
    ------
    InputError
        As `list_images` and `with_validation`, or if a picture is unreadable (the first few are named).
    """
    listed = list_images(root, description)
    problems, sizes = _checked([root / row.im_path for row in listed], on_progress)
    if problems and not skip_bad:
        shown = "; ".join(list(problems.values())[:_SHOWN_PROBLEMS])
        more = len(problems) - _SHOWN_PROBLEMS
        raise InputError(
            f"{shown}{f' and {more} more' if more > 0 else ''}; repair or remove and run again, or list the others by "
            "`lwise dataset index --skip-bad`"
        )
    rows = [row for number, row in enumerate(listed) if number not in problems]
    if not rows:
        raise InputError(
            f"{root}: none of its {len(listed)} pictures can be read; the first: {next(iter(problems.values()))}"
        )
    return ImageIndex(
        rows=with_validation(
            rows, val_fraction, seed=seed, group_column=None if description is None else description.group_column
        ),
        shorter_side=int(statistics.median(min(size) for size in sizes)),
        skipped=list(problems.values()),
    )


def with_validation(
    rows: Sequence[DirmapRow], fraction: float, *, seed: int = 0, group_column: str | None = None
) -> list[DirmapRow]:
    """Rows with a split `val`: where there is none, a fraction of each class's training images becomes it.

    Parameters
    ----------
    fraction : 0 leaves everything as it is.
    group_column : images with the same text in this column stay together.

    Raises
    ------
    InputError
        As `split_by_class`: of each class at least two training images are needed.
    """
    if fraction == 0 or any(row.split == "val" for row in rows):
        return list(rows)
    training = [row for row in rows if row.split == "train"]
    others = [row for row in rows if row.split != "train"]
    parted = split_by_class(training, {"train": 1 - fraction, "val": fraction}, seed=seed, group_column=group_column)
    return sorted([*parted, *others], key=lambda row: split_rank(row.split))


def _checked(paths: Sequence[Path], on_progress: OnProgress | None) -> tuple[dict[int, str], list[tuple[int, int]]]:
    """What is wrong with which file, and the sizes of the others."""
    problems: dict[int, str] = {}
    sizes = []
    with ThreadPoolExecutor() as pool:
        checks = prefetch(
            paths, begin=lambda path: pool.submit(problem_with, path), end=lambda job: job.result(), n=_AHEAD
        )
        for number, (problem, size) in enumerate(checks):
            if problem is None:
                sizes.append(size)
            else:
                problems[number] = problem
            if on_progress:
                on_progress(number + 1, len(paths))
    return problems, sizes

"""List a folder of images as a dirmap. Knows nothing of PyTorch, whose loading takes seconds."""

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

_MAX_PROBLEMS_LISTED = 5
_AHEAD = 64


@dataclass(frozen=True)
class ImageIndex:
    """Result of `index_image_folder`.

    Attributes
    ----------
    rows : rows of the dirmap.
    shorter_side : median length of the images' shorter side in pixels.
    skipped : why images were skipped.
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
    """List all images of a data set, as `list_images` does, in the order of the splits.

    Every file is decoded, so that a damaged one is found now and not an hour later. A data set without a `val` split
    gets one by `with_validation`.

    Parameters
    ----------
    val_fraction : share of the training images held out, 0 for none.
    skip_bad : skip unreadable images instead of stopping.

    Raises
    ------
    InputError
        As `list_images` and `with_validation`, or if an image is unreadable; the message names the first five.
    """
    listed = list_images(root, description)
    problems, sizes = _check([root / row.im_path for row in listed], on_progress)
    if problems and not skip_bad:
        listed_problems = "; ".join(list(problems.values())[:_MAX_PROBLEMS_LISTED])
        more = len(problems) - _MAX_PROBLEMS_LISTED
        raise InputError(
            f"{listed_problems}{f' and {more} more' if more > 0 else ''}; repair or remove them and "
            "run again, or skip them with `lwise dataset index --skip-bad`"
        )
    rows = [row for number, row in enumerate(listed) if number not in problems]
    if not rows:
        raise InputError(
            f"{root}: none of its {len(listed)} images can be read; the first: {next(iter(problems.values()))}"
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
    """Rows with a split `val`; if there is none, it is a fraction of each class's training images.

    Parameters
    ----------
    fraction : 0 returns the rows unchanged.
    group_column : images with the same text in this column stay together.

    Raises
    ------
    InputError
        As `split_by_class`: each class needs at least two training images.
    """
    if fraction == 0 or any(row.split == "val" for row in rows):
        return list(rows)
    training = [row for row in rows if row.split == "train"]
    others = [row for row in rows if row.split != "train"]
    divided = split_by_class(training, {"train": 1 - fraction, "val": fraction}, seed=seed, group_column=group_column)
    return sorted([*divided, *others], key=lambda row: split_rank(row.split))


def _check(paths: Sequence[Path], on_progress: OnProgress | None) -> tuple[dict[int, str], list[tuple[int, int]]]:
    """Problems by index of the path, and the sizes of readable images."""
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

"""From a folder of photographs to a dirmap. Knows nothing of PyTorch, whose loading takes seconds."""

from __future__ import annotations

import hashlib
import statistics
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from lwise_core.dirmap import DirmapRow
from lwise_core.errors import InputError
from lwise_core.vision.images import IMAGE_SUFFIXES, Progress, problem_with

SPLITS = ("train", "val", "test")

_SHOWN_PROBLEMS = 5
_FORBIDDEN_IN_CLASS_NAMES = frozenset('<>:"/\\|?*#%')


@dataclass(frozen=True)
class ImageIndex:
    """What `index_image_folder` found: dirmap rows and the median length of the shorter side in pixels."""

    rows: list[DirmapRow]
    shorter_side: int


def index_image_folder(
    root: Path, *, val_fraction: float = 0.25, seed: int = 0, on_progress: Progress | None = None
) -> ImageIndex:
    """List every photograph of an ImageFolder tree, `root/<class>/*` or `root/<split>/<class>/*`.

    Every file is decoded once, so that a damaged one stops the work here and not an hour later. A tree without a `val`
    split gets one: in each class the `val_fraction` of its training images with the smallest hash of (seed, path).

    Raises
    ------
    InputError
        If there is no photograph, fewer than two classes, a class without images in a split, a class folder whose name
        cannot stand in an address or a CSV file, or any unreadable picture (the first few are named).
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; expected one folder per class with photographs inside")
    split_folders = [folder for folder in _folders(root) if folder.name in SPLITS]
    sources = {folder.name: folder for folder in split_folders} or {"train": root}
    found = {split: _images_by_class(folder) for split, folder in sources.items()}
    classes = sorted({name for classes_of_split in found.values() for name in classes_of_split})
    _check_classes(classes, found, root)
    files = [(split, name, path) for split in SPLITS for name in classes for path in found.get(split, {}).get(name, [])]
    sizes = _check_images([path for *_, path in files], on_progress)
    rows = [
        DirmapRow(
            split=split,
            class_name=name,
            class_num=classes.index(name),
            im_path=path.relative_to(root).as_posix(),
        )
        for split, name, path in files
    ]
    if "val" not in found:
        rows = _hold_out(rows, val_fraction, seed)
    return ImageIndex(rows=rows, shorter_side=int(statistics.median(min(size) for size in sizes)))


def _folders(root: Path) -> list[Path]:
    return sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _images_by_class(root: Path) -> dict[str, list[Path]]:
    return {
        folder.name: sorted(
            path
            for path in folder.iterdir()
            if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
        )
        for folder in _folders(root)
    }


def _check_classes(classes: Sequence[str], found: dict[str, dict[str, list[Path]]], root: Path) -> None:
    if not any(paths for split in found.values() for paths in split.values()):
        kinds = " ".join(sorted(IMAGE_SUFFIXES))
        raise InputError(f"{root}: no photographs found; expected one folder per class with {kinds} files inside")
    if len(classes) < 2:
        raise InputError(f"{root}: only one class ({classes[0]!r}); expected a folder for each of at least two classes")
    forbidden = " ".join(sorted(_FORBIDDEN_IN_CLASS_NAMES))
    for name in classes:
        if not name.isprintable() or name != name.strip() or _FORBIDDEN_IN_CLASS_NAMES & set(name):
            raise InputError(
                f"{root}: class folder {name!r} has a character that cannot stand in a file list or address; "
                f"rename it without control characters, outer spaces and {forbidden}"
            )
        for split, by_class in found.items():
            if not by_class.get(name):
                raise InputError(f"{root}: class {name!r} has no photographs in {split}; add some or remove the folder")


def _check_images(paths: Sequence[Path], on_progress: Progress | None) -> list[tuple[int, int]]:
    problems, sizes = [], []
    with ThreadPoolExecutor() as pool:
        for done, (problem, size) in enumerate(pool.map(problem_with, paths), start=1):
            sizes.append(size)
            if problem:
                problems.append(problem)
            if on_progress:
                on_progress(done, len(paths))
    if problems:
        shown = "; ".join(problems[:_SHOWN_PROBLEMS])
        more = len(problems) - _SHOWN_PROBLEMS
        raise InputError(f"{shown}{f' and {more} more' if more > 0 else ''}; repair or remove and run again")
    return sizes


def _hold_out(rows: Sequence[DirmapRow], fraction: float, seed: int) -> list[DirmapRow]:
    """Turn a fraction of each class's training images, at least one, into the split `val`."""
    held_out: set[str] = set()
    counts = Counter(row.class_name for row in rows if row.split == "train")
    for name, count in counts.items():
        if count < 2:
            raise InputError(
                f"class {name!r} has {count} training image; expected at least 2, so that one can be held out"
            )
        paths = [row.im_path for row in rows if row.split == "train" and row.class_name == name]
        paths.sort(key=lambda path: hashlib.sha256(f"{seed}:{path}".encode()).digest())
        held_out.update(paths[: max(1, round(count * fraction))])
    parted = [replace(row, split="val") if row.im_path in held_out else row for row in rows]
    return sorted(parted, key=lambda row: SPLITS.index(row.split))

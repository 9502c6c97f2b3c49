"""Build a data set from images of another: `<split>/<class>/<name>`, checked, optionally resized.

The folder gets its name only when it is complete; an interrupted run resumes.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath

from lwise_core import __version__, atomic_files
from lwise_core.dirmap import DirmapRow, inside_root, write_csv, write_dirmap
from lwise_core.errors import InputError, refuse_if_any
from lwise_core.vision.data.class_numbers import renumber_classes
from lwise_core.vision.data.selection import SelectedImage, Selection, select
from lwise_core.vision.encoding import Encoding, encoding
from lwise_core.vision.images import Progress, load_rgb, problem_with
from lwise_core.vision.prefetch import ahead
from lwise_core.vision.resumable import Stored, UnfinishedVariants

DIRMAP_FILE = "dirmap.csv"
SKIPPED_FILE = "skipped.csv"
PROVENANCE_FILE = "provenance.json"

_IMAGES = "images"
_AHEAD = 64


@dataclass(frozen=True)
class _Picture:
    """An image of the new data set: its row there, and the path of its source."""

    row: DirmapRow
    source: str


@dataclass(frozen=True)
class Storage:
    """How images are saved.

    Attributes
    ----------
    size : side of the square images in pixels; None to copy the files.
    format, quality : as in `encoding`; only with `size`.
    """

    size: int | None = None
    format: str = "png"
    quality: int | None = None


def build_dataset(
    out: Path,
    *,
    images_root: Path,
    rows: Sequence[DirmapRow],
    selection: Selection | None = None,
    storage: Storage | None = None,
    skip_bad: bool = False,
    on_progress: Progress | None = None,
) -> list[str]:
    """Save the selected images, `dirmap.csv` and `provenance.json` to `out`.

    In the new dirmap, `im_path` points into `out`, and `orig_im_path` to the source unless that column exists. Copies
    that balance a class are named `<name>__copy1` and so on. Every file is decoded; damaged ones are reported after all
    others are saved, and the next run retries only those.

    Parameters
    ----------
    skip_bad : skip unreadable images and list them in `skipped.csv`.

    Returns
    -------
    A sentence for each skipped image.

    Raises
    ------
    InputError
        If `out` exists or was started with other settings, the selection does not fit the data set, or an image is
        unreadable.
    """
    chosen, how = selection or Selection(), storage or Storage()
    encoder = None if how.size is None else encoding(how.format, quality=how.quality)
    pictures = _pictures(select(rows, chosen), encoder)
    provenance = {"selection": asdict(chosen), "storage": asdict(how), "package_version": __version__}
    plan = {
        **provenance,
        "images": str(images_root.resolve()),
        "pictures_sha256": hashlib.sha256(repr(pictures).encode()).hexdigest(),
    }
    unfinished = UnfinishedVariants(out, json.loads(json.dumps(plan)))

    def write(picture: _Picture) -> bytes:
        return _write(images_root / picture.source, unfinished.root / picture.row.im_path, encoder, how.size)

    problems = _write_all(pictures, unfinished, write, on_progress)
    bad = list(dict.fromkeys(problems.values()))
    if bad and not skip_bad:
        refuse_if_any(
            f"{images_root}: repair these and run again, or skip them with --skip-bad (all others are saved)", bad
        )
    kept = [picture.row for index, picture in enumerate(pictures) if index not in problems]
    if not kept:
        raise InputError(f"{images_root}: none of the images can be read; the first: {bad[0]}")
    if bad:
        skipped = ([pictures[index].source, why] for index, why in sorted(problems.items()))
        write_csv(unfinished.root / SKIPPED_FILE, ["im_path", "reason"], skipped)
    atomic_files.write_text(unfinished.root / PROVENANCE_FILE, json.dumps(provenance, indent=2) + "\n")
    write_dirmap(unfinished.root / DIRMAP_FILE, renumber_classes(kept))
    unfinished.complete()
    return bad


def _write_all(
    pictures: Sequence[_Picture],
    unfinished: UnfinishedVariants,
    write: Callable[[_Picture], bytes],
    on_progress: Progress | None,
) -> dict[int, str]:
    """Save the missing images, several at a time; returns the problem of each unreadable image."""
    paths = [unfinished.root / picture.row.im_path for picture in pictures]
    for folder in {path.parent for path in paths}:
        folder.mkdir(parents=True, exist_ok=True)
    n_before = len(done := unfinished.stored({_IMAGES: paths}))
    left = [index for index in range(len(pictures)) if index not in done]
    problems: dict[int, str] = {}

    def store(index: int) -> Stored | str:
        try:
            content = write(pictures[index])
        except InputError as error:
            return str(error)
        return Stored(index, {_IMAGES: hashlib.sha256(content).hexdigest()}, {})

    with ThreadPoolExecutor() as pool, unfinished.journal(0) as journal:
        stored = ahead(left, begin=lambda index: pool.submit(store, index), end=lambda job: job.result(), n=_AHEAD)
        for n_done, (index, outcome) in enumerate(zip(left, stored, strict=True), start=n_before + 1):
            if isinstance(outcome, Stored):
                journal.note([outcome])
            else:
                problems[index] = outcome
            if on_progress:
                on_progress(n_done, len(pictures))
    return problems


def _write(source: Path, path: Path, encoder: Encoding | None, size: int | None) -> bytes:
    """Save one image, after decoding it in any case; returns the content of the file."""
    if encoder is not None and size is not None:
        content = encoder.write(load_rgb(source, size=size))
    else:
        problem, _ = problem_with(source)
        if problem is not None:
            raise InputError(problem)
        content = source.read_bytes()
    path.write_bytes(content)
    return content


def _pictures(selected: Sequence[SelectedImage], encoder: Encoding | None) -> list[_Picture]:
    names = Counter(
        (image.row.split, image.row.class_name, _stored_name(image, encoder)) for image in selected if image.copy == 0
    )
    pictures = []
    for image in selected:
        row = image.row
        name = _stored_name(image, encoder)
        if names[row.split, row.class_name, name] > 1:
            # The name occurs in two folders of the source.
            name = PurePosixPath(row.im_path).with_name(name).as_posix().replace("/", "__")
        if image.copy:
            name = f"{PurePosixPath(name).stem}__copy{image.copy}{PurePosixPath(name).suffix}"
        im_path = inside_root(f"{row.split}/{row.class_name}/{name}", "im_path")
        extra = {"orig_im_path": row.im_path, **row.extra}
        pictures.append(_Picture(replace(row, im_path=im_path, extra=extra), source=row.im_path))
    _reject_shared_paths(pictures)
    return pictures


def _stored_name(image: SelectedImage, encoder: Encoding | None) -> str:
    path = image.row.im_path if encoder is None else encoder.stored_path(image.row.im_path)
    return PurePosixPath(path).name


def _reject_shared_paths(pictures: Sequence[_Picture]) -> None:
    source_of: dict[str, str] = {}
    for picture in pictures:
        other = source_of.setdefault(picture.row.im_path, picture.source)
        if other != picture.source:
            raise InputError(f"{other} and {picture.source} would both be saved as {picture.row.im_path}; rename one")

"""Build a data set from images of another: `<split>/<class>/<name>`, checked, optionally resized.

The folder gets its name only when it is complete; an interrupted run resumes.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath

from lwise_core import __version__, atomic_files
from lwise_core.dirmap import DirmapRow, inside_root, write_csv, write_dirmap
from lwise_core.errors import InputError, raise_if_any
from lwise_core.file_names import DIRMAP_FILE, PROVENANCE_FILE, SKIPPED_FILE
from lwise_core.progress import OnProgress
from lwise_core.vision.data.class_numbers import renumber_classes
from lwise_core.vision.data.selection import SelectedImage, Selection, select
from lwise_core.vision.encoding import Encoding, encoding
from lwise_core.vision.images import load_rgb, problem_with
from lwise_core.vision.resumable import Finished, ResumableFolder, in_threads, run_batches
from lwise_core.vision.shard import cut_batches

_IMAGES = "images"


@dataclass(frozen=True)
class _NewImage:
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
    on_progress: OnProgress | None = None,
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
    images = _new_images(select(rows, chosen), encoder)
    provenance = {"selection": asdict(chosen), "storage": asdict(how), "package_version": __version__}
    plan = {
        **provenance,
        "images": str(images_root.resolve()),
        "pictures_sha256": hashlib.sha256(repr(images).encode()).hexdigest(),
    }
    folder = ResumableFolder(out, plan)
    paths = [folder.root / image.row.im_path for image in images]
    for parent in {path.parent for path in paths}:
        parent.mkdir(parents=True, exist_ok=True)

    def store(index: int) -> Finished:
        content = _write(images_root / images[index].source, paths[index], encoder, how.size)
        return Finished(index, {}, {_IMAGES: hashlib.sha256(content).hexdigest()})

    outcome = run_batches(
        cut_batches(range(len(images)), 1),
        in_threads(store),
        images_root=images_root,
        folder=folder,
        paths={_IMAGES: paths},
        skip_bad=True,  # all of them are named below
        on_progress=on_progress,
    )
    unreadable = list(dict.fromkeys(outcome.skipped))
    if unreadable and not skip_bad:
        raise_if_any(
            f"{images_root}: repair these and run again, or skip them with --skip-bad (all others are saved)",
            unreadable,
        )
    if unreadable:
        lines = ([images[index].source, why] for index, why in sorted(outcome.unreadable.items()))
        write_csv(folder.root / SKIPPED_FILE, ["im_path", "reason"], lines)
    atomic_files.write_text(folder.root / PROVENANCE_FILE, json.dumps(provenance, indent=2) + "\n")
    write_dirmap(folder.root / DIRMAP_FILE, renumber_classes([images[index].row for index in sorted(outcome.finished)]))
    folder.complete()
    return unreadable


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


def _new_images(selected: Sequence[SelectedImage], encoder: Encoding | None) -> list[_NewImage]:
    names = Counter(
        (image.row.split, image.row.class_name, _stored_name(image, encoder)) for image in selected if image.copy == 0
    )
    images = []
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
        images.append(_NewImage(replace(row, im_path=im_path, extra=extra), source=row.im_path))
    _reject_shared_paths(images)
    return images


def _stored_name(image: SelectedImage, encoder: Encoding | None) -> str:
    path = image.row.im_path if encoder is None else encoder.stored_path(image.row.im_path)
    return PurePosixPath(path).name


def _reject_shared_paths(images: Sequence[_NewImage]) -> None:
    source_of: dict[str, str] = {}
    for image in images:
        other = source_of.setdefault(image.row.im_path, image.source)
        if other != image.source:
            raise InputError(f"{other} and {image.source} would both be saved as {image.row.im_path}; rename one")

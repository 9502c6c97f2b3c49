"""What all folders of variants have in common: the paths of their images, and their tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from lwise_core.dirmap import DirmapRow, write_csv, write_dirmap
from lwise_core.errors import InputError
from lwise_core.file_names import DIRMAP_FILE, SKIPPED_FILE
from lwise_core.vision.encoding import Encoding
from lwise_core.vision.resumable import Outcome


def variant_paths(
    root: Path, rows: Sequence[DirmapRow], variants: Sequence[str], encoder: Encoding
) -> dict[str, list[Path]]:
    """Where the image of each row is stored, by variant. Creates the folders."""
    paths = {name: [root / name / encoder.stored_path(row.im_path) for row in rows] for name in variants}
    for folder in {path.parent for variant in paths.values() for path in variant}:
        folder.mkdir(parents=True, exist_ok=True)
    return paths


def write_variants_dirmap(root: Path, rows: Sequence[DirmapRow], outcome: Outcome, encoder: Encoding) -> None:
    """Write `dirmap.csv` with the source of each image in `orig_im_path`, and `skipped.csv` if any were skipped."""
    if outcome.unreadable:
        lines = ([rows[index].im_path, why] for index, why in sorted(outcome.unreadable.items()))
        write_csv(root / SKIPPED_FILE, ["im_path", "reason"], lines)
    write_dirmap(root / DIRMAP_FILE, rows_of_variants(rows, outcome.finished, encoder))


def rows_of_variants(rows: Sequence[DirmapRow], finished: Iterable[int], encoder: Encoding) -> list[DirmapRow]:
    """Rows of the finished images, by index, with their path inside any variant."""
    return [_in_variants(rows[index], encoder) for index in sorted(finished)]


def refuse_shared_names(rows: Sequence[DirmapRow], encoder: Encoding) -> None:
    """Raise `InputError` if two images would be stored under the same name."""
    sources: dict[str, str] = {}
    for row in rows:
        stored = encoder.stored_path(row.im_path)
        other = sources.setdefault(stored, row.im_path)
        if other != row.im_path:
            raise InputError(f"{other} and {row.im_path} would both be stored as {stored}; rename one")


def _in_variants(row: DirmapRow, encoder: Encoding) -> DirmapRow:
    extra = {"orig_im_path": row.im_path, **row.extra}
    return replace(row, im_path=encoder.stored_path(row.im_path), extra=extra)

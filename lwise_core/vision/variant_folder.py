"""What all folders of variants have in common, whoever makes them: the paths of their files and their tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lwise_core.dirmap import DirmapRow, write_csv, write_dirmap
from lwise_core.errors import InputError
from lwise_core.vision.encoding import Encoding

NATURAL = "natural"
DIRMAP_FILE = "dirmap.csv"
PROVENANCE_FILE = "provenance.json"
SKIPPED_FILE = "skipped.csv"


def variant_paths(
    root: Path, rows: Sequence[DirmapRow], variants: Sequence[str], encoder: Encoding
) -> dict[str, list[Path]]:
    """Where the picture of each row is stored, by variant; the folders are made."""
    paths = {name: [root / name / encoder.stored_path(row.im_path) for row in rows] for name in variants}
    for folder in {path.parent for of_variant in paths.values() for path in of_variant}:
        folder.mkdir(parents=True, exist_ok=True)
    return paths


def write_variants_dirmap(
    root: Path, rows: Sequence[DirmapRow], kept: Iterable[int], skipped: Mapping[int, str], encoder: Encoding
) -> None:
    """Write `dirmap.csv` of the images that were kept, with the source in `orig_im_path`, and `skipped.csv` if needed.

    Parameters
    ----------
    kept, skipped : by index of the row.
    """
    if skipped:
        lines = ([rows[index].im_path, why] for index, why in sorted(skipped.items()))
        write_csv(root / SKIPPED_FILE, ["im_path", "reason"], lines)
    write_dirmap(root / DIRMAP_FILE, rows_of_variants(rows, kept, encoder))


def rows_of_variants(rows: Sequence[DirmapRow], kept: Iterable[int], encoder: Encoding) -> list[DirmapRow]:
    """Of the images that were kept, by index: with the path inside any variant."""
    return [_in_variants(rows[index], encoder) for index in sorted(kept)]


def refuse_shared_names(rows: Sequence[DirmapRow], encoder: Encoding) -> None:
    """Raise `InputError` if two images would be stored under one name."""
    sources: dict[str, str] = {}
    for row in rows:
        stored = encoder.stored_path(row.im_path)
        other = sources.setdefault(stored, row.im_path)
        if other != row.im_path:
            raise InputError(f"{other} and {row.im_path} would both be stored as {stored}; rename one")


def _in_variants(row: DirmapRow, encoder: Encoding) -> DirmapRow:
    extra = {"orig_im_path": row.im_path, **row.extra}
    return replace(row, im_path=encoder.stored_path(row.im_path), extra=extra)

"""The manifest of published images: the object name of every copy of every image.

`lwise stimuli publish` writes it; studies that name the data set are compiled with it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path

from lwise_core import atomic_files
from lwise_core.dirmap import inside_root, read_csv
from lwise_core.errors import InputError, raise_if_any

Published = Mapping[tuple[str, str], str]
"""(variant, im_path) -> opaque name."""

_COLUMNS = ("variant", "im_path", "object")
_OPAQUE = re.compile(r"[0-9a-f]{32}\.[a-z0-9]+")


def read_manifest(path: Path) -> Published:
    """Read a manifest.

    Raises
    ------
    InputError
        Naming everything that is wrong with the file.
    """
    published: dict[tuple[str, str], str] = {}
    problems = []
    for line, row in read_csv(path, required=_COLUMNS, remedy="make it with `lwise stimuli publish`"):
        try:
            im_path = inside_root(row["im_path"], "im_path")
        except InputError as error:
            problems.append(f"line {line}: {error}")
            continue
        if not _OPAQUE.fullmatch(row["object"]):
            problems.append(f"line {line}: object is {row['object']!r}; expected a name from `lwise stimuli publish`")
        published[row["variant"], im_path] = row["object"]
    raise_if_any(path, problems)
    return published


def write_manifest(path: Path, published: Published) -> None:
    """Write a manifest, sorted by variant and image."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows((*key, published[key]) for key in sorted(published))
    atomic_files.write_text(path, text.getvalue())

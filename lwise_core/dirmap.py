"""The dirmap: a CSV table with one row per image.

Columns `split, class, class_num, im_path` are required; `robust_gt_logit` and `difficulty` are numbers; all others are
preserved as text. Standard library only.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lwise_core import atomic_files
from lwise_core.errors import InputError, raise_if_any

REQUIRED_COLUMNS = ("split", "class", "class_num", "im_path")
SCORE_COLUMNS = ("robust_gt_logit", "difficulty")


@dataclass(frozen=True)
class DirmapRow:
    """One image.

    Attributes
    ----------
    split : machine-learning split, e.g. ``train``, ``val`` or ``test``.
    class_name, class_num : the true class and its index 0 … C-1.
    im_path : POSIX path relative to the root of any variant.
    robust_gt_logit : the guide model's logit of the true class, or None before scoring.
    difficulty : 0 (easiest) to 1 (hardest), or None before scoring.
    extra : every other column as text.
    """

    split: str
    class_name: str
    class_num: int
    im_path: str
    robust_gt_logit: float | None = None
    difficulty: float | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


def read_dirmap(path: Path) -> list[DirmapRow]:
    """Read a dirmap in the order of its rows.

    Raises
    ------
    InputError
        Listing every problem of the file: missing columns, invalid numbers, paths outside their root, duplicate paths.
    """
    rows, problems = [], []
    line_of: dict[str, int] = {}
    for line, values in read_csv(path, required=REQUIRED_COLUMNS, remedy="make one with `lwise dataset index`"):
        try:
            row = _row(values)
        except InputError as error:
            problems.append(f"line {line}: {error}")
            continue
        first = line_of.setdefault(row.im_path, line)
        if first != line:
            problems.append(
                f"line {line}: duplicate im_path {row.im_path!r}, first in line {first}; each image may occur only once"
            )
        rows.append(row)
    raise_if_any(path, problems)
    if not rows:
        raise InputError(f"{path}: has no images; expected one row per image below the header")
    return rows


def read_csv(path: Path, *, required: Sequence[str], remedy: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a CSV file with a header, as (line, column -> text); a byte order mark is skipped.

    Raises
    ------
    InputError
        If the file is missing, not UTF-8 or not such a table, or lacks one of the columns `required`. `remedy` tells
        the user how to get such a file.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; {remedy}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); expected a CSV file") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a UTF-8 text file ({error.reason} at byte {error.start})") from None
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        columns = next(reader, [])
        _check_columns(columns, required, path)
        for fields in reader:
            if not fields:
                continue
            if len(fields) != len(columns):
                raise InputError(
                    f"{path}: line {reader.line_num}: has {len(fields)} fields; expected {len(columns)} as in the "
                    "header"
                )
            yield reader.line_num, dict(zip(columns, fields, strict=True))
    except csv.Error as error:
        raise InputError(f"{path}: not a CSV file ({error})") from None


def _check_columns(columns: Sequence[str], required: Sequence[str], path: Path) -> None:
    missing = [column for column in required if column not in columns]
    if missing and len(columns) == 1 and any(sign in columns[0] for sign in ";\t"):
        raise InputError(
            f"{path}: its columns are separated by {'semicolons' if ';' in columns[0] else 'tabs'}; expected commas; "
            "save it as a comma-separated CSV file (UTF-8)"
        )
    if missing:
        raise InputError(f"{path}: column {', '.join(missing)} is missing; found {', '.join(columns) or 'nothing'}")
    duplicates = sorted({column for column in columns if columns.count(column) > 1})
    if duplicates:
        raise InputError(f"{path}: duplicate column {', '.join(duplicates)}; expected each column once")


def write_dirmap(path: Path, rows: Sequence[DirmapRow]) -> None:
    """Write `rows` in order, scores with six decimals, so that equal scores give equal bytes."""
    extra = list(dict.fromkeys(column for row in rows for column in row.extra))
    scored = any(row.robust_gt_logit is not None for row in rows)
    columns = [*REQUIRED_COLUMNS, *extra, *(SCORE_COLUMNS if scored else ())]
    lines = (
        [*_required(row), *(row.extra.get(c, "") for c in extra), *(_scores(row) if scored else ())] for row in rows
    )
    write_csv(path, columns, lines)


def write_csv(path: Path, columns: Sequence[str], lines: Iterable[Sequence[object]]) -> None:
    """Write a table for `read_csv` atomically: UTF-8, commas, line feeds."""
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(lines)
    atomic_files.write_text(path, table.getvalue())


def class_names(rows: Iterable[DirmapRow]) -> list[str]:
    """Class names in the order of `class_num`.

    Raises
    ------
    InputError
        If the numbers are not 0 … C-1, or one of them has two names.
    """
    names: dict[int, str] = {}
    for row in rows:
        if names.setdefault(row.class_num, row.class_name) != row.class_name:
            raise InputError(f"class_num {row.class_num} names both {names[row.class_num]!r} and {row.class_name!r}")
    if sorted(names) != list(range(len(names))) or len(set(names.values())) != len(names):
        raise InputError(f"class_num must count the classes from 0 without gaps; found {dict(sorted(names.items()))}")
    return [names[number] for number in range(len(names))]


def _row(values: dict[str, str]) -> DirmapRow:
    required = {column: values.pop(column) for column in REQUIRED_COLUMNS}
    scores = [number_or_none(values.pop(column, ""), column) for column in SCORE_COLUMNS]
    if not required["class_num"].isdecimal():
        raise InputError(f"class_num is {required['class_num']!r}; expected a whole number from 0")
    if not required["class"]:
        raise InputError("class is empty; expected the name of the image's class")
    return DirmapRow(
        split=required["split"],
        class_name=required["class"],
        class_num=int(required["class_num"]),
        im_path=inside_root(required["im_path"], "im_path"),
        robust_gt_logit=scores[0],
        difficulty=scores[1],
        extra=values,
    )


def number_or_none(text: str, column: str) -> float | None:
    """Parse a cell with a finite number or nothing; raises `InputError` for anything else."""
    if text == "":
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{column} is {text!r}; expected a finite number or nothing")
    return number


def inside_root(path: str, column: str) -> str:
    """Check a cell with a relative POSIX path that stays inside its root; raises `InputError` for any other."""
    # Not by pathlib, which takes a minute for a million paths instead of seconds.
    if not path or path.startswith("/") or ".." in path.split("/") or "\\" in path or ":" in path:
        raise InputError(f"{column} is {path!r}; expected a relative path that stays inside its folder")
    return path


def _required(row: DirmapRow) -> tuple[str, str, int, str]:
    return (row.split, row.class_name, row.class_num, row.im_path)


def _scores(row: DirmapRow) -> tuple[str, str]:
    logit, difficulty = row.robust_gt_logit, row.difficulty
    return ("" if logit is None else f"{logit:.6f}", "" if difficulty is None else f"{difficulty:.6f}")

"""The dirmap: one CSV row per image, the table that every room reads.

Columns `split, class, class_num, im_path` are required; `orig_im_path`, `robust_gt_logit` and `difficulty` are known;
any further column is carried along untouched. Standard library only.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from lwise_core import atomic_files
from lwise_core.errors import InputError

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
        For a missing file or column, a number that is none, a path that leaves its root, or a path given twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; make one with `lwise dataset index`") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); expected a CSV file") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a UTF-8 text file ({error.reason} at byte {error.start})") from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        columns = reader.fieldnames or []
        missing = [column for column in REQUIRED_COLUMNS if column not in columns]
        if missing:
            raise InputError(f"{path}: column {', '.join(missing)} is missing; found {', '.join(columns) or 'nothing'}")
        rows = [_row(record, where=f"{path}, line {reader.line_num}") for record in reader]
    except csv.Error as error:
        raise InputError(f"{path}: not a CSV file ({error})") from None
    if not rows:
        raise InputError(f"{path}: has no images; expected one row per image below the header")
    _refuse_repeats(rows, path)
    return rows


def write_dirmap(path: Path, rows: Sequence[DirmapRow]) -> None:
    """Write `rows` in order; scores with six decimals, so that equal scores give equal bytes."""
    extra = list(dict.fromkeys(column for row in rows for column in row.extra))
    scored = any(row.robust_gt_logit is not None for row in rows)
    columns = [*REQUIRED_COLUMNS, *extra, *(SCORE_COLUMNS if scored else ())]
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([*_required(row), *(row.extra.get(c, "") for c in extra), *(_scores(row) if scored else ())])
    atomic_files.write_text(path, buffer.getvalue())


def class_names(rows: Iterable[DirmapRow]) -> list[str]:
    """Names of the classes in the order of `class_num`.

    Raises
    ------
    InputError
        If the numbers are not 0 … C-1 or one of them has two names.
    """
    names: dict[int, str] = {}
    for row in rows:
        if names.setdefault(row.class_num, row.class_name) != row.class_name:
            raise InputError(f"class_num {row.class_num} names both {names[row.class_num]!r} and {row.class_name!r}")
    if sorted(names) != list(range(len(names))) or len(set(names.values())) != len(names):
        raise InputError(f"class_num must count the classes from 0 without gaps; found {dict(sorted(names.items()))}")
    return [names[number] for number in range(len(names))]


def _row(record: dict[str, str | None], *, where: str) -> DirmapRow:
    if None in record or None in record.values():
        raise InputError(f"{where}: has more or fewer fields than the header")
    values = {column: value or "" for column, value in record.items()}
    required = {column: values.pop(column) for column in REQUIRED_COLUMNS}
    scores = [_number(values.pop(column, ""), column, where) for column in SCORE_COLUMNS]
    if not required["class_num"].isdecimal():
        raise InputError(f"{where}: class_num is {required['class_num']!r}; expected a whole number from 0")
    return DirmapRow(
        split=required["split"],
        class_name=required["class"],
        class_num=int(required["class_num"]),
        im_path=_inside_root(required["im_path"], where),
        robust_gt_logit=scores[0],
        difficulty=scores[1],
        extra=values,
    )


def _number(text: str, column: str, where: str) -> float | None:
    if text == "":
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{where}: {column} is {text!r}; expected a finite number or nothing")
    return number


def _inside_root(im_path: str, where: str) -> str:
    path = PurePosixPath(im_path)
    if not im_path or path.is_absolute() or ".." in path.parts or "\\" in im_path or ":" in im_path:
        raise InputError(f"{where}: im_path is {im_path!r}; expected a relative path that stays inside its folder")
    return im_path


def _refuse_repeats(rows: Sequence[DirmapRow], path: Path) -> None:
    seen: set[str] = set()
    for row in rows:
        if row.im_path in seen:
            raise InputError(f"{path}: im_path {row.im_path!r} stands in two rows; each image may occur once")
        seen.add(row.im_path)


def _required(row: DirmapRow) -> tuple[str, str, int, str]:
    return (row.split, row.class_name, row.class_num, row.im_path)


def _scores(row: DirmapRow) -> tuple[str, str]:
    logit, difficulty = row.robust_gt_logit, row.difficulty
    return ("" if logit is None else f"{logit:.6f}", "" if difficulty is None else f"{difficulty:.6f}")

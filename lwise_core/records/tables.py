"""Tidy tables of trials and sessions, in memory and as CSV.

The same records give the same bytes, in whatever order they arrive. Knows columns; knows nothing of statistics.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lwise_core import atomic_files
from lwise_core.errors import InputError
from lwise_core.records.columns import DTYPES, PLATFORM_IDS, SESSION_COLUMNS, TRIAL_COLUMNS, Column, Kind

TRIALS_FILE = "trials.csv"
SESSIONS_FILE = "sessions.csv"
_FLAGS = {"True": True, "False": False, "true": True, "false": False}
_EXPECTED: dict[Kind, str] = {
    "text": "text",
    "whole": "a whole number",
    "number": "a number",
    "flag": "True or False",
    "list": "a JSON list",
}
_LARGEST_WHOLE = 2**63 - 1
_MOST_EXACT = 2**53
"""Largest whole number up to which floating-point numbers are exact."""


def write_tables(trials: Iterable[Mapping[str, Any]], sessions: Iterable[Mapping[str, Any]], out: Path) -> None:
    """Write `out/trials.csv` and `out/sessions.csv` in UTF-8: missing values are empty cells, line breaks line feeds.

    Raises
    ------
    InputError
        If a record lacks a column or has a value of the wrong kind; then nothing is written.
    """
    tables = {SESSIONS_FILE: _as_csv(sessions_table(sessions)), TRIALS_FILE: _as_csv(trials_table(trials))}
    for name, text in tables.items():
        atomic_files.write_text(out / name, text)


def trials_table(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Trial records as a typed table, one row per trial, sorted by participant and obs; see `columns.TRIAL_COLUMNS`.

    Further keys become columns after the known ones, sorted by name; platform ids are omitted.
    """
    return _table(list(records), TRIAL_COLUMNS, sort_by=["participant", "obs"], source="trial records")


def sessions_table(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Session records as a typed table, one row per session, sorted by participant; see `columns.SESSION_COLUMNS`."""
    return _table(list(records), SESSION_COLUMNS, sort_by=["participant"], source="session records")


def read_trials(path: Path) -> pd.DataFrame:
    """Read the trials.csv of `write_tables`, with the same types.

    Raises
    ------
    InputError
        Naming the file and the missing column, or the column and row (1: the header) of an invalid value.
    """
    return _read(path, TRIAL_COLUMNS, sort_by=["participant", "obs"])


def read_sessions(path: Path) -> pd.DataFrame:
    """Read the sessions.csv of `write_tables`, with the same types; raises as `read_trials`."""
    return _read(path, SESSION_COLUMNS, sort_by=["participant"])


def _table(
    records: Sequence[Mapping[str, Any]], columns: Sequence[Column], *, sort_by: list[str], source: str
) -> pd.DataFrame:
    known = [column.name for column in columns]
    further = sorted({key for record in records for key in record} - {*known, *PLATFORM_IDS})
    values: dict[str, Any] = {}
    for column in columns:
        _reject_missing(records, column, source)
        values[column.name] = _typed([record.get(column.name) for record in records], column, source)
    for name in further:
        values[name] = _untyped([record.get(name) for record in records])
    return pd.DataFrame(values, columns=[*known, *further]).sort_values(sort_by, kind="stable", ignore_index=True)


def _reject_missing(records: Sequence[Mapping[str, Any]], column: Column, source: str) -> None:
    n_missing = sum(column.name not in record for record in records)
    if n_missing and not column.later:
        raise InputError(f"{source}: {column.name} is missing in {n_missing} of {len(records)} records")


def _typed(values: Sequence[Any], column: Column, source: str) -> pd.Series:
    """The values as a series of the column's type.

    Raises
    ------
    InputError
        If a value has the wrong kind, or a required value is missing.
    """
    try:
        series = pd.Series(list(values), dtype=DTYPES[column.kind])
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"{source}: column {column.name} has a value that is not {_EXPECTED[column.kind]}: {error}"
        ) from None
    _reject_invalid(series, column, source)
    if column.kind == "text":
        # A CSV cell cannot distinguish empty text from a missing value.
        series = series.mask(series == "")
    n_missing = int(series.isna().sum())
    if n_missing and not column.may_be_empty:
        raise InputError(f"{source}: column {column.name} is empty in {n_missing} of {len(series)} rows")
    return series


def _reject_invalid(series: pd.Series, column: Column, source: str) -> None:
    """Reject values that pandas accepts but no analysis can use: infinite numbers, and non-lists in lists."""
    present = series.dropna()
    if column.kind == "number":
        invalid = present[present.abs() == math.inf]
    elif column.kind == "list":
        invalid = present[[not isinstance(value, list) for value in present]]
    else:
        return
    if len(invalid):
        raise InputError(f"{source}: column {column.name} has {invalid.iloc[0]!r}, expected {_EXPECTED[column.kind]}")


def _untyped(values: Sequence[Any]) -> pd.Series:
    """A further column: lists and objects as JSON text; numbers or flags if all values are, else text."""
    plain = [_json(value) if isinstance(value, list | dict) else value for value in values]
    series = pd.Series(plain, dtype="object").convert_dtypes()
    return series.astype("string") if series.dtype == "object" else series


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _as_csv(table: pd.DataFrame) -> str:
    shown = table.copy()
    for name in table.columns:
        if table[name].dtype == "object":
            shown[name] = table[name].map(_json, na_action="ignore")
        elif table[name].dtype == "Float64":
            shown[name] = _shortest(table[name])
        elif table[name].dtype == "string":
            # Most readers end a row at a lone carriage return, and the writer does not quote it.
            shown[name] = table[name].str.replace(r"\r\n?", "\n", regex=True)
    text = io.StringIO(newline="")
    shown.to_csv(text, index=False, lineterminator="\n")
    return text.getvalue()


def _shortest(numbers: pd.Series) -> pd.Series:
    """Columns of whole numbers only (most durations) are written as 500, not 500.0."""
    present = numbers.dropna()
    are_whole = (present % 1 == 0).all() and (present.abs() <= _MOST_EXACT).all()
    return numbers.astype("Int64") if are_whole else numbers


def _read(path: Path, columns: Sequence[Column], *, sort_by: list[str]) -> pd.DataFrame:
    cells = read_cells(path, required=[column.name for column in columns], made_by="lwise data export")
    typed = {column.name: _typed(_parsed(cells[column.name], column, path), column, str(path)) for column in columns}
    further = [name for name in cells.columns if name not in typed]
    table = pd.DataFrame({**typed, **{name: _guessed(cells[name]) for name in further}})
    return table.sort_values(sort_by, kind="stable", ignore_index=True)


def read_cells(path: Path, *, required: Sequence[str], made_by: str) -> pd.DataFrame:
    """A CSV file as text, with empty cells missing; a class may be named `NA` or `null`.

    Raises
    ------
    InputError
        If the file or a required column is missing, or the file is not CSV in UTF-8.
    """
    try:
        cells = pd.read_csv(path, dtype="string", keep_default_na=False, na_values=[""], encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; make it with `{made_by}`") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a CSV file in UTF-8 ({error})") from None
    if not isinstance(cells.index, pd.RangeIndex):
        # pandas would use the first column as the index and shift all others.
        raise InputError(
            f"{path}: rows have more cells than the {len(cells.columns)} columns of the header; quote commas in text"
        )
    missing = [name for name in required if name not in cells.columns]
    if missing:
        raise InputError(
            f"{path}: column {', '.join(missing)} is missing; found {', '.join(cells.columns)}. "
            f"Make it with `{made_by}`"
        )
    return cells


def _parsed(cells: pd.Series, column: Column, path: Path) -> list[Any]:
    """The values of a column of CSV text."""
    values = []
    for row, cell in enumerate(cells, start=2):
        try:
            values.append(_value(cell, column))
        except (KeyError, ValueError):
            value = "nothing" if cell is pd.NA else repr(cell)
            raise InputError(
                f"{path}: column {column.name}, row {row}: found {value}, expected {_EXPECTED[column.kind]}"
            ) from None
    return values


def _value(cell: Any, column: Column) -> Any:
    if cell is not pd.NA:
        return _PARSERS[column.kind](cell)
    if not column.may_be_empty:
        raise ValueError
    return None


def _whole(cell: str) -> int:
    value = int(cell)
    if abs(value) > _LARGEST_WHOLE:
        raise ValueError
    return value


def _finite(cell: str) -> float:
    value = float(cell)
    if not math.isfinite(value):
        raise ValueError
    return value


def _list(cell: str) -> list[Any]:
    value = json.loads(cell)
    if not isinstance(value, list):
        raise ValueError
    return value


_PARSERS: dict[Kind, Callable[[str], Any]] = {
    "text": str,
    "whole": _whole,
    "number": _finite,
    "flag": _FLAGS.__getitem__,
    "list": _list,
}


def _guessed(cells: pd.Series) -> pd.Series:
    """A further column: numbers or flags if all cells are, else text, as `_untyped`."""
    if cells.isna().all():
        return cells
    if cells.dropna().isin(list(_FLAGS)).all():
        return cells.map(_FLAGS, na_action="ignore").astype("boolean")
    try:
        return pd.to_numeric(cells).convert_dtypes()
    except ValueError:
        return cells

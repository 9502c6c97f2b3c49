"""Tidy tables of trials and sessions, in memory and as CSV.

The same records give the same bytes, whatever order they come in. Knows the columns; knows nothing of their statistics.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lwise_core import atomic_files
from lwise_core.errors import InputError
from lwise_core.records.columns import DTYPES, SESSION_COLUMNS, TRIAL_COLUMNS, Column, Kind

TRIALS_FILE = "trials.csv"
SESSIONS_FILE = "sessions.csv"
_FLAGS = {"True": True, "False": False, "true": True, "false": False}


def write_tables(trials: Iterable[Mapping[str, Any]], sessions: Iterable[Mapping[str, Any]], out: Path) -> None:
    """Write `out/trials.csv` and `out/sessions.csv` (UTF-8, line feeds, empty cells for missing values).

    Raises
    ------
    InputError
        If a record lacks a column or has a value that the column cannot hold; nothing is written then.
    """
    tables = {SESSIONS_FILE: _as_csv(sessions_table(sessions)), TRIALS_FILE: _as_csv(trials_table(trials))}
    for name, text in tables.items():
        atomic_files.write_text(out / name, text)


def trials_table(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Trial records as a typed table, a row per trial, sorted by participant and obs; see `columns.TRIAL_COLUMNS`.

    Further keys become columns after the known ones, sorted by name.
    """
    return _table(list(records), TRIAL_COLUMNS, sort_by=["participant", "obs"], source="trial records")


def sessions_table(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Session records as a typed table, a row per session, sorted by participant; see `columns.SESSION_COLUMNS`."""
    return _table(list(records), SESSION_COLUMNS, sort_by=["participant"], source="session records")


def read_trials(path: Path) -> pd.DataFrame:
    """The table that `write_tables` wrote as trials.csv, with the same types.

    Raises
    ------
    InputError
        Naming the file, and the column that is missing or holds a value it cannot hold.
    """
    return _read(path, TRIAL_COLUMNS, sort_by=["participant", "obs"])


def read_sessions(path: Path) -> pd.DataFrame:
    """The table that `write_tables` wrote as sessions.csv, with the same types; raises as `read_trials`."""
    return _read(path, SESSION_COLUMNS, sort_by=["participant"])


def _table(
    records: Sequence[Mapping[str, Any]], columns: Sequence[Column], *, sort_by: list[str], source: str
) -> pd.DataFrame:
    known = [column.name for column in columns]
    further = sorted({key for record in records for key in record} - set(known))
    values: dict[str, Any] = {}
    for column in columns:
        _refuse_missing(records, column, source)
        values[column.name] = _typed([record[column.name] for record in records], column, source)
    for name in further:
        values[name] = _untyped([record.get(name) for record in records])
    return pd.DataFrame(values, columns=[*known, *further]).sort_values(sort_by, kind="stable", ignore_index=True)


def _refuse_missing(records: Sequence[Mapping[str, Any]], column: Column, source: str) -> None:
    lacking = sum(column.name not in record for record in records)
    if lacking:
        raise InputError(f"{source}: {column.name} is missing in {lacking} of {len(records)} records")


def _typed(values: Sequence[Any], column: Column, source: str) -> pd.Series:
    """A series of the column's type.

    Raises
    ------
    InputError
        If a value does not fit, or is missing where it may not be.
    """
    try:
        series = pd.Series(list(values), dtype=DTYPES[column.kind])
    except (TypeError, ValueError) as error:
        raise InputError(f"{source}: column {column.name} holds a value that is no {column.kind}: {error}") from None
    n_missing = int(series.isna().sum())
    if n_missing and not column.nullable:
        raise InputError(f"{source}: column {column.name} is empty in {n_missing} of {len(series)} rows")
    return series


def _untyped(values: Sequence[Any]) -> pd.Series:
    """A further column: lists and objects as JSON text, everything else as what it is."""
    plain = [_json(value) if isinstance(value, list | dict) else value for value in values]
    return pd.Series(plain, dtype="object").convert_dtypes()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _as_csv(table: pd.DataFrame) -> str:
    shown = table.copy()
    for name in table.columns:
        if table[name].dtype == "object":
            shown[name] = table[name].map(_json, na_action="ignore")
        elif table[name].dtype == "Float64":
            shown[name] = _shortest(table[name])
    text = io.StringIO(newline="")
    shown.to_csv(text, index=False, lineterminator="\n")
    return text.getvalue()


def _shortest(numbers: pd.Series) -> pd.Series:
    """A column that holds whole numbers only (most durations) is written as 500, not as 500.0."""
    present = numbers.dropna()
    return numbers.astype("Int64") if (present % 1 == 0).all() else numbers


def _read(path: Path, columns: Sequence[Column], *, sort_by: list[str]) -> pd.DataFrame:
    cells = read_cells(path, required=[column.name for column in columns], made_by="lwise data export")
    typed = {column.name: _typed(_parsed(cells[column.name], column, path), column, str(path)) for column in columns}
    further = [name for name in cells.columns if name not in typed]
    table = pd.DataFrame({**typed, **{name: _guessed(cells[name]) for name in further}})
    return table.sort_values(sort_by, kind="stable", ignore_index=True)


def read_cells(path: Path, *, required: Sequence[str], made_by: str) -> pd.DataFrame:
    """A CSV file as text, empty cells missing; a class may be called `NA` or `null`.

    Raises
    ------
    InputError
        If the file or a required column is missing, or the file is no CSV in UTF-8.
    """
    try:
        cells = pd.read_csv(path, dtype="string", keep_default_na=False, na_values=[""], encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; make it with `{made_by}`") from None
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a CSV file in UTF-8 ({error})") from None
    missing = [name for name in required if name not in cells.columns]
    if missing:
        raise InputError(
            f"{path}: column {', '.join(missing)} is missing; found {', '.join(cells.columns)}. "
            f"Make it with `{made_by}`"
        )
    return cells


_PARSERS: dict[Kind, Callable[[str], Any]] = {
    "text": str,
    "whole": int,
    "number": float,
    "flag": _FLAGS.__getitem__,
    "list": json.loads,
}


def _parsed(cells: pd.Series, column: Column, path: Path) -> list[Any]:
    """The values of a column of CSV text."""
    parse = _PARSERS[column.kind]
    values = []
    for line, cell in enumerate(cells, start=2):
        try:
            values.append(None if cell is pd.NA else parse(cell))
        except (KeyError, ValueError):
            raise InputError(
                f"{path}: column {column.name}, row {line}: found {cell!r}, expected a {column.kind}"
            ) from None
    return values


def _guessed(cells: pd.Series) -> pd.Series:
    """A further column: numbers or flags if every cell is one, else text."""
    if cells.dropna().isin(list(_FLAGS)).all() and cells.notna().any():
        return cells.map(_FLAGS, na_action="ignore").astype("boolean")
    try:
        return pd.to_numeric(cells).convert_dtypes()
    except ValueError:
        return cells

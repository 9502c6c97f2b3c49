"""Read trialsets.csv: trial sets given trial by trial, one row per trial in the order shown.

Columns `trialset_id, condition_idx, block, class, url` are required; `trial_type`, `split` and the scores are optional;
a column named like a trial_config key overrides it for that trial.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from pydantic import ValidationError

from lwise_core.authoring.config import OrderSettings, TrialSettings
from lwise_core.authoring.config_file import describe_unknown_key
from lwise_core.dirmap import SCORE_COLUMNS, inside_root, number_or_none, read_csv
from lwise_core.errors import InputError, raise_if_any
from lwise_core.validation_errors import problems_of

REQUIRED_COLUMNS = ("trialset_id", "condition_idx", "block", "class", "url")
_OTHER_COLUMNS = ("trial_type", "split", *SCORE_COLUMNS)
_DIRMAP_COLUMNS = ("class_num", "im_path", "orig_class", "orig_class_num", "orig_im_path")
_MAX_NUMBER = 10**6
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?")
_SIMILARITY = 0.8


class RowSettings(TrialSettings, OrderSettings):
    """Settings that a row may override."""


@dataclass(frozen=True)
class TrialRow:
    """One trial. `url` is an address, or `<variant>/<im_path>` of an image in stimuli.root."""

    trialset_id: int
    condition_idx: int
    block: int
    trial_type: str
    class_name: str
    split: str | None
    url: str
    difficulty: float | None
    robust_gt_logit: float | None
    settings: RowSettings

    @property
    def is_external(self) -> bool:
        return is_address(self.url)


def read_trialsets(path: Path) -> tuple[list[TrialRow], list[str]]:
    """The rows of trialsets.csv in order, and warnings.

    Raises
    ------
    InputError
        Naming everything that is wrong with the file.
    """
    rows: list[TrialRow] = []
    problems: list[str] = []
    columns: Sequence[str] = ()
    remedy = "a study without a dirmap needs this file"
    settings_of = lru_cache(maxsize=10_000)(_settings)
    for line, values in read_csv(path, required=REQUIRED_COLUMNS, remedy=remedy):
        if not columns:
            columns = tuple(values)
            problems += _misspelt_columns(columns)
            overriding = [column for column in columns if column in RowSettings.model_fields]
        try:
            settings = settings_of(tuple((column, values[column]) for column in overriding if values[column] != ""))
            rows.append(_row(values, settings))
        except InputError as error:
            problems.append(f"line {line}: {error}")
    if not problems:
        problems += _inconsistencies(rows)
    raise_if_any(path, problems)
    if not rows:
        raise InputError(f"{path}: has no trials; expected one row per trial below the header")
    known = {*REQUIRED_COLUMNS, *_OTHER_COLUMNS, *_DIRMAP_COLUMNS, *RowSettings.model_fields}
    warnings = [
        f"{path.name}: column {column} is not a setting and is ignored" for column in columns if column not in known
    ]
    return rows, warnings


def is_address(text: str) -> bool:
    """Whether this is an address rather than a path."""
    return "://" in text


def checked_address(url: str, column: str = "url") -> str:
    """Validate the https or http address of an image; raise `InputError` for others, or with credentials or `..`."""
    try:
        parts = urlsplit(url)
        host, path = parts.netloc, unquote(parts.path)
    except ValueError:
        parts, host, path = None, "", ""
    if "@" in host:
        raise InputError(f"{column} contains a user name or password, which every participant could read; remove them")
    if (
        parts is None
        or parts.scheme not in ("https", "http")
        or not _HOST.fullmatch(host)
        or path in ("", "/")
        or ".." in PurePosixPath(path).parts
    ):
        raise InputError(f"{column} is {url!r}; expected an address such as https://example.org/val/cat/1.png")
    return url


def _row(values: Mapping[str, str], settings: RowSettings) -> TrialRow:
    url = values["url"]
    if not values["class"] or values["class"] != values["class"].strip():
        raise InputError(f"class is {values['class']!r}; expected a name without surrounding spaces")
    return TrialRow(
        trialset_id=_whole(values, "trialset_id"),
        condition_idx=_whole(values, "condition_idx"),
        block=_whole(values, "block"),
        trial_type=values.get("trial_type") or "new_stimulus",
        class_name=values["class"],
        split=values.get("split") or None,
        url=checked_address(url) if is_address(url) else _hosted_path(url),
        difficulty=number_or_none(values.get("difficulty", ""), "difficulty"),
        robust_gt_logit=number_or_none(values.get("robust_gt_logit", ""), "robust_gt_logit"),
        settings=settings,
    )


def _hosted_path(path: str) -> str:
    if len(PurePosixPath(path).parts) < 2:
        raise InputError(f"url is {path!r}; expected an address, or <variant>/<path> of an image in stimuli.root")
    return inside_root(path, "url")


def _whole(values: Mapping[str, str], column: str) -> int:
    text = values[column]
    # pandas writes 0 as 0.0 in a column with empty cells.
    digits = text.removesuffix(".0")
    if not digits.isdecimal() or int(digits) > _MAX_NUMBER:
        raise InputError(f"{column} is {text!r}; expected a whole number from 0 to {_MAX_NUMBER}")
    return int(digits)


def _settings(cells: tuple[tuple[str, str], ...]) -> RowSettings:
    try:
        return RowSettings.model_validate({key: _parsed(key, text) for key, text in cells})
    except ValidationError as error:
        raise InputError("; ".join(problems_of(error, describe_unknown_key(RowSettings)))) from None


def _parsed(key: str, text: str) -> str | None:
    if text == "null":
        return None
    # pandas writes true as 1.0 in a column with empty cells.
    return text.removesuffix(".0") if RowSettings.model_fields[key].annotation is bool else text


def _misspelt_columns(columns: Sequence[str]) -> list[str]:
    optional = [*RowSettings.model_fields, *_OTHER_COLUMNS]
    known = {*optional, *REQUIRED_COLUMNS, *_DIRMAP_COLUMNS}
    return [
        f"unknown column {column}; did you mean {similar[0]}?"
        for column in columns
        if column not in known and (similar := get_close_matches(column, optional, n=1, cutoff=_SIMILARITY))
    ]


def _inconsistencies(rows: Sequence[TrialRow]) -> list[str]:
    condition_of: dict[int, int] = {}
    mixed = set()
    for row in rows:
        if condition_of.setdefault(row.trialset_id, row.condition_idx) != row.condition_idx:
            mixed.add(row.trialset_id)
    problems = [
        f"trialset_id {number} has rows of several conditions; expected one condition_idx per trial set"
        for number in sorted(mixed)
    ]
    class_of: dict[str, str] = {}
    for row in rows:
        first = class_of.setdefault(row.url, row.class_name)
        if first != row.class_name:
            problems.append(f"{row.url} has the classes {first!r} and {row.class_name!r}; expected one class per image")
            class_of[row.url] = row.class_name
    missing = sorted(set(range(max(condition_of, default=-1) + 1)) - set(condition_of))
    if missing:
        problems.append(
            f"trialset_id {', '.join(map(str, missing[:5]))}{' …' if len(missing) > 5 else ''} has no rows; trial sets "
            "are numbered from 0 without gaps"
        )
    return problems

"""A measured field is described once: validation, tables and the page's TypeScript follow from the description."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import docs.contract
from lwise_core import wire_schema
from lwise_core.experiments.payloads import expanded
from lwise_core.experiments.study import Study
from lwise_core.experiments.trialset import build_trialset
from lwise_core.records import columns
from lwise_core.sessions.errors import InvalidRequest
from lwise_core.sessions.responses import trial_record
from lwise_core.wire_schema import Field
from tests.sessions.conftest import answer

_ADDED = Field("device_pixel_ratio", "number", "Device pixels per CSS px", "px per CSS px", nullable=True, highest=16)


@pytest.fixture
def added_field(monkeypatch: pytest.MonkeyPatch) -> Iterator[Field]:
    """A field that the schema has for the length of a test."""
    surroundings = (*wire_schema.SURROUNDINGS, _ADDED)
    with monkeypatch.context() as patch:
        patch.setattr(wire_schema, "SURROUNDINGS", surroundings)
        patch.setitem(wire_schema.PARTS, "surroundings", surroundings)
        importlib.reload(columns)
        yield _ADDED
    importlib.reload(columns)


@pytest.fixture
def trial(study: Study) -> dict[str, Any]:
    return expanded(study, build_trialset(study, 0))[0]


def _answer_with(value: object) -> dict[str, Any]:
    whole = answer(0)
    return {**whole, "surroundings": {**whole["surroundings"], _ADDED.name: value}}


def test_new_field_is_validated_and_recorded(added_field: Field, trial: dict[str, Any]) -> None:
    assert trial_record(trial, _answer_with(1.5))[added_field.name] == 1.5
    assert trial_record(trial, _answer_with(None))[added_field.name] is None
    for response in (answer(0), _answer_with(17), _answer_with(-1), _answer_with("1")):
        with pytest.raises(InvalidRequest, match=f"trial 0: {added_field.name} is missing"):
            trial_record(trial, response)


def test_new_field_becomes_a_column(added_field: Field) -> None:
    names = [column.name for column in columns.TRIAL_COLUMNS]
    assert names[names.index("viewing_distance_mm") + 1] == added_field.name
    column = columns.TRIAL_COLUMNS[names.index(added_field.name)]
    assert (column.kind, column.unit, column.nullable) == ("number", "px per CSS px", True)


def test_new_field_becomes_a_member_of_the_typescript_interface(added_field: Field) -> None:
    interface = docs.contract.page_contract().partition("interface Surroundings {")[2].partition("}")[0]
    assert f"  readonly {added_field.name}: number | null;\n" in interface


@pytest.mark.parametrize("path", docs.contract.PAGES, ids=lambda path: path.parent.name)
def test_generated_typescript_is_current(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == docs.contract.PAGES[path](), "run `python docs/contract.py`"


@pytest.mark.parametrize(
    ("field", "valid", "invalid"),
    [
        (Field("a", "flag", ""), (True, False), (None, 0, 1, "true")),
        (Field("a", "text", "", choices=("x", "y")), ("x", "y"), (None, "z", 1)),
        (Field("a", "text", ""), ("", "any"), (None, 1, b"any")),
        (Field("a", "whole", "", highest=3), (0, 3), (None, True, -1, 4, 1.0)),
        (Field("a", "number", "", highest=3), (0, 2.5, 3), (None, True, -0.1, 3.1, float("nan"), "1")),
        (Field("a", "number", "", nullable=True), (None, 1e300), (float("inf"), -1)),
        (
            Field("a", "time", ""),
            ("2026-01-31T12:00:00.000Z", "2026-01-31T12:00:00+01:00"),
            (None, "2026-01-31", "2026-01-31T12:00:00", "2026-01-31 12:00:00Z", 5),
        ),
    ],
    ids=lambda value: value.kind if isinstance(value, Field) else "",
)
def test_a_field_accepts_only_its_kind_and_range(
    field: Field, valid: tuple[object, ...], invalid: tuple[object, ...]
) -> None:
    assert [value for value in valid if not field.accepts(value)] == []
    assert [value for value in invalid if field.accepts(value)] == []

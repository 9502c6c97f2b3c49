"""A participant's answer to one trial: validated against the schema, then joined with the trial's own fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lwise_core.sessions.errors import InvalidRequest
from lwise_core.wire_schema import ANSWER, CHOICE, PARTS, SIZES, Field


def trial_record(trial: Mapping[str, Any], response: Mapping[str, Any]) -> dict[str, Any]:
    """The record of one trial (`payloads.expanded_trial`) and the response to it.

    Whether the answer is correct is decided here, from the trial. Of the response, only the fields of the schema are
    recorded.

    Raises
    ------
    InvalidRequest
        Names the field that is missing or has an invalid value.
    """
    index, names = trial["index"], trial["choice_names"]
    choice = response.get(CHOICE.name, -1)
    if not replace(CHOICE, highest=len(names) - 1).accepts(choice):
        raise InvalidRequest(f"trial {index}: {CHOICE.name} is not one of the {len(names)} choices")
    measured = _validated(response, (*ANSWER, *SIZES), index)
    for part, fields in PARTS.items():
        values = response.get(part)
        if not isinstance(values, Mapping):
            raise InvalidRequest(f"trial {index}: {part} is missing")
        measured |= _validated(values, fields, index)
    return {
        **_trial_fields(trial),
        "choice_name": None if choice is None else names[choice],
        CHOICE.name: choice,
        "perf": int(choice == trial["i_correct_choice"]),
        **measured,
    }


def _trial_fields(trial: Mapping[str, Any]) -> dict[str, Any]:
    """The trial's fields under the names of the analysis."""
    index = trial["index"]
    others = {name: value for name, value in trial.items() if name != "index"}
    return {**others, "obs": index, "trial_number": index + 1}


def _validated(values: Mapping[str, Any], fields: Sequence[Field], index: int) -> dict[str, Any]:
    for field in fields:
        if field.name not in values or not field.accepts(values[field.name]):
            raise InvalidRequest(f"trial {index}: {field.name} is missing or has a value it cannot have")
    return {field.name: values[field.name] for field in fields}

"""A participant's answer to one trial: checked field by field, then joined with what the server knows of the trial."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from lwise_core.sessions.errors import InvalidRequest

_MAX_PIXELS = 100_000
_MAX_DISTANCE_MM = 100_000
_MAX_FRAMES = 2**53 - 1


def _number(highest: float) -> Callable[[Any], bool]:
    def is_number(value: Any) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= highest

    return is_number


# A page may stay open for days, and a refused answer would hold up all that come after it: any length of time will do.
_is_duration = _number(sys.float_info.max)


def _whole(highest: int) -> Callable[[Any], bool]:
    def is_whole(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= highest

    return is_whole


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_time(value: Any) -> bool:
    """Whether this is a moment in ISO 8601 with its distance from UTC, as browsers write it."""
    # `fromisoformat` takes any character for the T, even one that no file can hold.
    if not isinstance(value, str) or value[10:11] != "T" or len(value) > len("2026-01-31T00:00:00.000000+00:00"):
        return False
    try:
        return datetime.fromisoformat(value).utcoffset() is not None
    except ValueError:
        return False


def _or_none(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or check(value)


_FIELDS: dict[str, Callable[[Any], bool]] = {
    "reaction_time_msec": _or_none(_is_duration),
    "rel_timestamp_response": _or_none(_is_duration),
    "timestamp_start": _is_time,
    "response_device": lambda value: value in (None, "mouse", "key"),
    "stimulus_width_px": _whole(_MAX_PIXELS),
    "choice_width_px": _whole(_MAX_PIXELS),
    "monitor_width_px": _whole(_MAX_PIXELS),
    "monitor_height_px": _whole(_MAX_PIXELS),
}

_FRAME_LOG_FIELDS: dict[str, Callable[[Any], bool]] = {
    "refresh_rate_hz": _number(10_000),
    "stimulus_requested_frames": _or_none(_whole(_MAX_FRAMES)),
    "stimulus_achieved_frames": _or_none(_whole(_MAX_FRAMES)),
    "stimulus_requested_msec": _or_none(_is_duration),
    "stimulus_achieved_msec": _or_none(_is_duration),
    "blank_requested_frames": _whole(_MAX_FRAMES),
    "blank_achieved_frames": _whole(_MAX_FRAMES),
    "dropped_frames": _whole(_MAX_FRAMES),
    "timing_ok": _is_flag,
}

_SURROUNDINGS_FIELDS: dict[str, Callable[[Any], bool]] = {
    "window_width_px": _whole(_MAX_PIXELS),
    "window_height_px": _whole(_MAX_PIXELS),
    "full_screen": _is_flag,
    "focus_losses": _whole(_MAX_FRAMES),
    "px_per_degree": _or_none(_number(_MAX_PIXELS)),
    "viewing_distance_mm": _or_none(_number(_MAX_DISTANCE_MM)),
}

_PARTS = {"frame_log": _FRAME_LOG_FIELDS, "surroundings": _SURROUNDINGS_FIELDS}
"""Objects inside the response; in the record their fields stand beside the others."""


def trial_record(trial: Mapping[str, Any], response: Mapping[str, Any]) -> dict[str, Any]:
    """The record of one trial, given with all its fields (`views.expanded`).

    Whether the answer was right is decided here, from the trial; of the response only what a browser alone can know
    is taken, and only in the form that is expected.

    Raises
    ------
    InvalidRequest
        Naming the field that is missing or has a value it cannot have.
    """
    index = trial["index"]
    choice = response.get("i_choice", math.nan)
    names = trial["choice_names"]
    if not _or_none(_whole(len(names) - 1))(choice):
        raise InvalidRequest(f"trial {index}: i_choice is not one of the {len(names)} choices")
    checked = _checked(response, _FIELDS, index)
    for part, fields in _PARTS.items():
        values = response.get(part)
        if not isinstance(values, Mapping):
            raise InvalidRequest(f"trial {index}: {part} is missing")
        checked |= _checked(values, fields, index)
    return {
        **_served(trial),
        "choice_name": None if choice is None else names[choice],
        "i_choice": choice,
        "perf": int(choice == trial["i_correct_choice"]),
        **checked,
    }


def _served(trial: Mapping[str, Any]) -> dict[str, Any]:
    """What the server knows of the trial, under the names of the analysis."""
    index = trial["index"]
    known = {name: value for name, value in trial.items() if name != "index"}
    return {**known, "obs": index, "trial_number": index + 1}


def _checked(values: Mapping[str, Any], fields: Mapping[str, Callable[[Any], bool]], index: int) -> dict[str, Any]:
    for name, is_valid in fields.items():
        if name not in values or not is_valid(values[name]):
            raise InvalidRequest(f"trial {index}: {name} is missing or has a value it cannot have")
    return {name: values[name] for name in fields}

"""Timing and display fields of an answer are recorded under their own names, or the answer is rejected."""

from __future__ import annotations

from typing import Any

import pytest

from lwise_core.experiments.payloads import expanded
from lwise_core.experiments.study import Study
from lwise_core.experiments.trialset import build_trialset
from lwise_core.sessions.errors import InvalidRequest
from lwise_core.sessions.responses import trial_record
from tests.sessions.conftest import answer

_TIMED = {
    "refresh_rate_hz": 143.92,
    "stimulus_requested_frames": 6,
    "stimulus_achieved_frames": 8,
    "stimulus_requested_msec": 41.69,
    "stimulus_achieved_msec": 55.6,
    "blank_requested_frames": 29,
    "blank_achieved_frames": 30,
    "dropped_frames": 3,
    "timing_ok": False,
}
_MEASURED = {
    "window_width_px": 1280,
    "window_height_px": 720,
    "full_screen": True,
    "focus_losses": 2,
    "px_per_degree": 37.6,
    "viewing_distance_mm": 571.25,
}
_TIMES = ("stimulus_requested_msec", "stimulus_achieved_msec")
_FRAMES = ("stimulus_requested_frames", "stimulus_achieved_frames")
_COUNTS = ("blank_requested_frames", "blank_achieved_frames", "dropped_frames", "focus_losses")
_PIXELS = ("window_width_px", "window_height_px")
_SCALE = ("px_per_degree", "viewing_distance_mm")
_NO_NUMBER = (-1, -0.5, "1", True, [1], float("nan"), float("inf"), 10**400)


@pytest.fixture
def trial(study: Study) -> dict[str, Any]:
    """The first trial of the study with all its fields."""
    (first, *_) = expanded(study, build_trialset(study, 0))
    return first


def _answer_with(name: str, value: Any) -> dict[str, Any]:
    """A whole answer in which one field of a part is another."""
    part = "frame_log" if name in _TIMED else "surroundings"
    whole = answer(0)
    return {**whole, part: {**whole[part], name: value}}


def test_both_parts_are_flattened_into_the_record(trial: dict[str, Any]) -> None:
    record = trial_record(trial, answer(0, frame_log=_TIMED, surroundings=_MEASURED))
    assert {name: record[name] for name in (*_TIMED, *_MEASURED)} == {**_TIMED, **_MEASURED}
    assert not {"frame_log", "surroundings"} & set(record)


@pytest.mark.parametrize("name", [*_TIMES, *_FRAMES, *_SCALE])
def test_unmeasured_fields_may_be_null(trial: dict[str, Any], name: str) -> None:
    assert trial_record(trial, _answer_with(name, None))[name] is None


@pytest.mark.parametrize("part", ["frame_log", "surroundings"])
@pytest.mark.parametrize("value", [None, [], "x", 1])
def test_answer_without_a_part_is_rejected(trial: dict[str, Any], part: str, value: Any) -> None:
    with pytest.raises(InvalidRequest, match=f"trial 0: {part} is missing"):
        trial_record(trial, answer(0, **{part: value}))


@pytest.mark.parametrize("name", [*_TIMED, *_MEASURED])
def test_answer_without_a_field_of_a_part_is_rejected(trial: dict[str, Any], name: str) -> None:
    whole = _answer_with(name, None)
    for part in ("frame_log", "surroundings"):
        whole[part].pop(name, None)
    with pytest.raises(InvalidRequest, match=f"trial 0: {name} is missing"):
        trial_record(trial, whole)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in (*_TIMES, *_SCALE) for value in _NO_NUMBER),
        *((name, value) for name in (*_FRAMES, *_COUNTS, *_PIXELS) for value in (1.5, 2**53, *_NO_NUMBER)),
        *((name, None) for name in (*_COUNTS, *_PIXELS, "timing_ok", "full_screen")),
        *((name, value) for name in ("timing_ok", "full_screen") for value in (0, 1, "true")),
        *((name, 100_001) for name in (*_PIXELS, *_SCALE)),
    ],
)
def test_invalid_value_is_rejected(trial: dict[str, Any], name: str, value: Any) -> None:
    with pytest.raises(InvalidRequest, match=f"trial 0: {name} is missing or has a value it cannot have"):
        trial_record(trial, _answer_with(name, value))


@pytest.mark.parametrize("choice", [3, -1, True, 0.0, "0"])
def test_choice_that_the_trial_does_not_offer_is_rejected(trial: dict[str, Any], choice: Any) -> None:
    assert len(trial["choice_names"]) == 3
    with pytest.raises(InvalidRequest, match="trial 0: i_choice is not one of the 3 choices"):
        trial_record(trial, answer(0, i_choice=choice))


def test_answer_without_a_choice_field_is_rejected(trial: dict[str, Any]) -> None:
    without = {name: value for name, value in answer(0).items() if name != "i_choice"}
    with pytest.raises(InvalidRequest, match="i_choice is not one of"):
        trial_record(trial, without)

"""What crosses between page, session service, stores and tables: every measured field and every enumeration, once.

`sessions.responses` validates from it, `records.columns` composes from it, and `docs/contract.py` generates the page's
TypeScript. To add a measured field: an entry here, and the TypeScript that measures it. Standard library only.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

State = Literal["started", "completed", "screened_out", "abandoned", "restarted"]
"""How a session stands: under way; ended with its last trial; failed the screening; left, and not allowed to resume;
left, and started over as another session."""

EndState = Literal["completed", "screened_out", "abandoned"]
"""The states that end a session for its page: the token of a `restarted` session opens the one that replaced it."""

ReleaseReason = Literal["returned", "timed_out"]
"""Why a recruiting platform gives a slot back."""

ProblemKind = Literal["page_error", "picture_missing"]
ResponseDevice = Literal["mouse", "key"]
Shape = Literal["circle", "triangle"]
PageName = Literal["consent", "task", "test", "done", "screened_out"]

Kind = Literal["text", "whole", "number", "flag", "time"]
"""Text, a whole number, any number, true or false, or a time in ISO 8601 with its offset from UTC."""

MAX_WHOLE = 2**53 - 1
"""The largest whole number that JavaScript holds exactly."""
_MAX_PIXELS = 100_000
_MAX_DISTANCE_MM = 100_000
_LONGEST_TIME = len("2026-01-31T00:00:00.000000+00:00")


@dataclass(frozen=True)
class Field:
    """A field that the page measures and the server checks, records and exports under the same name.

    Attributes
    ----------
    unit : of a number, e.g. ``ms``; empty for counts, indices and text.
    highest : a number is from 0 to this. By default any length of time is allowed: a page may stay open for days, and
        one rejected answer would hold up all that follow.
    choices : the values that a text can have; empty: any text.
    later : whether records of the first version lack it.
    """

    name: str
    kind: Kind
    description: str
    unit: str = ""
    nullable: bool = False
    highest: float = sys.float_info.max
    choices: tuple[str, ...] = ()
    later: bool = False

    def accepts(self, value: Any) -> bool:
        """Whether a value from a page is one that this field can have."""
        match self.kind:
            case _ if value is None:
                return self.nullable
            case "flag":
                return isinstance(value, bool)
            case "text":
                return isinstance(value, str) and (not self.choices or value in self.choices)
            case "time":
                return _is_time(value)
            case "whole":
                return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= self.highest
            case "number":
                return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= self.highest


def _is_time(value: Any) -> bool:
    # `fromisoformat` accepts any character for the T, even one that no file can hold.
    if not isinstance(value, str) or value[10:11] != "T" or len(value) > _LONGEST_TIME:
        return False
    try:
        return datetime.fromisoformat(value).utcoffset() is not None
    except ValueError:
        return False


def _msec(name: str, description: str, *, nullable: bool = False, later: bool = False) -> Field:
    return Field(name, "number", description, "ms", nullable, later=later)


def _pixels(name: str, description: str, *, later: bool = False) -> Field:
    return Field(name, "whole", description, "CSS px", highest=_MAX_PIXELS, later=later)


def _frames(name: str, description: str, *, nullable: bool = False, later: bool = False) -> Field:
    return Field(name, "whole", description, "frames", nullable, MAX_WHOLE, later=later)


INDEX = Field("index", "whole", "Index of the trial in the session, from 0", highest=MAX_WHOLE)
CHOICE = Field(
    "i_choice",
    "whole",
    "Index of the choice in choice_names; empty if the deadline passed",
    nullable=True,
    highest=MAX_WHOLE,
)
"""`responses` knows how many choices the trial has."""

ANSWER: Sequence[Field] = (
    _msec(
        "reaction_time_msec",
        "From the onset of the choices, the frame after the one in which they were drawn, to the response",
        nullable=True,
    ),
    _msec("rel_timestamp_response", "Time of the response since the page was loaded", nullable=True),
    Field("timestamp_start", "time", "Start of the trial by the participant's clock", "ISO 8601 UTC"),
    Field(
        "response_device",
        "text",
        "mouse or key; empty if the deadline passed",
        nullable=True,
        choices=get_args(ResponseDevice),
    ),
)

SIZES: Sequence[Field] = (
    _pixels("stimulus_width_px", "Width of the image on the screen"),
    _pixels("choice_width_px", "Width of a choice on the screen"),
    _pixels("monitor_width_px", "Width of the screen"),
    _pixels("monitor_height_px", "Height of the screen"),
)

SURROUNDINGS: Sequence[Field] = (
    _pixels("window_width_px", "Width of the page in the browser's window, at the answer", later=True),
    _pixels("window_height_px", "Height of the page in the browser's window, at the answer", later=True),
    Field("full_screen", "flag", "Whether the page filled the screen, at the answer", later=True),
    Field(
        "focus_losses",
        "whole",
        "How often the window lost the focus since the answer before",
        highest=MAX_WHOLE,
        later=True,
    ),
    Field(
        "px_per_degree",
        "number",
        "Scale of the screen, per degree of visual angle; empty if the participant did not measure it",
        "CSS px",
        nullable=True,
        highest=_MAX_PIXELS,
        later=True,
    ),
    Field(
        "viewing_distance_mm",
        "number",
        "Distance from the screen; empty if the participant did not measure it",
        "mm",
        nullable=True,
        highest=_MAX_DISTANCE_MM,
        later=True,
    ),
)

FRAME_LOG: Sequence[Field] = (
    Field(
        "refresh_rate_hz",
        "number",
        "Refresh rate of the screen that the trial was timed by, as measured",
        "Hz",
        highest=10_000,
    ),
    _frames("stimulus_requested_frames", "Frames the image was to stay; empty if untimed", nullable=True),
    _frames("stimulus_achieved_frames", "Frames the image did stay; empty if untimed", nullable=True),
    _msec(
        "stimulus_requested_msec",
        "What the requested frames last at the refresh rate; empty if untimed",
        nullable=True,
        later=True,
    ),
    _msec(
        "stimulus_achieved_msec",
        "From the frame after the drawing of the image to the frame after its removal; empty if untimed",
        nullable=True,
        later=True,
    ),
    _frames("blank_requested_frames", "Frames of the blank between image and choices", later=True),
    _frames("blank_achieved_frames", "Frames that it did last", later=True),
    _frames(
        "dropped_frames",
        "Frames that the browser missed from the drawing of the image to the onset of the choices",
    ),
    Field(
        "timing_ok",
        "flag",
        "Whether image and choices came on and went as requested: no frame missed, as many frames as requested, no "
        "duration off by more than 0.4 frames in ms",
    ),
)

PARTS = {"frame_log": FRAME_LOG, "surroundings": SURROUNDINGS}
"""Objects inside a response; in the record their fields stand beside the others."""

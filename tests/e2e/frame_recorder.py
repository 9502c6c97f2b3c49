"""What trials did show in a browser, as a recorder beside the page saw it: a reference for the page's own frame log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import mean, quantiles
from typing import Any

from playwright.sync_api import Page

FRAME_RECORDER = Path(__file__).with_name("frame_recorder.js").read_text(encoding="utf-8")
"""Script for a page, to run before its own."""

_MISSED = 1.5
"""A gap of so many frames' length has a missed frame in it."""
_TOLERANCE = 0.5
"""A duration may be off by so many frames' length."""


@dataclass(frozen=True)
class Presentation:
    """One trial, from the frame in which its stimulus was drawn to the frame from which its choices were seen.

    Attributes
    ----------
    times : of all frames from the one to the other, in ms.
    cleared : which of them the stimulus was removed in; like anything drawn, that is seen in the next.
    """

    times: Sequence[float]
    cleared: int

    @property
    def stimulus_msec(self) -> float:
        """How long the stimulus was seen."""
        return self.times[self.cleared + 1] - self.times[1]

    @property
    def blank_msec(self) -> float:
        """From then until the choices were seen."""
        return self.times[-1] - self.times[self.cleared + 1]

    def is_as_requested(self, stimulus_frames: int, blank_frames: int, interval: float) -> bool:
        """Whether no frame was missed and both durations are those of as many frames of `interval` ms."""
        return (
            all(after - before < _MISSED * interval for before, after in pairwise(self.times))
            and abs(self.stimulus_msec - stimulus_frames * interval) < _TOLERANCE * interval
            and abs(self.blank_msec - blank_frames * interval) < _TOLERANCE * interval
        )


@dataclass(frozen=True)
class Recording:
    """Length of a frame in ms over the whole session, and each trial by its index."""

    interval: float
    presentations: dict[int, Presentation]


def recording(page: Page) -> Recording:
    """Everything that was shown since the page was opened, of trials whose stimulus went before the choices came."""
    noted = page.evaluate("window.frameRecorder")
    times: list[float] = noted["times"]
    first: dict[int, dict[str, int]] = {}
    for event in noted["events"]:
        seen = first.setdefault(event["trial"], {})
        # A canvas that was not drawn on yet is cleared for other reasons.
        if event["what"] == "drawn" or "drawn" in seen:
            seen.setdefault(event["what"], event["frame"])
    return Recording(
        interval=_interval(times),
        presentations={trial: _presentation(times, seen) for trial, seen in first.items()},
    )


def _interval(times: Sequence[float]) -> float:
    gaps = [after - before for before, after in pairwise(times)]
    # On a busy machine more than half of the frames may be missed, but hardly three quarters.
    usual, *_ = quantiles(gaps, n=4)
    return mean(gap for gap in gaps if abs(gap - usual) < usual / 4)


def _presentation(times: Sequence[float], seen: dict[str, Any]) -> Presentation:
    return Presentation(times[seen["drawn"] : seen["choices"] + 2], cleared=seen["cleared"] - seen["drawn"])

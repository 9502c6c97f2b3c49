"""A study whose trials differ in the durations of stimulus and blank alone, to be answered without feedback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from playwright.sync_api import Page

from tests.conftest import CLASSES, write_photographs

_CONFIG = """
trial_config:
  show_feedback: false
  pre_choice_lockout_delay_duration_msec: 0
  choice_duration_msec: 100000
  intertrial_delay_duration_msec: {intertrial}
stimuli:
  root: ../variants
"""
_PICTURES_PER_CLASS = 4


@dataclass(frozen=True)
class Timing:
    """What a trial asks for, in ms, and how many frames that is on the screen at hand."""

    stimulus_msec: float
    stimulus_frames: int
    blank_msec: float
    blank_frames: int


def write_timed_study(folder: Path, timings: Sequence[Timing], *, size: int = 32, intertrial_msec: float = 0) -> Path:
    """A study with a trial per timing, in this order, and its pictures of `size` x `size` pixels; gives its folder."""
    write_photographs(folder / "variants" / "natural", per_class={"val": _PICTURES_PER_CLASS}, size=size)
    study = folder / "timed_0"
    study.mkdir()
    (study / "config.yaml").write_text(_CONFIG.format(intertrial=intertrial_msec), encoding="utf-8")
    pictures = cycle((name, number) for number in range(_PICTURES_PER_CLASS) for name in CLASSES)
    rows = [
        f"0,0,0,{name},natural/val/{name}/{number:03d}.png,{timing.stimulus_msec!r},{timing.blank_msec!r}"
        for timing, (name, number) in zip(timings, pictures, strict=False)
    ]
    header = "trialset_id,condition_idx,block,class,url,stimulus_duration_msec,post_stimulus_delay_duration_msec"
    (study / "trialsets.csv").write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return study


def begin(page: Page, address: str) -> None:
    """Come in and start the trials."""
    page.goto(f"{address}/?PLATFORM=inperson&ASSIGNMENT_ID=visit-1")
    page.get_by_test_id("start").click()

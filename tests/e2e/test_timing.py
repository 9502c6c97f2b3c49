"""Frame logs in a real Chromium: exact on a screen of any rate, and true where frames are missed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from lwise_core.authoring.compile import compile_study
from lwise_core.local.server import open_study, serving
from tests.e2e.frame_recorder import FRAME_RECORDER, Recording, recording
from tests.e2e.timed_study import Timing, begin, write_timed_study

pytestmark = [pytest.mark.browser, pytest.mark.exclusive]

_STEPPED_CLOCK = Path(__file__).with_name("stepped_clock.js").read_text(encoding="utf-8")
_MSEC = (17, 33, 200, 1_500)
_FRAMES = {60: (1, 2, 12, 90), 90: (2, 3, 18, 135), 120: (2, 4, 24, 180), 144: (2, 5, 29, 216)}
"""The frames that are nearest to those ms at each rate, counted by hand."""
_BLANK_MSEC = 100
_BLANK_FRAMES = {60: 6, 90: 9, 120: 12, 144: 14}


def _timings(hz: int) -> list[Timing]:
    """Each duration with and without a blank."""
    durations = [
        *((frames * 1000 / hz, frames) for frames in (1, 2, 6, 12)),
        *zip(_MSEC, _FRAMES[hz], strict=True),
    ]
    blanks = [(0, 0), (_BLANK_MSEC, _BLANK_FRAMES[hz])]
    return [Timing(*duration, *blank) for duration in durations for blank in blanks]


@contextmanager
def _page(browser: Browser, script: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1000, "height": 800})
    page = context.new_page()
    page.add_init_script(script)
    yield page
    context.close()


def _stepped(
    browser: Browser,
    folder: Path,
    timings: Sequence[Timing],
    *,
    hz: int,
    missed: Sequence[Mapping[str, Any]] = (),
    rates: Mapping[int, int] | None = None,
) -> tuple[list[dict[str, Any]], Recording]:
    """A session on a stepped screen: the records that the server has, and what was seen."""
    study = compile_study(write_timed_study(folder, timings))
    clock = json.dumps({"hz": hz, "missed": list(missed), "rates": rates or {}})
    with (
        open_study(study, folder / "data") as local,
        serving(local.app) as address,
        _page(browser, f"({_STEPPED_CLOCK})({clock});{FRAME_RECORDER}") as page,
    ):
        begin(page, address)
        expect(page.get_by_test_id("done")).to_be_visible(timeout=60_000)
        return list(local.service.trial_records()), recording(page)


@pytest.mark.parametrize("hz", sorted(_FRAMES))
def test_every_duration_is_exact_to_the_frame(hz: int, tmp_path: Path, browser: Browser) -> None:
    timings = _timings(hz)
    records, seen = _stepped(browser, tmp_path, timings, hz=hz)
    frame = 1000 / hz
    assert [record["obs"] for record in records] == sorted(seen.presentations) == list(range(len(timings)))
    for record, timing in zip(records, timings, strict=True):
        shown = seen.presentations[record["obs"]]
        assert shown.stimulus_msec == pytest.approx(timing.stimulus_frames * frame, abs=1e-6)
        assert shown.blank_msec == pytest.approx(timing.blank_frames * frame, abs=1e-6)
        expected = {
            "refresh_rate_hz": pytest.approx(hz),
            "stimulus_requested_frames": timing.stimulus_frames,
            "stimulus_achieved_frames": timing.stimulus_frames,
            "stimulus_requested_msec": pytest.approx(shown.stimulus_msec),
            "stimulus_achieved_msec": pytest.approx(shown.stimulus_msec),
            "blank_requested_frames": timing.blank_frames,
            "blank_achieved_frames": timing.blank_frames,
            "dropped_frames": 0,
            "timing_ok": True,
            "reaction_time_msec": pytest.approx(18 * frame),
        }
        assert {name: record[name] for name in expected} == expected


def test_missed_frames_are_recorded_with_their_trial(tmp_path: Path, browser: Browser) -> None:
    timings = [Timing(200, 12, 100, 6)] * 8
    missed = [
        {"trial": 1, "phase": "stimulus", "frame": 4, "count": 2},
        {"trial": 2, "phase": "stimulus", "frame": 11, "count": 1},  # in which it is to be removed
        {"trial": 3, "phase": "stimulus", "frame": 15, "count": 2},  # in the blank
        {"trial": 4, "phase": "choice", "frame": 0, "count": 1},  # in which the choices are to be seen
        {"trial": 5, "phase": "choice", "frame": 5, "count": 4},
        {"trial": 6, "phase": "intertrial", "frame": 0, "count": 4},
    ]
    records, seen = _stepped(browser, tmp_path, timings, hz=60, missed=missed)
    names = ("stimulus_achieved_frames", "blank_achieved_frames", "dropped_frames", "timing_ok")
    as_requested = (12, 6, 0, True)
    assert [tuple(record[name] for name in names) for record in records] == [
        as_requested,
        (12, 6, 2, False),
        (13, 6, 1, False),
        (12, 6, 2, False),
        (12, 7, 1, False),
        *[as_requested] * 3,
    ]
    for record in records:
        assert record["stimulus_achieved_msec"] == pytest.approx(seen.presentations[record["obs"]].stimulus_msec)


@pytest.mark.parametrize(("before", "after"), [(60, 144), (144, 60), (60, 90)])
def test_a_move_to_another_screen_is_detected(before: int, after: int, tmp_path: Path, browser: Browser) -> None:
    timings = [Timing(200, 0, 800, 0)] * 4
    records, _ = _stepped(browser, tmp_path, timings, hz=before, rates={1: after})
    assert [record["timing_ok"] for record in records] == [True, False, True, True]
    frames = [record["stimulus_achieved_frames"] for record in records]
    assert [frames[0], *frames[2:]] == [_FRAMES[before][2], *[_FRAMES[after][2]] * 2]
    assert [record["refresh_rate_hz"] for record in records] == pytest.approx([before, before, after, after])


_STALLS = """
    // Keeps the page busy for three frames of 60 Hz, once in some trials: so many frames after the stimulus was drawn.
    (stalls => {
        let since = [null, 0];
        const onFrame = () => {
            const { trialIndex = null, phase = null } = document.querySelector('.trial')?.dataset ?? {};
            since = since[0] === trialIndex ? [trialIndex, since[1] + (phase !== null)] : [trialIndex, 0];
            if (stalls[trialIndex] === since[1]) {
                const end = performance.now() + 50;
                while (performance.now() < end);
            }
            requestAnimationFrame(onFrame);
        };
        requestAnimationFrame(onFrame);
    })
"""


def test_every_missed_frame_is_flagged(tmp_path: Path, browser: Browser) -> None:
    """In real time, with a page that is kept busy at every place of some trials and left alone in others."""
    timings = [Timing(100, 6, 100, 6)] * 16
    stalls = {trial: frame for frame, trial in enumerate(range(2, 15))}
    study = compile_study(write_timed_study(tmp_path, timings, intertrial_msec=100))
    with (
        open_study(study, tmp_path / "data") as local,
        serving(local.app) as address,
        _page(browser, f"{FRAME_RECORDER}({_STALLS})({json.dumps(stalls)})") as page,
    ):
        begin(page, address)
        for index in range(len(timings)):
            page.locator(f"[data-trial-index='{index}'][data-phase='choice'] button.choice").nth(index % 3).click()
        expect(page.get_by_test_id("done")).to_be_visible(timeout=30_000)
        seen = recording(page)
        records = list(local.service.trial_records())
    misses = {
        record["obs"]
        for record in records
        if not seen.presentations[record["obs"]].is_as_requested(
            record["stimulus_requested_frames"], record["blank_requested_frames"], seen.interval
        )
    }
    flagged = {record["obs"] for record in records if not record["timing_ok"]}
    assert set(stalls) <= misses <= flagged
    for record in records:
        assert record["stimulus_achieved_msec"] == pytest.approx(seen.presentations[record["obs"]].stimulus_msec)

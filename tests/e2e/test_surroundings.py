"""Screen and window in a real browser: full screen, lost focus, the measured scale, and what the records say."""

from __future__ import annotations

from math import atan, degrees, radians, tan
from pathlib import Path
from statistics import mean

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.quick_study import answer, begin, on_screen, quick_study

pytestmark = pytest.mark.browser

_CARD_WIDTH_MM = 85.6
_BLIND_SPOT_DEGREES = 13.5
_REPEATS = 5


def test_full_screen_is_entered_by_the_start_and_asked_for_again_between_trials(
    tmp_path: Path, browser: Browser
) -> None:
    with quick_study(tmp_path, site={"full_screen": True}) as study:
        context = browser.new_context()
        page = context.new_page()
        begin(page, study.link())
        on_screen(page, 0)
        assert page.evaluate("document.fullscreenElement !== null")
        page.evaluate("document.exitFullscreen()")
        answer(page, 0)
        page.get_by_test_id("enter-full-screen").click()
        answer(page, 1)
        answer(page, 2)
        expect(page.get_by_test_id("done")).to_be_visible()
        assert page.evaluate("document.fullscreenElement === null")
        assert [row["full_screen"] for row in study.trials] == [False, True, True]
        context.close()


def test_lost_focus_and_window_size_are_recorded(tmp_path: Path, browser: Browser) -> None:
    with quick_study(tmp_path) as study:
        context = browser.new_context(viewport={"width": 1000, "height": 800})
        page = context.new_page()
        begin(page, study.link())
        answer(page, 0)
        on_screen(page, 1)
        # Every page of a browser without a head believes to have the focus: the events are all there is to test.
        for name in ("blur", "focus", "blur", "focus"):
            page.evaluate(f"window.dispatchEvent(new Event('{name}'))")
        page.set_viewport_size({"width": 900, "height": 700})
        answer(page, 1)
        answer(page, 2)
        expect(page.get_by_test_id("done")).to_be_visible()
        rows = study.trials
        assert [row["focus_losses"] for row in rows] == [0, 2, 0]
        sizes = [(row["window_width_px"], row["window_height_px"]) for row in rows]
        assert sizes == [(1000, 800), (900, 700), (900, 700)]
        assert {row["px_per_degree"] for row in rows} == {None}
        assert {row["viewing_distance_mm"] for row in rows} == {None}
        context.close()


def test_the_measured_scale_makes_degrees_true(tmp_path: Path, browser: Browser) -> None:
    trials = {"stimulus_width_degrees": 4, "choice_width_degrees_default": 2}
    with quick_study(tmp_path, site={"calibrate_screen": True}, trials=trials) as study:
        context = browser.new_context(viewport={"width": 1400, "height": 900})
        page = context.new_page()
        begin(page, study.link())
        _drag_card(page, by=(60, 10))
        card = _card_width(page)
        assert int(page.get_by_test_id("card-width").input_value()) == card
        page.get_by_test_id("card-width").press("ArrowRight")
        assert _card_width(page) == card + 1
        page.get_by_role("button", name="The sizes are the same").click()

        _press_at(page, travelled=0)  # pressed at once: nobody sits that near
        expect(page.get_by_test_id("distance-right")).to_have_count(0)
        page.get_by_test_id("measure-again").click()
        assert _card_width(page) == card + 1
        page.get_by_role("button", name="The sizes are the same").click()
        gap = _press_at(page, travelled=200)

        distance = gap / ((card + 1) / _CARD_WIDTH_MM) / tan(radians(_BLIND_SPOT_DEGREES))
        expect(page.get_by_test_id("distance")).to_contain_text(f"{round(distance / 10)} cm")
        page.get_by_test_id("distance-right").click()
        answer(page, 0)
        on_screen(page, 1)
        page.reload()
        page.get_by_test_id("continue").click()
        answer(page, 1)  # what was measured in this tab holds after a reload
        answer(page, 2)
        expect(page.get_by_test_id("done")).to_be_visible()

        px_per_degree = (card + 1) / degrees(2 * atan(_CARD_WIDTH_MM / 2 / distance))
        for row in study.trials:
            assert row["viewing_distance_mm"] == pytest.approx(distance, abs=5)
            assert row["px_per_degree"] == pytest.approx(px_per_degree, rel=0.01)
            assert row["stimulus_width_px"] == round(4 * row["px_per_degree"])
            assert row["choice_width_px"] == round(2 * row["px_per_degree"])
        context.close()


def test_without_a_measurement_the_usual_scale_applies(tmp_path: Path, browser: Browser) -> None:
    with quick_study(tmp_path, site={"calibrate_screen": True}, trials={"stimulus_width_degrees": 6}) as study:
        context = browser.new_context(viewport={"width": 1400, "height": 900}, screen={"width": 1600, "height": 1000})
        page = context.new_page()
        begin(page, study.link())
        page.get_by_role("button", name="The sizes are the same").click()
        _press_at(page, travelled=0)
        page.get_by_test_id("skip-measuring").click()
        for index in range(3):
            answer(page, index)
        expect(page.get_by_test_id("done")).to_be_visible()
        for row in study.trials:
            assert row["px_per_degree"] is None
            assert row["stimulus_width_px"] == 175
        context.close()


def _card_width(page: Page) -> int:
    return int(page.locator("#item").evaluate("card => card.getBoundingClientRect().width"))


def _drag_card(page: Page, *, by: tuple[int, int]) -> None:
    """Drag the drawn card by its lower right corner."""
    box = page.locator("#jspsych-resize-handle").bounding_box()
    assert box is not None
    before = _card_width(page)
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + 5 + by[0], box["y"] + 5 + by[1], steps=4)
    page.mouse.up()
    assert _card_width(page) == before + 2 * by[0]


def _press_at(page: Page, *, travelled: float) -> float:
    """Let every ball run at least so many pixels before it "disappears"; the mean distance from the square, in px."""
    page.evaluate(_NOTE_GAPS)
    for left in range(_REPEATS, 0, -1):
        expect(page.locator("#click")).to_have_text(str(left))
        start = page.evaluate(f"{_GAP}()")
        page.keyboard.press("Space")
        page.evaluate(_WAIT_FOR_GAP, start + travelled)
        page.keyboard.press("Space")
    gaps = page.evaluate("window.gaps")
    return float(mean(gaps[1::2]))  # every other press only lets the ball run


_GAP = """(() => {
    const x = (part) => document.querySelector(`#virtual-chinrest-${part}`).getBoundingClientRect().x;
    return x("square") - x("circle");
})"""
_WAIT_FOR_GAP = f"""(least) => new Promise((resolve) => {{
    const look = () => ({_GAP}() >= least ? resolve() : requestAnimationFrame(look));
    look();
}})"""
_NOTE_GAPS = f"""() => {{
    if (window.gaps === undefined) {{
        // Before the page hears of the key, and the last ball is gone.
        document.addEventListener("keydown", () => window.gaps.push({_GAP}()), {{ capture: true }});
    }}
    window.gaps = [];
}}"""

"""Coming into a study in a real browser: what is asked first, who is rejected, and that neither takes a place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.quick_study import N_TRIALS, answer, begin, on_screen, quick_study

pytestmark = pytest.mark.browser

_PHONE: dict[str, Any] = {
    "user_agent": (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/18.0 Mobile/15E148 Safari/604.1"
    ),
    "is_mobile": True,
    "has_touch": True,
    "viewport": {"width": 390, "height": 660},
}


def test_reading_the_consent_takes_no_place(tmp_path: Path, browser: Browser) -> None:
    with quick_study(tmp_path) as study:
        context = browser.new_context()
        page = context.new_page()
        page.goto(study.link())
        expect(page.get_by_test_id("consent-agree")).to_be_visible()
        expect(page).to_have_title("Moths")
        assert study.sessions == []
        page.get_by_test_id("consent-agree").click()
        expect(page.get_by_test_id("start")).to_be_visible()
        assert len(study.sessions) == 1
        page.reload()
        expect(page.get_by_test_id("start")).to_be_visible()  # consent is not asked for twice
        page.goto(study.link("visit-2"))
        expect(page.get_by_test_id("consent-agree")).to_be_visible()  # the next person is asked
        assert len(study.sessions) == 1
        context.close()


def test_a_phone_is_rejected_before_a_session_starts(tmp_path: Path, browser: Browser) -> None:
    with quick_study(tmp_path) as study:
        context = browser.new_context(**_PHONE)
        page = context.new_page()
        page.goto(study.link())
        expect(page.get_by_test_id("computer-needed")).to_be_visible()
        expect(page.get_by_role("button")).to_have_count(0)
        assert study.sessions == []
        context.close()


def test_a_phone_takes_part_if_the_study_allows_it(tmp_path: Path, browser: Browser) -> None:
    site = {"desktop_only": False, "min_window_px": 300, "calibrate_screen": True}
    with quick_study(tmp_path, site=site) as study:
        context = browser.new_context(**_PHONE)
        page = context.new_page()
        page.goto(study.link())
        page.get_by_test_id("consent-agree").tap()
        page.get_by_test_id("start").tap()
        for index in range(N_TRIALS):  # no calibration before: a phone has no space bar
            on_screen(page, index).locator("button.choice").first.tap()
        expect(page.get_by_test_id("done")).to_be_visible()
        context.close()


def test_a_small_window_waits_until_it_has_grown(tmp_path: Path, browser: Browser) -> None:
    with quick_study(tmp_path) as study:
        context = browser.new_context(viewport={"width": 560, "height": 700})
        page = context.new_page()
        page.goto(study.link())
        go = page.get_by_test_id("window-continue")
        expect(page.get_by_test_id("window-too-small")).to_contain_text("600 × 600")
        expect(page.get_by_test_id("window-size")).to_contain_text("560 × 700")
        expect(go).to_be_disabled()
        page.set_viewport_size({"width": 610, "height": 700})
        expect(page.get_by_test_id("window-size")).to_contain_text("610 × 700")
        go.click()
        page.get_by_test_id("consent-agree").click()
        page.get_by_test_id("start").click()
        answer(page, 0)
        on_screen(page, 1)
        page.set_viewport_size({"width": 610, "height": 500})
        answer(page, 1)  # a trial is not interrupted
        expect(go).to_be_disabled()
        page.set_viewport_size({"width": 900, "height": 800})
        go.click()
        answer(page, 2)
        expect(page.get_by_test_id("done")).to_be_visible()
        context.close()


def test_a_second_tab_is_rejected_while_the_first_is_open(tmp_path: Path, browser: Browser) -> None:
    with quick_study(tmp_path) as study:
        context = browser.new_context()
        first = context.new_page()
        begin(first, study.link())
        on_screen(first, 0)

        second = context.new_page()
        second.goto(study.link())
        expect(second.get_by_test_id("error")).to_contain_text("another tab")
        first.bring_to_front()
        answer(first, 0)  # nothing was taken from the first one

        on_screen(first, 1)
        first.reload()
        first.get_by_test_id("continue").click()
        answer(first, 1)

        on_screen(first, 2)
        first.close()
        second.get_by_test_id("again").click()
        second.get_by_test_id("continue").click()
        answer(second, 2)
        expect(second.get_by_test_id("done")).to_be_visible()

        other = context.new_page()
        other.goto(study.link("visit-2"))
        expect(other.get_by_test_id("consent-agree")).to_be_visible()
        context.close()
        assert [row["obs"] for row in study.trials] == list(range(N_TRIALS))

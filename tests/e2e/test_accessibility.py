"""Every page of a participant against the rules of WCAG 2.1 AA that axe-core can check; keys alone; reduced motion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.axe import expect_accessible
from tests.e2e.quick_study import answer, begin, on_screen, quick_study

pytestmark = pytest.mark.browser

_TRAINING = {
    "show_feedback": True,
    "correct_feedback_lockout_duration_msec": 0,
    "incorrect_feedback_lockout_duration_msec": 0,
    "choice_names_aliases": {"aversata": "riband wave of the heath"},
}
_PAGES = {
    "consent": "# Taking part\n\nYou may [stop](https://example.org) at any time.",
    "task": "# What to do\n\n- Look\n- Choose\n\n| key | choice |\n| --- | --- |\n| 1 | first |",
    "test": "# Now the test",
    "done": "# Thanks",
    "screened_out": "# Sorry",
}


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser into which a test may put a script, which the page's own policy forbids."""
    opened = browser.new_context(bypass_csp=True, viewport={"width": 1280, "height": 900})
    yield opened
    opened.close()


def test_every_page_on_the_way_through_a_study(
    tmp_path: Path, context: BrowserContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DONE_CODE", "CDONE42")
    site = {"calibrate_screen": True, "full_screen": True, "ask_email": True}
    with quick_study(
        tmp_path, site=site, deployment={"completion_code": "env:DONE_CODE"}, trials=_TRAINING, pages=_PAGES
    ) as study:
        page = context.new_page()

        def on(test_id: str) -> None:
            expect(page.get_by_test_id(test_id)).to_be_visible(timeout=15_000)
            expect_accessible(page)

        page.set_viewport_size({"width": 500, "height": 500})
        page.goto(study.link())
        on("window-too-small")
        page.set_viewport_size({"width": 1280, "height": 900})
        expect(page.get_by_test_id("window-continue")).to_be_enabled()
        on("window-too-small")
        page.get_by_test_id("window-continue").click()
        on("consent-agree")
        page.get_by_test_id("consent-agree").click()
        on("start")
        page.get_by_test_id("start").click()
        on("card-width")
        page.get_by_role("button", name="The sizes are the same").click()
        expect(page.locator("#blind-spot")).to_be_visible()
        expect_accessible(page)
        for _ in range(10):
            page.keyboard.press("Space")
        on("skip-measuring")
        page.get_by_test_id("skip-measuring").click()
        for index in range(3):
            trial = on_screen(page, index)
            expect_accessible(page)
            trial.locator("button.choice").first.click()
            on("next")
            page.get_by_test_id("next").click()
            if index == 0:
                on_screen(page, 1)
                page.evaluate("document.exitFullscreen()")
            if index == 1:
                on("enter-full-screen")
                page.get_by_test_id("enter-full-screen").click()
        on("code")
        page.get_by_test_id("email").fill("nobody")
        page.get_by_test_id("email-send").click()
        on("email")
        page.get_by_test_id("email").fill("somebody@example.org")
        page.get_by_test_id("email-send").click()
        on("email-stored")


def test_the_plausible_distance_is_confirmed_on_an_accessible_page(tmp_path: Path, context: BrowserContext) -> None:
    with quick_study(tmp_path, site={"calibrate_screen": True}) as study:
        page = context.new_page()
        begin(page, study.link())
        slider = page.get_by_test_id("card-width")
        slider.press("Home")  # a card that small makes the screen coarse, and the shortest distance a usual one
        page.get_by_role("button", name="The sizes are the same").click()
        for _ in range(10):
            page.keyboard.press("Space")
        expect(page.get_by_test_id("distance-right")).to_be_visible()
        expect_accessible(page)


@pytest.mark.parametrize(
    ("query", "test_id"),
    [
        ("", "preview"),
        ("?PLATFORM=prolific&PID=p", "error"),
        ("?PLATFORM=mturk&assignmentId=ASSIGNMENT_ID_NOT_AVAILABLE", "task-preview"),
    ],
)
def test_pages_of_links_that_start_nothing(tmp_path: Path, context: BrowserContext, query: str, test_id: str) -> None:
    with quick_study(tmp_path, pages=_PAGES) as study:
        page = context.new_page()
        page.goto(f"{study.url}/{query}")
        expect(page.get_by_test_id(test_id)).to_be_visible()
        expect_accessible(page)


def test_pages_that_end_a_visit_early(tmp_path: Path, browser: Browser, context: BrowserContext) -> None:
    unreachable: dict[str, Any] = {"screening": {"block": "main", "min_correct": 3, "min_correct_per_class": 1}}
    with quick_study(tmp_path, site=unreachable, deployment={"on_return": "block"}, pages=_PAGES) as study:
        page = context.new_page()
        begin(page, study.link())
        on_screen(page, 0)
        other = context.new_page()
        other.goto(study.link())
        expect(other.get_by_test_id("error")).to_be_visible()
        expect_accessible(other)
        other.close()
        for index in range(3):
            answer(page, index)
        expect(page.get_by_test_id("screened-out")).to_be_visible()
        expect_accessible(page)

        begin(page, study.link("visit-2"))
        answer(page, 0)
        on_screen(page, 1)
        page.reload()
        expect(page.get_by_test_id("abandoned")).to_be_visible()
        expect_accessible(page)

        phone = browser.new_context(
            bypass_csp=True, user_agent="Mozilla/5.0 (iPhone) Mobile", viewport={"width": 390, "height": 660}
        )
        page = phone.new_page()
        page.goto(study.link("visit-3"))
        expect(page.get_by_test_id("computer-needed")).to_be_visible()
        expect_accessible(page)
        phone.close()


def test_a_study_is_done_with_keys_alone(tmp_path: Path, context: BrowserContext) -> None:
    with quick_study(tmp_path, trials=_TRAINING, site={"ask_email": True}) as study:
        page = context.new_page()
        page.goto(study.link())
        for test_id in ("consent-agree", "start"):
            expect(page.get_by_test_id(test_id)).to_be_visible()
            page.keyboard.press("Tab")
            expect(page.get_by_test_id(test_id)).to_be_focused()
            page.keyboard.press("Enter")
        for index in range(3):
            on_screen(page, index)
            page.keyboard.press("2")
            expect(page.get_by_test_id("next")).to_be_visible()
            page.keyboard.press("Space")
        expect(page.get_by_test_id("done")).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.type("me@example.org")
        page.keyboard.press("Enter")
        expect(page.get_by_test_id("email-stored")).to_be_visible()
        assert {row["response_device"] for row in study.trials} == {"key"}


@pytest.mark.parametrize(("wish", "moves"), [("reduce", False), ("no-preference", True)])
def test_reduced_motion_stops_all_transitions(tmp_path: Path, browser: Browser, wish: Any, moves: bool) -> None:
    with quick_study(tmp_path) as study:
        opened = browser.new_context(reduced_motion=wish)
        page = opened.new_page()
        page.goto(study.link())
        expect(page.get_by_test_id("consent-agree")).to_be_visible()
        assert _moving(page, ".primary") is moves
        page.get_by_test_id("consent-agree").click()
        page.get_by_test_id("start").click()
        on_screen(page, 0)
        assert _moving(page, ".progress .fill") is moves
        assert page.evaluate("document.getAnimations().every((animation) => animation instanceof CSSTransition)")
        opened.close()


def _moving(page: Page, selector: str) -> bool:
    """Whether the element changes over time rather than at once."""
    duration = page.locator(selector).evaluate("element => getComputedStyle(element).transitionDuration")
    return bool(float(str(duration).removesuffix("s")) > 0)

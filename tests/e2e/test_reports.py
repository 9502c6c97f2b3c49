"""What a page tells the server besides answers: that the participant is still there, and what went wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from lwise_core.authoring.study_parts import CompiledStudy
from tests.e2e.taking_part import BadLine, behind_a_bad_line, choose, wait_until

pytestmark = pytest.mark.browser


def _open(browser: Browser, line: BadLine, *, with_clock: bool = False) -> Page:
    page = browser.new_context().new_page()
    if with_clock:
        page.clock.install()
    page.goto(line.link("someone"))
    page.locator("[data-testid='start'], [data-testid='continue']").wait_for()
    return page


def test_heartbeats_keep_the_place_and_reveal_a_session_opened_elsewhere(
    long_study: CompiledStudy, tmp_path: Path, browser: Browser
) -> None:
    with behind_a_bad_line(long_study, tmp_path / "data") as line:
        resting = _open(browser, line, with_clock=True)
        for minute in range(1, 4):
            resting.clock.run_for("01:00")
            wait_until(resting, lambda minute=minute: len(line.proxy.of("/api/heartbeat")) == minute)  # type: ignore[misc]
        elsewhere = _open(browser, line)
        resting.clock.run_for("01:00")
        expect(resting.get_by_test_id("error")).to_contain_text("another window")
        for page in (resting, elsewhere):
            page.context.close()
        assert line.service.problems() == []


def test_a_page_error_is_reported_without_ids_and_does_not_interrupt(
    long_study: CompiledStudy, tmp_path: Path, browser: Browser
) -> None:
    with behind_a_bad_line(long_study, tmp_path / "data") as line:
        page = _open(browser, line)
        page.get_by_test_id("start").click()
        choose(page, 0, 0)
        page.locator("[data-trial-index='1']").wait_for()
        page.evaluate("setTimeout(() => { throw new Error(`bad address ${location.href}`); })")
        page.evaluate("void Promise.reject(new Error('no someone here'))")
        choose(page, 1, 0)
        wait_until(page, lambda: len(line.service.problems()) == 2)
        page.context.close()
        found = [(problem.kind, problem.trial_index, problem.message) for _, problem in line.service.problems()]
        assert [(kind, index) for kind, index, _ in found] == [("page_error", 1)] * 2
        first, second = sorted(message for _, _, message in found)
        assert first.startswith(f"Error: bad address {line.proxy.url}/")
        assert second.startswith("Error: no … here")
        assert "someone" not in first

"""The tab is killed at every trial of a study: the participant resumes at the first trial that the server lacks."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page

from lwise_core.authoring.study_parts import CompiledStudy
from tests.e2e.fault_proxy import Fault, Judge, no_fault
from tests.e2e.taking_part import BadLine, behind_a_bad_line, choose, finish, wait_until

pytestmark = pytest.mark.browser

_N_TRIALS = 30
_OF_THE_ANSWER = (Fault.NONE, Fault.LOST, Fault.UNANSWERED)
"""What becomes of the last answer before the tab is killed, in turn."""
_VISITS_PER_BROWSER = 5
"""Then the same link is opened in a browser that has never seen the study."""
_UNANSWERED_VISIT = 2
"""Of each browser, the visit of which the tab is killed once more, in the middle of a trial."""


def _kill(page: Page, *, by_crash: bool) -> None:
    """End a tab without asking it: it crashes, or someone closes it."""
    if by_crash:
        with page.expect_event("crash"), suppress(Error):
            page.goto("chrome://crash")
    page.close()


def _only_for_answers(fault: Fault) -> Judge:
    return lambda path: fault if path == "/api/trials" else Fault.NONE


def _visit(page: Page, line: BadLine) -> int:
    """Open the study; the first trial that the server lacks."""
    n_visits = len(line.proxy.of("/api/sessions"))
    page.goto(line.link("killed"))
    wait_until(page, lambda: len(line.proxy.of("/api/sessions")) > n_visits)
    next_trial: int = line.proxy.of("/api/sessions")[-1].answer["next_trial"]
    return next_trial


def _go_on(page: Page, next_trial: int) -> None:
    """Pass what stands before a trial; there is nothing if no trial is left."""
    if next_trial < _N_TRIALS:
        page.get_by_test_id("start" if next_trial == 0 else "continue").click()


def test_a_session_resumes_after_a_killed_tab_without_loss_or_duplicates(
    long_study: CompiledStudy, tmp_path: Path, browser: Browser
) -> None:
    given: dict[int, int] = {}
    with behind_a_bad_line(long_study, tmp_path / "data") as line:
        context = browser.new_context()
        page = context.new_page()
        _go_on(page, _visit(page, line))
        for index in range(_N_TRIALS):
            by_crash = index % 2 == 1
            if index % _VISITS_PER_BROWSER == _UNANSWERED_VISIT:
                page.locator(f"[data-trial-index='{index}']").wait_for()
                _kill(page, by_crash=by_crash)
                page = context.new_page()
                assert _visit(page, line) == index
                _go_on(page, index)

            fault = _OF_THE_ANSWER[index % len(_OF_THE_ANSWER)]
            line.proxy.judge = _only_for_answers(fault)
            given[index] = index * 7 % 3
            choose(page, index, given[index])
            wait_until(page, partial(line.proxy.has_seen, index))
            acknowledged = line.proxy.acknowledged
            _kill(page, by_crash=by_crash)

            is_browser_lost = index % _VISITS_PER_BROWSER == _VISITS_PER_BROWSER - 1
            if is_browser_lost:
                context.close()
                context = browser.new_context()
            page = context.new_page()
            next_trial = _visit(page, line)
            line.proxy.judge = no_fault
            assert next_trial == (index if fault is Fault.LOST else index + 1)
            assert acknowledged <= set(range(next_trial))
            if is_browser_lost and fault is Fault.LOST:
                # The browser that was lost had kept the answer: here the trial is shown again.
                given[index] = (given[index] + 1) % 3
                _go_on(page, index)
                choose(page, index, given[index])
            else:
                _go_on(page, index + 1)
        finish(page)
        context.close()
        assert line.session["state"] == "completed"
        assert [(trial["obs"], trial["i_choice"]) for trial in line.trials] == sorted(given.items())
        visits = line.proxy.of("/api/sessions")
        assert all(visit.answer["trialset"] == visits[0].answer["trialset"] for visit in visits)

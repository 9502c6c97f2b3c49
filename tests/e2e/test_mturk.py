"""Mechanical Turk in a real browser: a task is previewed, accepted, done and submitted. The test plays mturk.com."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, quote

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Request, Route, expect

from tests.e2e.quick_study import QuickStudy, answer, begin, quick_study

pytestmark = pytest.mark.browser

_SANDBOX = "https://workersandbox.mturk.com"
_FOR_MTURK = {"platforms": ["mturk"]}


def _link(study: QuickStudy, assignment: str, *, submit_to: str = _SANDBOX) -> str:
    return (
        f"{study.url}/?PLATFORM=mturk&assignmentId={assignment}&hitId=HIT1&workerId=W1&turkSubmitTo={quote(submit_to)}"
    )


def _answer_for_mturk(context: BrowserContext) -> list[Request]:
    """Take whatever is posted to Mechanical Turk; returns what came."""
    posted: list[Request] = []

    def take(route: Route) -> None:
        posted.append(route.request)
        route.fulfill(body="<h1>Thank you, worker</h1>", content_type="text/html")

    context.route(f"{_SANDBOX}/**", take)
    return posted


def test_the_preview_shows_the_task_and_takes_no_place(tmp_path: Path, browser: Browser) -> None:
    with quick_study(tmp_path, deployment=_FOR_MTURK) as study:
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{study.url}/?PLATFORM=mturk&assignmentId=ASSIGNMENT_ID_NOT_AVAILABLE&hitId=HIT1")
        preview = page.get_by_test_id("task-preview")
        expect(preview.get_by_role("heading", name="Moths")).to_be_visible()
        expect(preview).to_contain_text("You may stop at any time.")
        expect(preview).to_contain_text("Accept the task to begin")
        expect(page.get_by_role("button")).to_have_count(0)
        assert study.sessions == []
        context.close()


def test_the_browser_submits_the_finished_task(tmp_path: Path, browser: Browser) -> None:
    with quick_study(tmp_path, deployment=_FOR_MTURK) as study:
        context = browser.new_context()
        posted = _answer_for_mturk(context)
        page = context.new_page()
        begin(page, _link(study, "A1"))
        for index in range(3):
            expect(page.get_by_test_id("submit")).to_have_count(0)
            answer(page, index)
        page.get_by_test_id("submit").click()
        expect(page.get_by_role("heading", name="Thank you, worker")).to_be_visible()
        (request,) = posted
        assert (request.method, request.url) == ("POST", f"{_SANDBOX}/mturk/externalSubmit")
        assert parse_qs(request.post_data or "") == {"assignmentId": ["A1"], "state": ["completed"]}
        (session,) = study.sessions
        assert [session[key] for key in ("platform", "assignment_id", "worker_id", "study_id")] == [
            "mturk",
            "A1",
            "W1",
            "HIT1",
        ]
        context.close()


def test_a_screened_out_worker_submits_the_task_as_well(tmp_path: Path, browser: Browser) -> None:
    unreachable = {"screening": {"block": "main", "min_correct": 3, "min_correct_per_class": 1}}
    with quick_study(tmp_path, deployment=_FOR_MTURK, site=unreachable) as study:
        context = browser.new_context()
        posted = _answer_for_mturk(context)
        page = context.new_page()
        begin(page, _link(study, "A2"))
        for index in range(3):
            answer(page, index)
        expect(page.get_by_test_id("screened-out")).to_be_visible()
        page.get_by_test_id("submit").click()
        expect(page.get_by_role("heading", name="Thank you, worker")).to_be_visible()
        assert parse_qs(posted[0].post_data or "")["state"] == ["screened_out"]
        context.close()


def test_the_study_runs_inside_mechanical_turks_own_page(tmp_path: Path, browser: Browser) -> None:
    """There the browser grants neither storage nor full screen."""
    with quick_study(tmp_path, deployment=_FOR_MTURK, site={"full_screen": True}) as study:
        context = browser.new_context(viewport={"width": 1000, "height": 900})
        with suppress(Error):  # older browsers ask for no leave
            context.grant_permissions(["local-network-access"])
        posted = _answer_for_mturk(context)
        frame = f'<iframe src="{_link(study, "A4")}" allow="local-network-access" style="width:900px;height:800px">'
        context.route(f"{_SANDBOX}/task", lambda route: route.fulfill(body=frame, content_type="text/html"))
        page = context.new_page()
        page.goto(f"{_SANDBOX}/task")
        embedded = page.frame_locator("iframe")
        embedded.get_by_test_id("consent-agree").click()
        embedded.get_by_test_id("start").click()
        for index in range(3):
            trial = embedded.locator(f"[data-trial-index='{index}'][data-phase='choice']")
            trial.locator("button.choice").first.click()
        embedded.get_by_test_id("submit").click()
        expect(embedded.get_by_role("heading", name="Thank you, worker")).to_be_visible()
        assert parse_qs(posted[0].post_data or "") == {"assignmentId": ["A4"], "state": ["completed"]}
        assert [row["full_screen"] for row in study.trials] == [False, False, False]
        context.close()


def test_an_unknown_submission_address_starts_no_session(tmp_path: Path, browser: Browser) -> None:
    with quick_study(tmp_path, deployment=_FOR_MTURK) as study:
        context = browser.new_context()
        page = context.new_page()
        page.goto(_link(study, "A3", submit_to="https://www.mturk.com.example.org"))
        expect(page.get_by_test_id("error")).to_contain_text("turkSubmitTo")
        assert study.sessions == []
        context.close()

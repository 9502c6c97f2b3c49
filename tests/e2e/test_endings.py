"""The last page in a real browser: an e-mail address is stored, and an abandoned session says so after the upload."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.quick_study import answer, begin, leave_with_an_answer_on_its_way, quick_study

pytestmark = pytest.mark.browser


def test_an_email_address_is_stored_apart_from_the_answers(tmp_path: Path, browser: Browser) -> None:
    with quick_study(tmp_path, site={"ask_email": True}) as study:
        context = browser.new_context()
        page = context.new_page()
        begin(page, study.link())
        for index in range(3):
            answer(page, index)
        done = page.get_by_test_id("done")
        expect(done).to_contain_text("optional")
        page.get_by_test_id("email").fill("me at example.org")
        page.get_by_test_id("email").press("Enter")
        expect(done).to_contain_text("not a complete e-mail address")
        assert study.service.emails() == []
        page.get_by_test_id("email").fill("me@example.org")
        page.get_by_test_id("email-send").click()
        expect(page.get_by_test_id("email-stored")).to_contain_text("me@example.org")
        assert study.service.emails() == ["me@example.org"]
        assert "example.org" not in f"{study.sessions}{study.trials}"
        context.close()


def test_an_abandoned_session_says_so_once_the_last_answers_are_stored(
    tmp_path: Path, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DONE_CODE", "CDONE42")
    deployment = {"on_return": "block", "completion_code": "env:DONE_CODE"}
    with quick_study(tmp_path, deployment=deployment) as study:
        context = browser.new_context()
        page = context.new_page()
        begin(page, study.link())
        leave_with_an_answer_on_its_way(page)
        page.goto(study.link())
        abandoned = page.get_by_test_id("abandoned")
        expect(abandoned).to_contain_text("cannot be continued")
        expect(abandoned).not_to_contain_text("CDONE42")
        expect(page.get_by_role("button")).to_have_count(0)
        assert [row["obs"] for row in study.trials] == [0, 1]
        context.close()

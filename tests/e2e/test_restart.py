"""A study that restarts for returning participants: nothing of the first session gets into the second."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.e2e.quick_study import answer, begin, leave_with_an_answer_on_its_way, on_screen, quick_study

pytestmark = pytest.mark.browser


def test_an_unsent_answer_does_not_count_after_a_restart(tmp_path: Path, browser: Browser) -> None:
    with quick_study(tmp_path, deployment={"on_return": "restart"}) as study:
        context = browser.new_context()
        page = context.new_page()
        begin(page, study.link())
        leave_with_an_answer_on_its_way(page)
        page.goto(study.link())
        page.get_by_test_id("start").click()
        with page.expect_response("**/api/trials"):
            answer(page, 0)
        on_screen(page, 1)
        context.close()
        first, second = study.sessions
        assert (first["state"], second["state"]) == ("restarted", "started")
        assert [trial["obs"] for trial in study.trials if trial["participant"] == second["participant"]] == [0]
        assert first["n_stored"] in (1, 2)  # the second was on its way when the page was left

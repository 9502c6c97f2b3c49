"""A person in a real browser: what was clicked is what stands in the data, whatever happens to page and network."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from lwise_core.simulation.learners import LearnerModel, take_part
from tests.run_cli import served, succeed

pytestmark = pytest.mark.browser

_N_TRIALS = 19
_N_TRAINING = 11
_RELOADED_AFTER = 6
_OFFLINE = range(3, 5)
_BY_KEY = 8


@dataclass(frozen=True)
class Answer:
    """What a participant saw and did on one trial, in the words of trials.csv."""

    obs: int
    i_choice: int
    choice_name: str
    response_device: str
    perf: int | None
    """1 or 0 as the feedback said; None without feedback."""


def test_what_is_clicked_is_what_is_stored(short_study: Path, tmp_path: Path, browser: Browser) -> None:
    with served(short_study, tmp_path / "data") as address:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{address}/?PLATFORM=inperson&ASSIGNMENT_ID=visit-1&PID=person-1")
        page.get_by_test_id("consent-agree").click()
        page.get_by_test_id("start").click()
        answers = []
        for index in range(_N_TRIALS):
            context.set_offline(index in _OFFLINE)
            if index == _N_TRAINING:
                page.get_by_test_id("test-start").click()
            answers.append(_answer(page, index, by_key=index == _BY_KEY))
            if index == _RELOADED_AFTER:
                page.reload()
                page.get_by_test_id("continue").click()
        done = page.get_by_test_id("done")
        expect(done).to_contain_text("Thank you")
        assert not complaints
        context.close()
    rows = _exported(tmp_path, "trials.csv")
    (session,) = _exported(tmp_path, "sessions.csv")
    assert (session["assignment_id"], session["worker_id"]) == ("visit-1", "person-1")
    stored = [
        Answer(
            obs=int(row["obs"]),
            i_choice=int(row["i_choice"]),
            choice_name=row["choice_name"],
            response_device=row["response_device"],
            perf=int(row["perf"]) if row["show_feedback"] == "True" else None,
        )
        for row in rows
    ]
    assert stored == answers
    for row in rows:
        assert 0 < float(row["reaction_time_msec"]) < 10_000
        assert (row["choice_name"] == row["stimulus_name"]) == (row["perf"] == "1")
        assert float(row["refresh_rate_hz"]) > 20
    assert {answer.perf for answer in answers} == {0, 1, None}


def test_the_finished_session_stays_finished(short_study: Path, tmp_path: Path, browser: Browser) -> None:
    """Coming back shows the end page again; another browser takes the session over; a bare address is a preview."""
    with served(short_study, tmp_path / "data") as address:
        first, second = (browser.new_context().new_page() for _ in range(2))
        link = f"{address}/?PLATFORM=simulated&ASSIGNMENT_ID=visit-2"
        first.goto(link)
        first.get_by_test_id("consent-agree").click()
        first.get_by_test_id("start").click()
        _answer(first, 0)
        expect(first.locator("[data-trial-index='1']")).to_be_visible()
        second.goto(link)
        second.get_by_test_id("consent-agree").click()
        second.get_by_test_id("continue").click()
        _answer(second, 1)
        _choose(first, 1)
        expect(first.get_by_test_id("error")).to_contain_text("another window")
        # The rest as fast as the server takes it, in the same session.
        take_part(address, assignment_id="visit-2", model=LearnerModel(), seed=0)
        second.goto(link)
        expect(second.get_by_test_id("done")).to_be_visible()
        second.goto(address)
        expect(second.get_by_test_id("preview")).to_be_visible()
        for page in (first, second):
            page.context.close()
    assert [int(row["obs"]) for row in _exported(tmp_path, "trials.csv")] == list(range(_N_TRIALS))


def _answer(page: Page, index: int, *, by_key: bool = False) -> Answer:
    """Answer the trial that must be on the screen now, and pass its feedback if there is any."""
    trial, i_choice, name = _choose(page, index, by_key=by_key)
    perf = None
    if index < _N_TRAINING:
        feedback = trial.locator("[data-testid^='feedback-']")
        feedback.wait_for(state="attached")
        perf = int(feedback.get_attribute("data-testid") == "feedback-correct")
        # The lock-out after an answer keeps the button hidden.
        trial.get_by_test_id("next").click()
    return Answer(index, i_choice, name, "key" if by_key else "mouse", perf)


def _choose(page: Page, index: int, *, by_key: bool = False) -> tuple[Locator, int, str]:
    """The trial on the screen, the place of the choice made there and its name."""
    trial = page.locator(f"[data-trial-index='{index}']")
    choices = trial.locator("button.choice")
    expect(trial).to_have_attribute("data-phase", "choice", timeout=15_000)
    i_choice = index % choices.count()
    label = choices.nth(i_choice).get_attribute("aria-label") or ""
    name = label.partition(",")[0]
    page.wait_for_timeout(250)  # the choices do not respond for the first 200 ms
    if by_key:
        page.keyboard.press(str(i_choice + 1))
    else:
        choices.nth(i_choice).click()
    return trial, i_choice, name.lower()


def _exported(folder: Path, table: str) -> list[dict[str, str]]:
    succeed("data", "export", "data", folder=folder)
    with (folder / "data" / table).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))

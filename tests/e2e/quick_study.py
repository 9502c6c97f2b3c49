"""A study of three trials without waits, served in this process, and a participant who clicks through it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

from lwise_core.authoring.compile import compile_study
from lwise_core.local.server import open_study, serving
from lwise_core.sessions.service import SessionService
from tests.experiments.conftest import write_data_set, write_study

N_TRIALS = 3


@dataclass(frozen=True)
class QuickStudy:
    """A study that is being served."""

    url: str
    service: SessionService

    def link(self, assignment: str = "visit-1") -> str:
        """Where a participant takes part."""
        return f"{self.url}/?PLATFORM=inperson&ASSIGNMENT_ID={assignment}"

    @property
    def sessions(self) -> list[dict[str, Any]]:
        """The records of all sessions; each has taken a place in the study."""
        return list(self.service.session_records())

    @property
    def trials(self) -> list[dict[str, Any]]:
        """The records of all trials, in order."""
        return list(self.service.trial_records())


@contextmanager
def quick_study(
    folder: Path,
    *,
    site: dict[str, Any] | None = None,
    deployment: dict[str, Any] | None = None,
    trials: dict[str, Any] | None = None,
    pages: dict[str, str] | None = None,
) -> Iterator[QuickStudy]:
    """Serve one picture per class, with a page of consent and no feedback.

    Parameters
    ----------
    site, deployment : as in config.yaml.
    trials : settings of `trial_config` besides those that leave nothing to wait for.
    pages : further pages, as Markdown by name.
    """
    config = {
        "session_config": [{"main": {"n_trials_per_class_val": 1}}],
        "trial_config": {
            "show_feedback": False,
            "pre_choice_lockout_delay_duration_msec": 0,
            "intertrial_delay_duration_msec": 0,
            "choice_duration_msec": 100_000,
            **(trials or {}),
        },
        "deployment": deployment or {},
        "site": {"title": "Moths", **(site or {})},
    }
    study = write_study(folder / "moths_3", write_data_set(folder / "images", per_class={"val": 4}), config)
    (study / "instructions").mkdir()
    for name, text in {"consent": "# Taking part\n\nYou may stop at any time.", **(pages or {})}.items():
        (study / "instructions" / f"{name}.md").write_text(text, encoding="utf-8")
    with open_study(compile_study(study), folder / "data") as local, serving(local.app) as url:
        yield QuickStudy(url, local.service)


def begin(page: Page, link: str) -> None:
    """Come in and start the trials."""
    page.goto(link)
    page.get_by_test_id("consent-agree").click()
    page.get_by_test_id("start").click()


def leave_with_an_answer_on_its_way(page: Page) -> None:
    """Answer two trials, of which the server gets the first, and leave while there is no connection."""
    with page.expect_response("**/api/trials"):
        answer(page, 0)
    on_screen(page, 1)
    page.context.set_offline(True)
    answer(page, 1)
    on_screen(page, 2)
    page.goto("about:blank")
    page.context.set_offline(False)


def on_screen(page: Page, index: int) -> Locator:
    """The trial that must be on the screen now, with its choices."""
    trial = page.locator(f"[data-trial-index='{index}']")
    expect(trial).to_have_attribute("data-phase", "choice", timeout=30_000)
    # The choices take answers from the frame on which they are seen.
    page.evaluate("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))")
    return trial


def answer(page: Page, index: int) -> None:
    """Answer the trial that must be on the screen now."""
    on_screen(page, index).locator("button.choice").first.click()

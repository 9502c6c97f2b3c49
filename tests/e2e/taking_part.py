"""What a participant does in a study whose trials have no feedback, and what the server then has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from lwise_core.authoring.study_parts import CompiledStudy
from lwise_core.local.server import open_study, serving
from lwise_core.sessions.service import SessionService
from tests.e2e.fault_proxy import FaultProxy, fault_proxy

_PATIENCE_MSEC = 30_000
_STEP_MSEC = 20


@dataclass(frozen=True)
class BadLine:
    """A server, and the bad network before it."""

    proxy: FaultProxy
    service: SessionService

    def link(self, assignment: str) -> str:
        """Where a participant takes part, through the bad network."""
        return f"{self.proxy.url}/?PLATFORM=inperson&ASSIGNMENT_ID={assignment}"

    @property
    def session(self) -> dict[str, Any]:
        """The record of the only session."""
        (session,) = self.service.session_records()
        return session

    @property
    def trials(self) -> list[dict[str, Any]]:
        """The records of all trials."""
        return list(self.service.trial_records())


@contextmanager
def behind_a_bad_line(study: CompiledStudy, data: Path) -> Iterator[BadLine]:
    """Serve a study; the network is good until the proxy is told otherwise."""
    with open_study(study, data) as local, serving(local.app) as upstream, fault_proxy(upstream) as proxy:
        yield BadLine(proxy, local.service)


def choose(page: Page, index: int, i_choice: int) -> None:
    """Answer the trial that must come now."""
    trial = page.locator(f"[data-trial-index='{index}']")
    expect(trial).to_have_attribute("data-phase", "choice", timeout=_PATIENCE_MSEC)
    trial.locator("button.choice").nth(i_choice).click()


def wait_until(page: Page, condition: Callable[[], bool]) -> None:
    """Let the page go on until something outside of it has happened."""
    for _ in range(_PATIENCE_MSEC // _STEP_MSEC):
        if condition():
            return
        page.wait_for_timeout(_STEP_MSEC)
    raise AssertionError("what was waited for did not happen")


def finish(page: Page) -> None:
    """Wait for the last page."""
    expect(page.get_by_test_id("done")).to_be_visible(timeout=2 * _PATIENCE_MSEC)

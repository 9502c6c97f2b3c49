"""A participant who makes the calls of the page one by one, as a test asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

import httpx

from tests.sessions.conftest import answer

_PATIENCE_SECONDS = 120
"""Many may wait for one another: the stand-in has few processes for a function."""

Choices = Mapping[int, int]
"""Index of a trial -> what is chosen there."""


class Participant:
    """One participant of a study that is served at `url`; by default one whom `take_part` could go on with."""

    def __init__(self, url: str, assignment_id: str, *, platform: str = "simulated", **ids: str) -> None:
        self._ids = {"platform": platform, "assignment_id": assignment_id, **ids}
        self._http = httpx.Client(base_url=url, timeout=_PATIENCE_SECONDS)

    def __enter__(self) -> Participant:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def start(self) -> dict[str, Any]:
        """Open the link, for the first time or again; what the page gets."""
        started = self.call("sessions", self._ids)
        self._http.headers["Authorization"] = f"Bearer {started['token']}"
        return started

    def answer(self, choices: Choices) -> dict[str, Any]:
        """Answer some trials with one call."""
        return self.send(answer(index, i_choice=choice) for index, choice in choices.items())

    def send(self, answers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """Send answers as they are with one call."""
        return self.call("trials", {"trials": list(answers)})

    def call(self, name: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Make a call, which must succeed; what is answered."""
        answered = self._http.post(f"/api/{name}", json=content)
        assert answered.status_code == 200, answered.text
        told: dict[str, Any] = answered.json()
        return told

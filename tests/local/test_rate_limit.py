"""A session may send so much and not more; it never waits for another one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lwise_core.authoring.study_parts import CompiledStudy
from lwise_core.local.rate_limit import CALLS, OPENINGS, Rate, RateLimit, SessionLimits
from lwise_core.local.server import open_study, serving
from tests.sessions.conftest import answer


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_after_the_first_rush_so_many_pass_a_second(clock: Clock) -> None:
    limit = RateLimit(Rate(at_once=3, per_second=2), clock=clock)
    assert [limit.take(b"a") for _ in range(4)] == [0, 0, 0, 0.5]
    clock.now += 0.25
    assert limit.take(b"a") == 0.25
    clock.now += 0.25
    assert [limit.take(b"a") for _ in range(2)] == [0, 0.5]


def test_who_is_refused_does_not_wait_the_longer_for_it(clock: Clock) -> None:
    limit = RateLimit(Rate(at_once=1, per_second=1), clock=clock)
    limit.take(b"a")
    assert [limit.take(b"a") for _ in range(5)] == [1] * 5
    clock.now += 1
    assert limit.take(b"a") == 0


def test_silence_saves_up_no_more_than_the_first_rush(clock: Clock) -> None:
    limit = RateLimit(Rate(at_once=2, per_second=1), clock=clock)
    limit.take(b"a")
    clock.now += 1e6
    assert [limit.take(b"a") for _ in range(3)] == [0, 0, 1]


def test_nobody_waits_for_another(clock: Clock) -> None:
    limit = RateLimit(Rate(at_once=1, per_second=1), clock=clock)
    assert [limit.take(key) for key in (b"a", b"b", b"a", b"b")] == [0, 0, 1, 1]


def test_memory_has_an_end_and_the_longest_silent_is_forgotten_first(clock: Clock) -> None:
    limit = RateLimit(Rate(at_once=1, per_second=1), clock=clock, at_most=100)
    for number in range(1000):
        limit.take(str(number).encode())
        limit.take(b"busy")
    assert len(limit) == 100
    assert (limit.take(b"999"), limit.take(b"busy"), limit.take(b"0")) == (1, 1, 0)


def test_an_opening_is_known_by_platform_and_assignment_whatever_their_form(clock: Clock) -> None:
    limits = SessionLimits(openings=Rate(at_once=1, per_second=1), clock=clock)
    bodies: list[dict[str, Any]] = [
        {"platform": "a", "assignment_id": "b"},
        {"platform": "b", "assignment_id": "a"},
        {"platform": ["a"], "assignment_id": {"b": 1}},
        {"platform": "\ud800", "assignment_id": None},
        {},
    ]
    assert [limits.opening(body, "") for body in bodies] == [0] * 5
    assert [limits.opening(body | {"worker_id": "other"}, "") for body in bodies] == [1] * 5


@pytest.fixture
def server(compiled: CompiledStudy, site: Path, tmp_path: Path, clock: Clock) -> Iterator[str]:
    limits = SessionLimits(clock=clock)
    with open_study(compiled, tmp_path / "data", site=site, limits=limits) as local, serving(local.app) as url:
        yield url


def test_a_page_gone_mad_is_told_to_wait_and_others_are_not(server: str, clock: Clock) -> None:
    def started(assignment: str) -> httpx.Client:
        ids = {"platform": "prolific", "assignment_id": assignment}
        token = httpx.post(f"{server}/api/sessions", json=ids).raise_for_status().json()["token"]
        return httpx.Client(base_url=server, headers={"Authorization": f"Bearer {token}"}, timeout=30)

    with started("mad") as mad, started("calm") as calm:
        passed = [mad.post("/api/heartbeat", json={}).status_code for _ in range(CALLS.at_once)]
        assert set(passed) == {200}
        refused = mad.post("/api/trials", json={"trials": [answer(0)]})
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert refused.json() == {"error": "too many requests"}
        assert calm.post("/api/trials", json={"trials": [answer(0)]}).status_code == 200
        clock.now += 1
        assert mad.post("/api/trials", json={"trials": [answer(0)]}).json() == {"stored": [0], "next_trial": 1}


def test_one_assignment_is_not_opened_without_end(server: str, clock: Clock) -> None:
    ids = {"platform": "prolific", "assignment_id": "one"}
    with httpx.Client(base_url=server, timeout=30) as browser:
        opened = [browser.post("/api/sessions", json=ids).status_code for _ in range(OPENINGS.at_once)]
        assert set(opened) == {200}
        refused = browser.post("/api/sessions", json=ids)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert browser.post("/api/sessions", json=ids | {"assignment_id": "another"}).status_code == 200
        clock.now += 1
        assert browser.post("/api/sessions", json=ids).status_code == 200

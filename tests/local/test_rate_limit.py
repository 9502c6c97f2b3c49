"""The rate of a session is limited, independently of others."""

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
    """A clock that the test advances."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_burst_is_followed_by_the_sustained_rate(clock: Clock) -> None:
    limit = RateLimit(Rate(at_once=3, per_second=2), clock=clock)
    assert [limit.take(b"a") for _ in range(4)] == [0, 0, 0, 0.5]
    clock.now += 0.25
    assert limit.take(b"a") == 0.25
    clock.now += 0.25
    assert [limit.take(b"a") for _ in range(2)] == [0, 0.5]


def test_rejected_requests_do_not_extend_the_wait(clock: Clock) -> None:
    limit = RateLimit(Rate(at_once=1, per_second=1), clock=clock)
    limit.take(b"a")
    assert [limit.take(b"a") for _ in range(5)] == [1] * 5
    clock.now += 1
    assert limit.take(b"a") == 0


def test_idle_time_saves_up_one_burst_at_most(clock: Clock) -> None:
    limit = RateLimit(Rate(at_once=2, per_second=1), clock=clock)
    limit.take(b"a")
    clock.now += 1e6
    assert [limit.take(b"a") for _ in range(3)] == [0, 0, 1]


def test_keys_are_limited_independently(clock: Clock) -> None:
    limit = RateLimit(Rate(at_once=1, per_second=1), clock=clock)
    assert [limit.take(key) for key in (b"a", b"b", b"a", b"b")] == [0, 0, 1, 1]


def test_memory_is_bounded_and_drops_the_least_recent_key(clock: Clock) -> None:
    limit = RateLimit(Rate(at_once=1, per_second=1), clock=clock, at_most=100)
    for number in range(1000):
        limit.take(str(number).encode())
        limit.take(b"busy")
    assert len(limit) == 100
    assert (limit.take(b"999"), limit.take(b"busy"), limit.take(b"0")) == (1, 1, 0)


def test_opening_key_accepts_any_json(clock: Clock) -> None:
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


def test_faulty_page_is_limited_and_others_are_not(server: str, clock: Clock) -> None:
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


def test_openings_of_an_assignment_are_limited(server: str, clock: Clock) -> None:
    ids = {"platform": "prolific", "assignment_id": "one"}
    with httpx.Client(base_url=server, timeout=30) as browser:
        opened = [browser.post("/api/sessions", json=ids).status_code for _ in range(OPENINGS.at_once)]
        assert set(opened) == {200}
        refused = browser.post("/api/sessions", json=ids)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert browser.post("/api/sessions", json=ids | {"assignment_id": "another"}).status_code == 200
        clock.now += 1
        assert browser.post("/api/sessions", json=ids).status_code == 200

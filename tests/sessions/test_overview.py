"""The overview of a running study: states, conditions, problems."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lwise_core.experiments.study import Slots, Study
from lwise_core.experiments.trialset import build_trialset
from lwise_core.sessions.overview import Counts, Overview, n_trials, overview_of
from lwise_core.sessions.service import SessionService
from lwise_core.sessions.store import PlatformIds, Problem, Session, SessionStore
from tests.sessions.conftest import N_TRIALS, answer

_NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
_LEASE = 120.0


def _iso(minutes: float) -> str:
    return (_NOW + timedelta(minutes=minutes)).isoformat(timespec="milliseconds")


def _session(slot: int, *, platform: str = "prolific", **changes: Any) -> Session:
    """A session that started an hour ago and was last seen a minute ago."""
    ids = PlatformIds(platform, f"session {slot}")
    began: dict[str, Any] = {"started_at": _iso(-60), "lease_until": _iso(_LEASE - 1), "holds_slot": True}
    return Session(**{"participant": f"p{platform}{slot}", "ids": ids, "slot": slot} | began | changes)


def _seen(study: Study, *sessions: Session, **more: Any) -> Overview:
    return overview_of(study, sessions, **({"trial_counts": {}, "problems": (), "now": _NOW} | more))


def _finished(slot: int, minutes: float = 20, **changes: Any) -> Session:
    return _session(slot, state="completed", finished_at=_iso(minutes - 60), **changes)


def test_overview_of_an_empty_study(study: Study) -> None:
    seen = _seen(study)
    assert (seen.conditions, seen.total, seen.sessions) == ((Counts(), Counts()), Counts(), ())
    assert (seen.median_minutes, seen.places_left, seen.platforms) == (None, None, {})


@pytest.mark.parametrize(
    ("changes", "progress"),
    [
        ({}, "under_way"),
        ({"lease_until": _iso(0.01)}, "under_way"),
        ({"lease_until": _iso(0)}, "dropped_out"),
        ({"lease_until": _iso(-1), "holds_slot": False}, "dropped_out"),
        ({"released": "returned"}, "dropped_out"),
        ({"holds_slot": False}, "under_way"),
        ({"state": "completed", "finished_at": _iso(-1)}, "finished"),
        ({"state": "completed", "finished_at": _iso(-1), "released": "timed_out"}, "finished"),
        ({"state": "completed", "finished_at": _iso(-300), "lease_until": _iso(-200)}, "finished"),
        ({"state": "screened_out", "finished_at": _iso(-1)}, "screened_out"),
        ({"state": "abandoned", "finished_at": _iso(-1)}, "abandoned"),
        ({"state": "restarted", "finished_at": _iso(-1), "holds_slot": False}, "restarted"),
    ],
)
def test_progress_of_a_session(study: Study, changes: dict[str, Any], progress: str) -> None:
    seen = _seen(study, _session(0, **changes))
    assert seen.sessions[0].progress == progress
    assert asdict(seen.total) == asdict(Counts()) | {progress: 1}


def test_conditions_are_counted_separately(study: Study) -> None:
    """Slots 0 and 1 are of different conditions, as are 2 and 3: that is what blocks of two are for."""
    sessions = [_finished(0), _finished(1), _session(2), _session(3, released="returned")]
    seen = _seen(study, *sessions)
    assert {one.condition_idx for one in seen.sessions[2:]} == {0, 1}
    assert [counts.finished for counts in seen.conditions] == [1, 1]
    condition_of = {one.participant: one.condition_idx for one in seen.sessions}
    assert seen.conditions[condition_of["pprolific2"]] == Counts(finished=1, under_way=1)
    assert seen.conditions[condition_of["pprolific3"]] == Counts(finished=1, dropped_out=1)
    assert seen.total == Counts(finished=2, under_way=1, dropped_out=1)


def test_test_sessions_are_listed_but_counted_separately(study: Study) -> None:
    seen = _seen(study, _finished(0, platform="test", holds_slot=False), _session(0), _session(1, platform="inperson"))
    assert (seen.n_tried_out, seen.total) == (1, Counts(under_way=2))
    assert seen.platforms == {"prolific": 1, "inperson": 1}
    assert seen.median_minutes is None
    assert [one.platform for one in seen.sessions] == ["inperson", "prolific", "test"]
    assert [one.may_be_released for one in seen.sessions] == [True, True, False]


def test_platforms_are_listed_with_the_most_sessions_first(study: Study) -> None:
    sessions = [_session(0, platform="inperson"), _session(1), _session(2)]
    assert list(_seen(study, *sessions).platforms.items()) == [("prolific", 2), ("inperson", 1)]


def test_median_time_is_that_of_finished_sessions(study: Study) -> None:
    screened = _session(3, state="screened_out", finished_at=_iso(-59))
    seen = _seen(study, _finished(0, 10), _finished(1, 30), _finished(2, 32.5), screened, _session(4))
    assert seen.median_minutes == 30


def test_places_left_counts_slots_free_now(study: Study) -> None:
    sessions = [
        _finished(0),
        _session(1),
        _session(2, lease_until=_iso(-1)),
        _session(3, state="screened_out", finished_at=_iso(-1)),
        # Lost its place to another, and came back.
        _session(4, holds_slot=False),
        _session(4, platform="test", holds_slot=False),
    ]
    assert _seen(replace(study, slots=Slots(10, reuse=False)), *sessions).places_left == 8
    assert _seen(replace(study, slots=Slots(10, reuse=True)), *sessions).places_left is None


def test_session_shows_stored_trials_and_problems(study: Study) -> None:
    problems = [Problem("page_error", "a", None, _iso(-3)), Problem("picture_missing", "b", 3, _iso(-2))]
    reported = [("pprolific0", problems[0]), ("somebody else", problems[0]), ("pprolific0", problems[1])]
    (one,) = _seen(study, _session(0), trial_counts={"pprolific0": 5}, problems=reported).sessions
    assert (one.n_stored, one.n_trials, one.problems) == (5, N_TRIALS, tuple(problems))
    assert (one.started_at, one.last_seen) == (_iso(-60), _iso(-1))


def test_last_seen_is_the_end_or_the_last_lease_renewal(study: Study) -> None:
    given_back = _session(1, released="returned", lease_until=_iso(-5))
    seen = _seen(study, _finished(0, 20), given_back)
    assert [one.last_seen for one in seen.sessions] == [None, _iso(-40)]


def test_only_a_started_session_can_be_released_once(study: Study) -> None:
    sessions = [_session(0), _session(1, lease_until=_iso(-1)), _session(2, released="returned"), _finished(3)]
    sessions.append(_session(4, platform="test"))
    seen = _seen(study, *sessions)
    assert [one.may_be_released for one in reversed(seen.sessions)] == [True, True, False, False, False]


def test_number_of_trials_is_known_without_building_the_trial_set(study: Study) -> None:
    assert n_trials(study, 3) == len(build_trialset(study, 3).trials)


def test_service_overview_reads_its_store(study: Study, store: SessionStore) -> None:
    moments = iter([0, 5, 9, 20, 400])
    service = SessionService(study, store, clock=lambda: _NOW + timedelta(minutes=next(moments)))
    token = service.start(PlatformIds("prolific", "one")).token
    service.record(token, [answer(0), answer(1)])
    service.report_problem(token, {"kind": "page_error", "message": "broken", "trial_index": 1})
    seen = service.overview()
    (one,) = seen.sessions
    assert (one.n_stored, one.progress, one.last_seen) == (2, "under_way", _iso(5))
    assert [problem.message for problem in one.problems] == ["broken"]
    assert service.overview().total == Counts(dropped_out=1)

"""Participants who return in the middle of the trials resume, restart or are blocked, as the study says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lwise_core.experiments.study import Returning, ReturnPolicy, Study
from lwise_core.sessions.errors import NotYours
from lwise_core.sessions.service import CompletionCodes, SessionService
from lwise_core.sessions.store import PlatformIds, SessionStore
from tests.sessions.conftest import N_TRIALS, answer

_PERSON = PlatformIds("prolific", "s", worker_id="w", study_id="study")

Served = tuple[SessionService, Callable[[float], None]]
Serve = Callable[..., Served]


@pytest.fixture
def serve(study: Study, store: SessionStore) -> Serve:
    """A service with a policy, and a way to let hours pass."""

    def with_policy(policy: ReturnPolicy = "resume", within_hours: float | None = None) -> Served:
        now = [datetime(2026, 1, 31, 12, tzinfo=UTC)]
        service = SessionService(
            replace(study, returning=Returning(policy, within_hours)),
            store,
            codes=CompletionCodes("CDONE", "COUT"),
            clock=lambda: now[0],
        )

        def pass_hours(hours: float) -> None:
            now[0] += timedelta(hours=hours)

        return service, pass_hours

    return with_policy


def _states(service: SessionService) -> list[tuple[str, int]]:
    return [(record["state"], record["n_stored"]) for record in service.session_records()]


@pytest.mark.parametrize("policy", ["resume", "restart", "block"])
def test_session_without_answers_starts_as_new(serve: Serve, policy: ReturnPolicy) -> None:
    service, _ = serve(policy)
    first, again = service.start(_PERSON), service.start(_PERSON)
    assert (again.state, again.next_trial, again.trialset) == ("started", 0, first.trialset)
    assert _states(service) == [("started", 0)]


def test_session_resumes_after_any_time_by_default(serve: Serve) -> None:
    service, pass_hours = serve()
    service.record(service.start(_PERSON).token, [answer(0), answer(1)])
    pass_hours(10_000)
    again = service.start(_PERSON)
    assert (again.state, again.next_trial) == ("started", 2)


def test_restart_gives_the_same_trials_and_keeps_the_first_answers(serve: Serve) -> None:
    service, _ = serve("restart")
    first = service.start(_PERSON)
    service.record(first.token, [answer(0, i_choice=1), answer(1)])
    again = service.start(_PERSON)
    assert (again.state, again.next_trial, again.trialset) == ("started", 0, first.trialset)
    service.record(again.token, [answer(index) for index in range(N_TRIALS)])
    assert service.finish(again.token).code == "CDONE"
    assert _states(service) == [("restarted", 2), ("completed", N_TRIALS)]
    trials = list(service.trial_records())
    assert len({trial["participant"] for trial in trials}) == 2
    assert [trial["i_choice"] for trial in trials if trial["obs"] == 0] == [1, 0]


def test_completed_session_does_not_restart(serve: Serve) -> None:
    service, _ = serve("restart")
    token = service.start(_PERSON).token
    service.record(token, [answer(index) for index in range(N_TRIALS)])
    service.finish(token)
    assert service.start(_PERSON).state == "completed"
    assert _states(service) == [("completed", N_TRIALS)]


def test_blocked_session_ends_without_a_code_and_accepts_late_answers(serve: Serve) -> None:
    service, _ = serve("block")
    service.record(service.start(_PERSON).token, [answer(0)])
    again = service.start(_PERSON)
    assert again.state == "abandoned"
    assert service.record(again.token, [answer(1)]) == ([1], 2)
    ending = service.finish(again.token)
    assert (ending.state, ending.code, ending.result.bonus_usd) == ("abandoned", None, 0.0)
    service.record(again.token, [answer(index) for index in range(N_TRIALS)])
    assert service.finish(again.token).code is None
    assert _states(service) == [("abandoned", N_TRIALS)]


def test_slot_of_a_blocked_session_is_free_at_once(serve: Serve) -> None:
    service, _ = serve("block")
    first = service.start(_PERSON)
    service.record(first.token, [answer(0)])
    service.start(_PERSON)
    following = service.start(replace(_PERSON, assignment_id="next", worker_id="someone else"))
    assert following.trialset["trialset_id"] == first.trialset["trialset_id"]


@pytest.mark.parametrize("policy", ["resume", "restart"])
@pytest.mark.parametrize(("hours", "state"), [(23.9, "started"), (24, "started"), (24.1, "abandoned")])
def test_session_ends_when_the_participant_returns_too_late(
    serve: Serve, policy: ReturnPolicy, hours: float, state: str
) -> None:
    service, pass_hours = serve(policy, within_hours=24)
    token = service.start(_PERSON).token
    pass_hours(5)
    service.record(token, [answer(0)])
    pass_hours(5)
    service.heartbeat(token)
    pass_hours(hours)
    assert service.start(_PERSON).state == state


def test_released_participant_who_returns_at_once_resumes(serve: Serve) -> None:
    service, pass_hours = serve("resume", within_hours=1)
    service.record(service.start(_PERSON).token, [answer(0)])
    pass_hours(0.1)
    service.release("prolific", "s", reason="timed_out")
    assert service.start(_PERSON).state == "started"


def test_another_worker_with_the_link_cannot_end_a_session(serve: Serve) -> None:
    service, _ = serve("block")
    token = service.start(_PERSON).token
    service.record(token, [answer(0)])
    with pytest.raises(NotYours):
        service.start(replace(_PERSON, worker_id="a stranger"))
    assert service.record(token, [answer(1)]) == ([1], 2)
    assert _states(service) == [("started", 2)]


# --- what the platform says of who has gone


def test_slot_of_a_returned_session_is_free_at_once_and_its_data_stay_marked(serve: Serve) -> None:
    service, _ = serve()
    gone = service.start(_PERSON)
    service.record(gone.token, [answer(0)])
    assert service.release("prolific", "s", reason="returned")
    following = service.start(replace(_PERSON, assignment_id="next", worker_id="someone else"))
    assert following.trialset["trialset_id"] == gone.trialset["trialset_id"]
    first, second = service.session_records()
    assert (first["released"], first["holds_slot"], first["n_stored"]) == ("returned", False, 1)
    assert (second["released"], second["holds_slot"]) == (None, True)


def test_release_needs_a_session_under_way(serve: Serve) -> None:
    service, _ = serve()
    assert not service.release("prolific", "never seen", reason="timed_out")


def test_heartbeat_keeps_the_slot(serve: Serve) -> None:
    service, pass_hours = serve()
    reading = service.start(_PERSON)
    for _ in range(5):
        pass_hours(1.5)
        service.heartbeat(reading.token)
    other = service.start(replace(_PERSON, assignment_id="next", worker_id="someone else"))
    assert other.trialset["trialset_id"] != reading.trialset["trialset_id"]

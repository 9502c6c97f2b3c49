"""The contract of `SessionStore`, tested on every store."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from lwise_core.errors import InputError
from lwise_core.sessions.errors import AlreadyTookPart, NotYours, StudyFull
from lwise_core.sessions.store import PlatformIds, Problem, Session, SessionStore
from tests.sessions.conftest import Crowd, OpenStore, every_store

pytestmark = every_store

_NOW = "2026-01-31T12:00:00.000+00:00"
_LATER = "2026-01-31T13:00:00.000+00:00"
_TOKEN = "0" * 64
_N_THREADS = 8


def _open(
    store: SessionStore,
    name: str,
    *,
    platform: str = "inperson",
    token: str | None = None,
    worker: str | None = None,
    slot: int | None = None,
    n_slots: int | None = None,
    may_repeat: bool = False,
    now: str = _NOW,
    lease_until: str = _LATER,
) -> Session:
    return store.open_session(
        PlatformIds(platform, name, worker_id=worker or f"worker of {name}"),
        participant=f"participant of {platform} {name}",
        token_sha256=token or f"token of {platform} {name}",
        slot=slot,
        n_slots=n_slots,
        may_repeat=may_repeat,
        now=now,
        lease_until=lease_until,
    )


def _at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """Run calls in threads that all begin together."""
    ready = Barrier(_N_THREADS)

    def run(share: list[Callable[[], Any]]) -> list[Any]:
        ready.wait()
        return [call() for call in share]

    with ThreadPoolExecutor(_N_THREADS) as threads:
        shares = threads.map(run, [calls[number::_N_THREADS] for number in range(_N_THREADS)])
        return [result for share in shares for result in share]


def test_new_store_is_empty(store: SessionStore) -> None:
    assert list(store.sessions()) == []
    assert store.session_with_token("any") is None


def test_session_is_stored_as_opened(open_store: OpenStore) -> None:
    ids = PlatformIds("prolific", "çà 参加者", worker_id=None, study_id="study")
    opened = open_store().open_session(
        ids,
        participant="p1",
        token_sha256=_TOKEN,
        slot=None,
        n_slots=None,
        may_repeat=False,
        now=_NOW,
        lease_until=_LATER,
    )
    assert opened == Session("p1", ids, slot=0, holds_slot=True, started_at=_NOW, lease_until=_LATER)
    assert opened.state == "started"
    elsewhere = open_store()
    assert elsewhere.session_with_token(_TOKEN) == opened
    assert list(elsewhere.sessions()) == [opened]


# --- slots


def test_slots_are_assigned_in_order_and_sessions_listed_oldest_first(store: SessionStore) -> None:
    opened = [_open(store, name) for name in ("b", "a", "c")]
    assert [session.slot for session in opened] == [0, 1, 2]
    assert list(store.sessions()) == opened


def test_concurrent_arrivals_get_different_slots(open_store: OpenStore, crowd: Crowd) -> None:
    stores = [open_store() for _ in range(2)]
    numbers = range(crowd(200))
    sessions = _at_once([lambda n=n: _open(stores[n % 2], f"person {n}") for n in numbers])  # type: ignore[misc]
    assert sorted(session.slot for session in sessions) == list(numbers)


def test_concurrent_opens_of_one_assignment_give_one_session(open_store: OpenStore) -> None:
    stores = [open_store() for _ in range(2)]
    sessions = _at_once([lambda n=n: _open(stores[n % 2], "same", token=f"t{n}") for n in range(40)])  # type: ignore[misc]
    # Which slot it is may depend on who was first; that all of them got the same one may not.
    assert {session.participant for session in sessions} == {"participant of inperson same"}
    assert len({session.slot for session in sessions}) == 1
    assert len(list(stores[0].sessions())) == 1
    valid = [n for n in range(40) if stores[0].session_with_token(f"t{n}")]
    assert len(valid) == 1


def test_full_study_rejects_arrivals_and_stores_nothing(open_store: OpenStore, crowd: Crowd) -> None:
    stores = [open_store() for _ in range(2)]
    n_slots = crowd(30)

    def arrive(number: int) -> int | None:
        try:
            return _open(stores[number % 2], f"person {number}", n_slots=n_slots).slot
        except StudyFull:
            return None

    slots = _at_once([lambda n=n: arrive(n) for n in range(crowd(80))])  # type: ignore[misc]
    assert sorted(slot for slot in slots if slot is not None) == list(range(n_slots))
    assert len(list(stores[0].sessions())) == n_slots


def test_holder_keeps_the_slot_when_the_study_is_full(store: SessionStore) -> None:
    _open(store, "early", n_slots=1)
    with pytest.raises(StudyFull):
        _open(store, "late", n_slots=1)
    assert _open(store, "early", n_slots=1, token=_TOKEN).slot == 0
    assert _open(store, "tester", platform="test", slot=0, n_slots=1).slot == 0


# --- leases


_MUCH_LATER = "2026-01-31T20:00:00.000+00:00"


def test_next_arrival_gets_the_lowest_slot_with_an_expired_lease(store: SessionStore) -> None:
    for name in ("a", "b", "c"):
        _open(store, name, lease_until=_LATER)
    assert _open(store, "in time", now=_NOW, lease_until=_MUCH_LATER).slot == 3
    late = [_open(store, name, now=_LATER, lease_until=_MUCH_LATER) for name in ("d", "e", "f", "g")]
    assert [session.slot for session in late] == [0, 1, 2, 4]
    holders = {session.ids.assignment_id: session.slot for session in store.sessions() if session.holds_slot}
    assert holders == {"d": 0, "e": 1, "f": 2, "in time": 3, "g": 4}


def test_session_that_lost_its_slot_keeps_its_trials(store: SessionStore) -> None:
    early = _open(store, "early", token=_TOKEN)
    store.add_trials(early.participant, {0: {"n": 0}}, lease_until=_LATER)
    _open(store, "late", now=_LATER, lease_until=_MUCH_LATER)
    found = store.session_with_token(_TOKEN)
    assert found is not None
    assert (found.participant, found.slot, found.holds_slot) == (early.participant, early.slot, False)
    assert _open(store, "early", now=_LATER, lease_until=_MUCH_LATER).slot == early.slot
    assert store.trials(early.participant) == [{"n": 0}]
    assert store.end(early.participant, state="completed", now=_MUCH_LATER).finished_at == _MUCH_LATER


def test_answers_and_reopening_renew_the_lease(store: SessionStore) -> None:
    answering = _open(store, "answering")
    _open(store, "coming back")
    store.add_trials(answering.participant, {0: {"n": 0}}, lease_until=_MUCH_LATER)
    _open(store, "coming back", lease_until=_MUCH_LATER)
    assert _open(store, "new", now=_LATER, lease_until=_MUCH_LATER).slot == 2


def test_completed_session_keeps_its_slot(store: SessionStore) -> None:
    finished = _open(store, "finished")
    store.end(finished.participant, state="completed", now=_NOW)
    assert _open(store, "new", now=_MUCH_LATER).slot == 1


def test_slot_of_a_screened_out_session_is_free_at_once(store: SessionStore) -> None:
    screened_out = _open(store, "screened out", lease_until=_MUCH_LATER)
    ended = store.end(screened_out.participant, state="screened_out", now=_NOW)
    assert (ended.state, ended.holds_slot) == ("screened_out", True)
    assert _open(store, "next", now=_NOW).slot == 0
    assert _open(store, "after", now=_NOW).slot == 1
    assert [session.holds_slot for session in store.sessions()] == [False, True, True]


def test_session_ends_once(store: SessionStore) -> None:
    session = _open(store, "one")
    first = store.end(session.participant, state="screened_out", now=_NOW)
    assert store.end(session.participant, state="completed", now=_LATER) == first


def test_full_study_accepts_arrivals_after_a_lease_expires(store: SessionStore) -> None:
    _open(store, "silent", n_slots=1)
    with pytest.raises(StudyFull):
        _open(store, "too early", n_slots=1, now=_NOW)
    assert _open(store, "in time", n_slots=1, now=_LATER, lease_until=_MUCH_LATER).slot == 0
    with pytest.raises(StudyFull):
        _open(store, "too late", n_slots=1, now=_LATER)


def test_concurrent_arrivals_get_each_free_slot_once(open_store: OpenStore, crowd: Crowd) -> None:
    stores = [open_store() for _ in range(2)]
    size = crowd(80)
    for number in range(crowd(50)):
        _open(stores[0], f"silent {number}")
    arrivals = _at_once(
        [
            lambda n=n: _open(stores[n % 2], f"new {n}", now=_LATER, lease_until=_MUCH_LATER)  # type: ignore[misc]
            for n in range(size)
        ]
    )
    assert sorted(session.slot for session in arrivals) == list(range(size))
    holders = [session.slot for session in stores[1].sessions() if session.holds_slot]
    assert sorted(holders) == list(range(size))


def test_renewing_extends_the_lease(store: SessionStore) -> None:
    reading = _open(store, "reading", token=_TOKEN)
    store.renew_lease(reading.participant, lease_until=_MUCH_LATER)
    found = store.session_with_token(_TOKEN)
    assert found is not None
    assert found.lease_until == _MUCH_LATER
    assert _open(store, "new", now=_LATER, lease_until=_MUCH_LATER).slot == 1


# --- what the platform says


def test_released_slot_stays_free_whatever_its_page_sends(store: SessionStore) -> None:
    gone = _open(store, "gone", token=_TOKEN, lease_until=_MUCH_LATER)
    assert store.release("inperson", "gone", reason="returned", now=_NOW)
    store.add_trials(gone.participant, {0: {"n": 0}}, lease_until=_MUCH_LATER)
    store.renew_lease(gone.participant, lease_until=_MUCH_LATER)
    _open(store, "gone", lease_until=_MUCH_LATER)
    assert _open(store, "next", now=_NOW, lease_until=_MUCH_LATER).slot == 0
    found = store.session_of("inperson", "gone")
    assert found is not None
    assert (found.released, found.state, found.holds_slot) == ("returned", "started", False)
    assert store.trials(gone.participant) == [{"n": 0}]


def test_only_a_started_session_is_released(store: SessionStore) -> None:
    ended = _open(store, "ended")
    completed = store.end(ended.participant, state="completed", now=_NOW)
    assert not store.release("inperson", "ended", reason="timed_out", now=_NOW)
    assert not store.release("inperson", "nobody", reason="timed_out", now=_NOW)
    assert list(store.sessions()) == [completed]


# --- restarted


def test_restarted_session_keeps_its_slot_and_its_earlier_trials_separately(open_store: OpenStore) -> None:
    store = open_store()
    _open(store, "other")
    before = _open(store, "person", token=_TOKEN, worker="w")
    store.add_trials(before.participant, {0: {"run": 1}}, lease_until=_LATER)
    store.restart(before.participant, fresh="p2", now=_NOW)
    store.add_trials("p2", {0: {"run": 2}}, lease_until=_LATER)
    elsewhere = open_store()
    now = elsewhere.session_with_token(_TOKEN)
    assert now is not None
    assert (now.participant, now.slot, now.holds_slot, now.state) == ("p2", before.slot, True, "started")
    assert elsewhere.session_of("inperson", "person") == now
    assert elsewhere.trials(before.participant) == [{"run": 1}]
    assert elsewhere.trials("p2") == [{"run": 2}]
    ended = next(session for session in elsewhere.sessions() if session.participant == before.participant)
    assert (ended.state, ended.finished_at, ended.holds_slot) == ("restarted", _NOW, False)
    assert _open(elsewhere, "person", worker="w").participant == "p2"
    assert _open(elsewhere, "next", now=_NOW).slot == 2


def test_concurrent_restarts_restart_once(open_store: OpenStore) -> None:
    stores = [open_store() for _ in range(2)]
    participant = _open(stores[0], "person").participant
    _at_once([lambda n=n: stores[n % 2].restart(participant, fresh=f"p{n}", now=_NOW) for n in range(40)])  # type: ignore[misc]
    assert sorted(session.state for session in stores[0].sessions()) == ["restarted", "started"]


def test_ended_session_does_not_restart(store: SessionStore) -> None:
    session = _open(store, "person")
    completed = store.end(session.participant, state="completed", now=_NOW)
    store.restart(session.participant, fresh="p2", now=_LATER)
    assert list(store.sessions()) == [completed]


# --- problems and addresses


def test_problems_are_listed_in_order_up_to_the_limit_per_participant(open_store: OpenStore) -> None:
    store = open_store()
    one, other = (_open(store, name).participant for name in ("one", "other"))
    problems = [Problem("page_error", f"größer {number}", number or None, _NOW) for number in range(5)]
    for problem in problems:
        store.add_problem(one, problem, at_most=3)
    store.add_problem(other, problems[0], at_most=3)
    assert open_store().problems() == [*((one, problem) for problem in problems[:3]), (other, problems[0])]


def test_email_is_stored_once_and_replaced(open_store: OpenStore) -> None:
    store = open_store()
    one, other = (_open(store, name).participant for name in ("one", "other"))
    store.store_email(one, "z@old.org")
    store.store_email(other, "b@example.org")
    store.store_email(one, "a@example.org")
    assert open_store().emails() == ["a@example.org", "b@example.org"]


# --- the same person again


def test_worker_takes_part_once_unless_repeats_are_allowed(store: SessionStore) -> None:
    first = _open(store, "monday", worker="w")
    with pytest.raises(AlreadyTookPart, match="taken part in this study already"):
        _open(store, "tuesday", worker="w")
    assert list(store.sessions()) == [first]
    assert _open(store, "monday", worker="w", token="the same link again").slot == first.slot  # noqa: S106 - no password
    assert _open(store, "monday", worker="w", platform="mturk").slot == 1
    assert _open(store, "tuesday", worker="w", may_repeat=True).slot == 2


def test_assignment_is_reopened_by_the_same_worker_only(store: SessionStore) -> None:
    first = _open(store, "monday", worker="w", token=_TOKEN)
    with pytest.raises(NotYours, match="opened by someone else"):
        _open(store, "monday", worker="somebody else")
    assert store.session_with_token(_TOKEN) == first


@pytest.mark.parametrize(("first", "second"), [(None, "w"), ("w", None)])
def test_assignment_with_and_without_worker_id_are_different_people(
    store: SessionStore, first: str | None, second: str | None
) -> None:
    def open_as(worker: str | None) -> Session:
        return store.open_session(
            PlatformIds("inperson", "monday", worker_id=worker),
            participant="p",
            token_sha256=_TOKEN,
            slot=None,
            n_slots=None,
            may_repeat=False,
            now=_NOW,
            lease_until=_LATER,
        )

    opened = open_as(first)
    with pytest.raises(NotYours):
        open_as(second)
    assert store.session_with_token(_TOKEN) == opened


def test_participants_without_worker_id_are_different_people(store: SessionStore) -> None:
    for number in range(3):
        ids = PlatformIds("inperson", f"visit {number}")
        session = store.open_session(
            ids,
            participant=f"p{number}",
            token_sha256=f"t{number}",
            slot=None,
            n_slots=None,
            may_repeat=False,
            now=_NOW,
            lease_until=_LATER,
        )
        assert session.slot == number


# --- trying out


def test_requested_slot_is_not_held(store: SessionStore) -> None:
    _open(store, "first")
    asked = [_open(store, name, platform="test", slot=number) for name, number in [("x", 0), ("y", 0), ("z", 7)]]
    assert [session.slot for session in asked] == [0, 0, 7]
    assert _open(store, "second").slot == 1


def test_empty_store_can_be_opened_concurrently(open_store: OpenStore) -> None:
    _at_once([lambda: open_store().claim("a" * 64)] * 40)
    assert list(open_store().sessions()) == []


# --- opening again


def test_reopening_gives_the_same_session_a_new_token(store: SessionStore) -> None:
    old, new = "a" * 64, "b" * 64
    first = _open(store, "person", token=old)
    again = store.open_session(
        PlatformIds("inperson", "person", worker_id="worker of person"),
        participant="another pseudonym",
        token_sha256=new,
        slot=None,
        n_slots=None,
        may_repeat=False,
        lease_until=_LATER,
        now=_LATER,
    )
    assert again == first
    assert store.session_with_token(old) is None
    assert store.session_with_token(new) == first
    assert _open(store, "next").slot == 1


def test_same_assignment_id_on_another_platform_is_another_session(store: SessionStore) -> None:
    sessions = [_open(store, "same", platform=platform) for platform in ("prolific", "mturk")]
    assert [session.slot for session in sessions] == [0, 1]


# --- trials


def test_trials_are_returned_in_order_of_their_index(open_store: OpenStore) -> None:
    store = open_store()
    participant = _open(store, "person").participant
    records = {index: {"obs": index, "name": 'größe "1"\n', "list": [1.5, None, True]} for index in (10, 2, 0)}
    store.add_trials(participant, {10: records[10]}, lease_until=_LATER)
    store.add_trials(participant, {2: records[2], 0: records[0]}, lease_until=_LATER)
    elsewhere = open_store()
    assert elsewhere.trials(participant) == [records[0], records[2], records[10]]
    assert elsewhere.trial_indices(participant) == {0, 2, 10}


def test_writes_are_visible_to_other_processes_at_once(open_store: OpenStore) -> None:
    stores = [open_store() for _ in range(2)]
    participants = [_open(stores[0], f"person {number}").participant for number in range(_N_THREADS)]

    def sees_its_own(number: int, index: int) -> bool:
        stores[number % 2].add_trials(participants[number], {index: {}}, lease_until=_LATER)
        return stores[index % 2].trial_indices(participants[number]) == set(range(index + 1))

    # Each thread is given the calls of one participant, in this order.
    calls = [
        lambda number=number, index=index: sees_its_own(number, index)  # type: ignore[misc]
        for index in range(10)
        for number in range(_N_THREADS)
    ]
    assert all(_at_once(calls))


def test_first_record_of_a_trial_is_kept(store: SessionStore) -> None:
    participant = _open(store, "person").participant
    store.add_trials(participant, {0: {"choice": "first"}}, lease_until=_LATER)
    store.add_trials(participant, {0: {"choice": "second"}, 1: {"choice": "new"}}, lease_until=_LATER)
    assert store.trials(participant) == [{"choice": "first"}, {"choice": "new"}]


def test_concurrent_copies_of_a_trial_are_stored_once(open_store: OpenStore) -> None:
    stores = [open_store() for _ in range(2)]
    participant = _open(stores[0], "person").participant
    _at_once(
        [lambda n=n: stores[n % 2].add_trials(participant, {n % 5: {"n": n}}, lease_until=_LATER) for n in range(40)]
    )  # type: ignore[misc]
    assert stores[0].trial_indices(participant) == set(range(5))


def test_batch_is_stored_completely_or_not_at_all(store: SessionStore) -> None:
    participant = _open(store, "person").participant
    with pytest.raises(ValueError, match="JSON"):
        store.add_trials(participant, {0: {"n": 0}, 1: {"n": float("nan")}}, lease_until=_LATER)
    assert store.trial_indices(participant) == set()
    store.add_trials(participant, {1: {"n": 1}}, lease_until=_LATER)
    assert store.trials(participant) == [{"n": 1}]


def test_trial_counts_cover_all_participants(store: SessionStore) -> None:
    one, other, _ = (_open(store, name).participant for name in ("one", "other", "without any"))
    store.add_trials(one, {0: {}, 5: {}}, lease_until=_LATER)
    store.add_trials(other, {1: {}}, lease_until=_LATER)
    assert store.trial_counts() == {one: 2, other: 1}


def test_trials_of_different_participants_stay_separate(store: SessionStore) -> None:
    one, other = (_open(store, name).participant for name in ("one", "other"))
    store.add_trials(one, {0: {"of": "one"}}, lease_until=_LATER)
    store.add_trials(other, {0: {"of": "other"}, 1: {"of": "other"}}, lease_until=_LATER)
    assert store.trials(one) == [{"of": "one"}]
    assert store.trial_indices(other) == {0, 1}


# --- the end


def test_session_is_completed_once(open_store: OpenStore) -> None:
    store = open_store()
    participant = _open(store, "person", token=_TOKEN).participant
    completed = store.end(participant, state="completed", now=_NOW)
    assert (completed.state, completed.finished_at) == ("completed", _NOW)
    assert store.end(participant, state="completed", now=_LATER) == completed
    assert open_store().session_with_token(_TOKEN) == completed


# --- the study


def test_store_holds_one_version_of_a_study(open_store: OpenStore) -> None:
    open_store().claim("a" * 64)
    open_store().claim("a" * 64)
    with pytest.raises(InputError, match=r"another version of this study \(aaaaaaaaaaaa…, now bbbbbbbbbbbb…\)"):
        open_store().claim("b" * 64)
    open_store().claim("a" * 64)

"""What is specific to the DynamoDB store: conflicts, lost responses, interrupted functions."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

import pytest
from moto.dynamodb.exceptions import TransactionCanceledException
from moto.dynamodb.models import DynamoDBBackend

from lwise_core.sessions.errors import StudyFull
from lwise_core.sessions.store import PlatformIds, Session
from lwise_core.sessions.stores.dynamodb.store import DynamoStore
from tests.aws import Place, StandIn

_NOW = "2026-01-31T12:00:00.000+00:00"
_SOON = "2026-01-31T13:00:00.000+00:00"
_LATER = "2026-01-31T20:00:00.000+00:00"


@pytest.fixture
def place(aws: StandIn) -> Place:
    return aws.new_place()


@pytest.fixture
def store(aws: StandIn, place: Place) -> DynamoStore:
    return aws.store(place)


def _open(
    store: DynamoStore, name: str, *, now: str = _NOW, lease_until: str = _SOON, n_slots: int | None = None
) -> Session:
    return store.open_session(
        PlatformIds("inperson", name, worker_id=name),
        participant=f"p {name}",
        token_sha256=f"t {name}",
        slot=None,
        n_slots=n_slots,
        may_repeat=False,
        now=now,
        lease_until=lease_until,
    )


class _Died(Exception):  # noqa: N818 - what happens to a function
    """The function is interrupted: timed out, or its machine failed."""


def _dying_at(store: DynamoStore, operation: str) -> Any:
    """While active, the store's process dies before it calls this operation."""
    return mock.patch.object(store._dynamodb, operation, side_effect=_Died)


# --- conflicts


@pytest.fixture
def conflicts() -> Iterator[Callable[[int], Any]]:
    """Makes so many of the next transactions fail with a conflict."""
    transact, left = DynamoDBBackend.transact_write_items, itertools.count()

    def patched(n_conflicts: int) -> Any:
        def conflicting(backend: DynamoDBBackend, writes: list[dict[str, Any]]) -> None:
            if next(left) < n_conflicts:
                raise TransactionCanceledException([("TransactionConflict", "ongoing", None)] + [(None,) * 3] * 5)  # type: ignore[list-item]
            transact(backend, writes)

        return mock.patch.object(DynamoDBBackend, "transact_write_items", conflicting)

    return patched  # type: ignore[return-value]


def test_conflicting_transaction_is_retried(store: DynamoStore, conflicts: Callable[[int], Any]) -> None:
    with conflicts(5):
        session = _open(store, "person")
        assert store.end(session.participant, state="completed", now=_NOW).state == "completed"
    assert [one.state for one in store.sessions()] == ["completed"]


def test_number_of_a_failed_transaction_is_reused(store: DynamoStore, conflicts: Callable[[int], Any]) -> None:
    with conflicts(3):
        assert _open(store, "unlucky").slot == 0
    assert [_open(store, name).slot for name in ("a", "b")] == [1, 2]


def test_persistent_conflicts_raise_and_store_nothing(store: DynamoStore, conflicts: Callable[[int], Any]) -> None:
    with (
        conflicts(10**6),
        mock.patch("lwise_core.sessions.stores.dynamodb.tables.time.sleep"),
        pytest.raises(TimeoutError),
    ):
        _open(store, "person")
    assert store.sessions() == []
    assert _open(store, "next").slot == 0


def test_concurrent_starts_succeed_when_every_second_transaction_conflicts(aws: StandIn, place: Place) -> None:
    transact, numbers = DynamoDBBackend.transact_write_items, itertools.count()

    def every_second(backend: DynamoDBBackend, writes: list[dict[str, Any]]) -> None:
        if next(numbers) % 2:
            raise TransactionCanceledException([("TransactionConflict", "ongoing", None)])
        transact(backend, writes)

    stores = [aws.store(place) for _ in range(2)]
    with mock.patch.object(DynamoDBBackend, "transact_write_items", every_second), ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: _open(stores[n % 2], f"person {n}", lease_until=_LATER), range(20)))
    slots = sorted(session.slot for session in stores[0].sessions())
    assert len(set(slots)) == 20
    # Conflicts may have freed numbers, which the next arrivals get before any new one.
    gaps = set(range(max(slots))) - set(slots)
    assert {_open(stores[0], f"late {n}").slot for n in range(len(gaps))} == gaps


@pytest.mark.parametrize("sign", ["an answer", "the end"])
def test_request_just_before_reassignment_keeps_the_slot(aws: StandIn, place: Place, sign: str) -> None:
    here, there = aws.store(place), aws.store(place)
    participant = _open(here, "silent for long").participant
    transact = here._dynamodb.transact_write_items

    def after_the_sign(**request: Any) -> Any:
        if sign == "an answer":
            there.add_trials(participant, {0: {}}, lease_until=_LATER)
        else:
            there.end(participant, state="completed", now=_SOON)
        return transact(**request)

    with mock.patch.object(here._dynamodb, "transact_write_items", after_the_sign):
        assert _open(here, "next", now=_SOON, lease_until=_LATER).slot == 1
    assert [session.holds_slot for session in here.sessions()] == [True, True]


def test_start_slower_than_its_reservation_gets_another_number(aws: StandIn, place: Place) -> None:
    here, there = aws.store(place), aws.store(place)
    transact, is_first = here._dynamodb.transact_write_items, iter([True])

    def after_the_lease(**request: Any) -> Any:
        if next(is_first, False):
            others = [_open(there, name, now=_SOON, lease_until=_LATER).slot for name in ("finds out", "next")]
            assert others == [1, 0]
        return transact(**request)

    with mock.patch.object(here._dynamodb, "transact_write_items", after_the_lease):
        assert _open(here, "slow").slot == 2


@pytest.mark.parametrize("change", ["restart", "release", "end"])
def test_change_is_retried_when_the_session_is_reopened_meanwhile(aws: StandIn, place: Place, change: str) -> None:
    """Even if the lease stays the same: the newest token must open the session, whatever else happens to it."""
    here, there = aws.store(place), aws.store(place)
    ids = PlatformIds("inperson", "person", worker_id="person")
    opened = _open(here, "person")
    transact, times = here._dynamodb.transact_write_items, itertools.count()

    def after_reopening(**request: Any) -> Any:
        if next(times) == 0:
            there.open_session(
                ids,
                participant="p other",
                token_sha256="t newest",  # noqa: S106 - no password
                slot=None,
                n_slots=None,
                may_repeat=False,
                now=_NOW,
                lease_until=opened.lease_until,
            )
        return transact(**request)

    with mock.patch.object(here._dynamodb, "transact_write_items", after_reopening):
        match change:
            case "restart":
                here.restart(opened.participant, fresh="p fresh", now=_NOW)
            case "release":
                assert here.release("inperson", "person", reason="returned", now=_NOW)
            case "end":
                here.end(opened.participant, state="completed", now=_NOW)
    assert next(times) == 2
    reopened = here.session_with_token("t newest")
    assert reopened is not None
    assert reopened == here.session_of("inperson", "person")
    assert here.session_with_token("t person") is None


# --- interrupted functions


def test_number_of_a_session_that_was_never_stored_is_reused_after_its_lease(store: DynamoStore) -> None:
    with _dying_at(store, "transact_write_items"), pytest.raises(_Died):
        _open(store, "dies")
    assert _open(store, "meanwhile", lease_until=_LATER).slot == 1
    assert _open(store, "finds out", now=_SOON, lease_until=_LATER).slot == 2
    assert _open(store, "next", now=_SOON, lease_until=_LATER).slot == 0
    assert _open(store, "after", now=_SOON, lease_until=_LATER).slot == 3


def test_slot_with_a_leftover_reservation_is_not_assigned_twice(store: DynamoStore) -> None:
    forget = "lwise_core.sessions.stores.dynamodb.slots.Slots.forget"
    with mock.patch(forget, side_effect=_Died), pytest.raises(_Died):
        _open(store, "dies after its session was kept")
    store.end("p dies after its session was kept", state="completed", now=_NOW)
    slots = [_open(store, name, now=_SOON, lease_until=_LATER).slot for name in ("a", "b", "c")]
    assert slots == [1, 2, 3]


def test_interrupted_start_can_be_repeated(store: DynamoStore) -> None:
    with _dying_at(store, "transact_write_items"), pytest.raises(_Died):
        _open(store, "person")
    assert _open(store, "person").state == "started"
    assert len(store.sessions()) == 1


def test_batch_without_its_index_is_not_stored_and_can_be_resent(store: DynamoStore) -> None:
    participant = _open(store, "person").participant
    with _dying_at(store, "update_item"), pytest.raises(_Died):
        store.add_trials(participant, {0: {"n": 0}, 1: {"n": 1}}, lease_until=_LATER)
    assert (store.trial_indices(participant), store.trials(participant)) == (set(), [])
    store.add_trials(participant, {0: {"n": 0}, 1: {"n": 1}}, lease_until=_LATER)
    assert store.trials(participant) == [{"n": 0}, {"n": 1}]


@pytest.mark.parametrize("n_written", [0, 1])
def test_no_trial_is_listed_before_its_record_is_written(store: DynamoStore, n_written: int) -> None:
    """Otherwise a page would hear that the trial is stored, would not send it again, and it would be lost."""
    participant = _open(store, "person").participant
    put, remaining = store._dynamodb.put_item, iter(range(n_written))

    def dies_after(**request: Any) -> Any:
        if next(remaining, None) is None:
            raise _Died
        return put(**request)

    records = {0: {"n": 0}, 1: {"n": 1}}
    with mock.patch.object(store._dynamodb, "put_item", dies_after), pytest.raises(_Died):
        store.add_trials(participant, records, lease_until=_LATER)
    assert (store.trial_indices(participant), store.trials(participant)) == (set(), [])
    store.add_trials(participant, records, lease_until=_LATER)
    assert (store.trial_indices(participant), store.trials(participant)) == ({0, 1}, [{"n": 0}, {"n": 1}])


# --- lost responses, which boto3 retries


def test_retried_request_draws_one_number(store: DynamoStore) -> None:
    update = store._dynamodb.update_item

    def twice(**request: Any) -> Any:
        update(**request)
        return update(**request)

    with mock.patch.object(store._dynamodb, "update_item", twice):
        assert _open(store, "person").slot == 0
    assert _open(store, "next").slot == 1


# --- more than one page of results


def test_trials_of_more_than_a_megabyte_are_read_completely(store: DynamoStore) -> None:
    participant = _open(store, "person").participant
    records = {index: {"obs": index, "text": "x" * 60_000} for index in range(20)}
    store.add_trials(participant, records, lease_until=_LATER)
    assert store.trials(participant) == list(records.values())


def test_more_than_a_hundred_sessions_are_listed_in_order(store: DynamoStore) -> None:
    names = [f"{number}" for number in range(105)]
    for name in names:
        store.open_session(
            PlatformIds("test", name),
            participant=f"p {name}",
            token_sha256=f"t {name}",
            slot=0,
            n_slots=None,
            may_repeat=True,
            now=_NOW,
            lease_until=_SOON,
        )
    assert [session.ids.assignment_id for session in store.sessions()] == names


# --- what it costs


def test_full_study_rejects_without_drawing_a_number(store: DynamoStore) -> None:
    _open(store, "early", n_slots=1)
    for name in ("late", "later"):
        with pytest.raises(StudyFull):
            _open(store, name, n_slots=1)
    assert _open(store, "once there is room").slot == 1


def test_requests_read_only_items_of_their_own_session(aws: StandIn, store: DynamoStore) -> None:
    """Among ten other sessions. Only `trials` reads all trials of a session."""
    for number in range(10):
        _open(store, f"other {number}", lease_until=_LATER)
    called: list[str] = []
    store._dynamodb.meta.events.register("before-call.dynamodb", lambda model, **_: called.append(model.name))
    found: list[int] = []
    store._dynamodb.meta.events.register(
        "after-call.dynamodb.Query", lambda parsed, **_: found.append(parsed["ScannedCount"])
    )
    session = _open(store, "person", lease_until=_LATER)
    store.session_with_token("t person")
    store.add_trials(session.participant, {0: {}, 1: {}}, lease_until=_LATER)
    store.trial_indices(session.participant)
    store.renew_lease(session.participant, lease_until=_LATER)
    store.session_of("inperson", "person")
    store.trials(session.participant)
    store.end(session.participant, state="completed", now=_NOW)
    assert set(called) == {"GetItem", "PutItem", "UpdateItem", "TransactWriteItems", "Query"}
    assert found == [0, 3]

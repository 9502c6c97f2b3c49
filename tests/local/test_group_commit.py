"""Concurrent calls share a commit, and nothing else."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lwise_core.local.group_commit import SharedCommit
from lwise_core.sessions.stores.sqlite.store import SqliteStore

_N_CALLS = 500


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """A store whose file also has a table of numbers, and one whose rows must refer to a number when committed."""
    with closing(SqliteStore(path)) as opened:
        with opened.transaction() as connection:
            connection.execute("CREATE TABLE numbers (number INTEGER PRIMARY KEY, text TEXT)")
            connection.execute("CREATE TABLE references_ (number REFERENCES numbers DEFERRABLE INITIALLY DEFERRED)")
        yield opened


class Numbers:
    """Calls on that table."""

    def __init__(self, store: SqliteStore, path: Path) -> None:
        self._store = store
        self._path = path

    def insert(self, number: int, text: str = "") -> Callable[[], int]:
        def call() -> int:
            with self._store.transaction() as connection:
                connection.execute("INSERT INTO numbers VALUES (?, ?)", (number, text))
            return number

        return call

    def insert_and_raise(self, number: int, error: Exception) -> Callable[[], int]:
        def call() -> int:
            with self._store.transaction() as connection:
                connection.execute("INSERT INTO numbers VALUES (?, '')", (number,))
                raise error

        return call

    def refer_to(self, number: int) -> Callable[[], None]:
        """Succeeds, and lets the commit fail if there is no such number by then."""

        def call() -> None:
            with self._store.transaction() as connection:
                connection.execute("INSERT INTO references_ VALUES (?)", (number,))

        return call

    def kept(self) -> list[int]:
        """The numbers that another process sees."""
        with closing(sqlite3.connect(self._path)) as connection:
            return [number for (number,) in connection.execute("SELECT number FROM numbers ORDER BY number")]


@pytest.fixture
def numbers(store: SqliteStore, path: Path) -> Numbers:
    return Numbers(store, path)


def _pragma(store: SqliteStore, text: str) -> Any:
    with store.transaction() as connection:
        return connection.execute(f"PRAGMA {text}").fetchone()


def _in_one_batch(
    store: SqliteStore, calls: list[Callable[[], Any]], *, told: Callable[[], None] = lambda: None
) -> list[Any]:
    """Have all calls made that have come while another one was under way; what each returned or raised.

    `told` is called whenever one of them is answered.
    """
    begun, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        go_on.wait()

    async def outcome(shared: SharedCommit, call: Callable[[], Any]) -> Any:
        try:
            return await shared.run(call)
        except Exception as error:
            return error
        finally:
            told()

    async def come() -> list[Any]:
        shared = SharedCommit(store.transaction)
        before = asyncio.create_task(shared.run(hold))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        waiting = [asyncio.create_task(outcome(shared, call)) for call in calls]
        await asyncio.sleep(0)
        go_on.set()
        await before
        return await asyncio.gather(*waiting)

    return _run(come())


def _run(coming: Coroutine[Any, Any, Any]) -> Any:
    """In a separate thread: the browser of an earlier test has an event loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coming).result()


def test_concurrent_calls_get_their_own_results_after_the_commit(store: SqliteStore, numbers: Numbers) -> None:
    async def write(shared: SharedCommit, number: int) -> None:
        assert await shared.run(numbers.insert(number)) == number
        assert number in numbers.kept()

    async def come() -> None:
        shared = SharedCommit(store.transaction)
        await asyncio.gather(*(write(shared, number) for number in range(_N_CALLS)))

    _run(come())
    assert numbers.kept() == list(range(_N_CALLS))


def test_calls_during_a_commit_share_the_next_one(store: SqliteStore, numbers: Numbers) -> None:
    statements: list[str] = []
    with store.transaction() as connection:
        pass
    connection.set_trace_callback(statements.append)
    assert _in_one_batch(store, [numbers.insert(number) for number in range(8)]) == list(range(8))
    assert statements.count("COMMIT") == 2  # that of the call before, and one for all


def test_no_result_is_returned_before_the_commit(store: SqliteStore, numbers: Numbers) -> None:
    told, told_early = threading.Event(), []

    def look(statement: str) -> None:
        if statement == "COMMIT":
            # Long enough for someone who has been told to come that far.
            told_early.append(told.wait(0.2))

    with store.transaction() as connection:
        pass
    connection.set_trace_callback(look)
    _in_one_batch(store, [numbers.insert(1), numbers.insert(2)], told=told.set)
    assert told_early == [False, False]
    assert told.is_set()


def test_failed_call_is_undone_without_affecting_others(store: SqliteStore, numbers: Numbers) -> None:
    refusal = ValueError("no more of these")
    calls = [numbers.insert(1), numbers.insert_and_raise(2, refusal), numbers.insert(1), numbers.insert(3)]
    first, refused, doubled, last = _in_one_batch(store, calls)
    assert (first, refused, last) == (1, refusal, 3)
    assert isinstance(doubled, sqlite3.IntegrityError)
    assert numbers.kept() == [1, 3]


def test_failed_commit_raises_for_every_call_and_the_next_batch_is_stored(store: SqliteStore, numbers: Numbers) -> None:
    # The refusal of the doubled number does not hold either, since the number has not been kept.
    calls = [numbers.insert(1), numbers.refer_to(99), numbers.insert(1), numbers.insert(3)]
    outcomes = _in_one_batch(store, calls)
    assert [str(outcome) for outcome in outcomes] == ["FOREIGN KEY constraint failed"] * 4
    assert numbers.kept() == []
    assert _in_one_batch(store, [numbers.insert(1), numbers.refer_to(1)]) == [1, None]
    assert numbers.kept() == [1]


def test_full_disk_raises_for_every_call_and_the_next_batch_is_stored(store: SqliteStore, numbers: Numbers) -> None:
    (n_pages,) = _pragma(store, "page_count")
    _pragma(store, f"max_page_count = {n_pages + 2}")
    calls = [numbers.insert(1), numbers.insert(2, "x" * 100_000), numbers.insert(3)]
    outcomes = _in_one_batch(store, calls)
    assert [outcome.sqlite_errorname for outcome in outcomes] == ["SQLITE_FULL"] * 3
    assert numbers.kept() == []
    assert _in_one_batch(store, [numbers.insert(1), numbers.insert(3)]) == [1, 3]
    assert numbers.kept() == [1, 3]


def test_locked_file_raises_for_every_call(store: SqliteStore, numbers: Numbers, path: Path) -> None:
    _pragma(store, "busy_timeout = 10")

    async def come() -> list[Any]:
        shared = SharedCommit(store.transaction)
        return await asyncio.gather(*(shared.run(numbers.insert(n)) for n in range(4)), return_exceptions=True)

    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert [error.sqlite_errorname for error in _run(come())] == ["SQLITE_BUSY"] * 4
    assert _run(come()) == [0, 1, 2, 3]
    assert numbers.kept() == [0, 1, 2, 3]


def test_call_that_raises_does_not_affect_others(store: SqliteStore, numbers: Numbers) -> None:
    # asyncio does not hand this one on: whoever awaits it would take it for an end.
    outcomes = _in_one_batch(store, [numbers.insert_and_raise(1, StopIteration()), numbers.insert(2)])
    assert isinstance(outcomes[0], RuntimeError)
    assert outcomes[1] == 2
    assert numbers.kept() == [2]


def test_call_after_an_idle_time_is_made(store: SqliteStore, numbers: Numbers) -> None:
    async def one_after_the_other() -> list[int]:
        shared = SharedCommit(store.transaction)
        results = []
        for number in range(3):
            results.append(await asyncio.wait_for(shared.run(numbers.insert(number)), timeout=30))
            await asyncio.sleep(0.01)
        return results

    assert _run(one_after_the_other()) == numbers.kept() == [0, 1, 2]


def test_cancelled_call_leaves_other_results(store: SqliteStore, numbers: Numbers) -> None:
    started, proceed = threading.Event(), threading.Event()

    def hold() -> None:
        started.set()
        proceed.wait()

    async def calls() -> list[int]:
        shared = SharedCommit(store.transaction)
        first = asyncio.create_task(shared.run(hold))
        while not started.is_set():
            await asyncio.sleep(0.001)
        cancelled, other = (asyncio.create_task(shared.run(numbers.insert(number))) for number in (1, 2))
        await asyncio.sleep(0)
        cancelled.cancel()
        proceed.set()
        await first
        return [await asyncio.wait_for(other, timeout=30), await asyncio.wait_for(shared.run(numbers.insert(3)), 30)]

    assert _run(calls()) == [2, 3]
    assert numbers.kept() == [1, 2, 3]

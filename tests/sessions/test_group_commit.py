"""Group commit: who writes at the same time shares a commit, and nothing else."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lwise_core.sessions.group_commit import GroupCommit

_N_THREADS = 16
_PER_THREAD = 50

Operation = Callable[[sqlite3.Connection], Any]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with a table of numbers, and one whose rows must refer to a number when they are committed."""
    file = tmp_path / "numbers.sqlite3"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(
            "PRAGMA journal_mode = WAL;"
            "CREATE TABLE numbers (number INTEGER PRIMARY KEY, text TEXT);"
            "CREATE TABLE of_numbers (number REFERENCES numbers DEFERRABLE INITIALLY DEFERRED);"
        )
    return file


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    """The writer's connection."""
    opened = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=0.01)
    with closing(opened):
        opened.execute("PRAGMA foreign_keys = ON")
        yield opened


@pytest.fixture
def writer(connection: sqlite3.Connection) -> GroupCommit:
    return GroupCommit(connection)


def _insert(number: int, text: str = "") -> Operation:
    def insert(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO numbers VALUES (?, ?)", (number, text))
        return number

    return insert


def _refer_to(number: int) -> Operation:
    """Succeeds, and lets the commit fail if there is no such number by then."""
    return lambda connection: connection.execute("INSERT INTO of_numbers VALUES (?)", (number,)).rowcount


def _kept(path: Path) -> list[int]:
    """The numbers that another connection sees."""
    with closing(sqlite3.connect(path)) as connection:
        return [number for (number,) in connection.execute("SELECT number FROM numbers ORDER BY number")]


def _in_one_group(
    writer: GroupCommit, operations: list[Operation], *, told: Callable[[], None] = lambda: None
) -> list[Any]:
    """Hand all operations in while another commit is under way; what each returned, or the exception that it met.

    `told` is called by everyone who comes back.
    """
    begun, go_on = threading.Event(), threading.Event()

    def hold(_: sqlite3.Connection) -> None:
        begun.set()
        go_on.wait()

    def outcome(operation: Operation) -> Any:
        try:
            return writer.run(operation)
        except Exception as error:
            return error
        finally:
            told()

    with ThreadPoolExecutor(len(operations) + 1) as threads:
        try:
            before = threads.submit(writer.run, hold)
            begun.wait()
            calls = [threads.submit(outcome, operation) for operation in operations]
            while len(writer._group) < len(operations):
                time.sleep(0.001)
        finally:
            go_on.set()
        before.result()
        return [call.result() for call in calls]


def test_each_of_a_crowd_gets_its_own_result_and_finds_it_kept(writer: GroupCommit, path: Path) -> None:
    def write(thread: int) -> None:
        with closing(sqlite3.connect(path)) as reader:
            for number in range(thread, _N_THREADS * _PER_THREAD, _N_THREADS):
                assert writer.run(_insert(number)) == number
                assert reader.execute("SELECT 1 FROM numbers WHERE number = ?", (number,)).fetchone()

    with ThreadPoolExecutor(_N_THREADS) as threads:
        list(threads.map(write, range(_N_THREADS)))
    assert _kept(path) == list(range(_N_THREADS * _PER_THREAD))


def test_who_comes_during_a_commit_shares_the_next_one(writer: GroupCommit, connection: sqlite3.Connection) -> None:
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    assert _in_one_group(writer, [_insert(number) for number in range(8)]) == list(range(8))
    assert statements.count("COMMIT") == 2  # that of the operation before, and one for all


def test_nobody_is_told_before_the_commit(writer: GroupCommit, connection: sqlite3.Connection) -> None:
    told = threading.Event()
    told_early: list[bool] = []

    def look(statement: str) -> None:
        if statement == "COMMIT":
            # Long enough for someone who has been told to come that far.
            told_early.append(told.wait(0.2))

    connection.set_trace_callback(look)
    _in_one_group(writer, [_insert(1), _insert(2), _insert(1)], told=told.set)
    assert told_early == [False, False]
    assert told.is_set()


def test_who_is_refused_leaves_no_trace_and_no_neighbour_is_harmed(writer: GroupCommit, path: Path) -> None:
    refusal = ValueError("no more of these")

    def refused(connection: sqlite3.Connection) -> None:
        _insert(2)(connection)
        raise refusal

    outcomes = _in_one_group(writer, [_insert(1), refused, _insert(3), _insert(1), _insert(4)])
    assert outcomes[:3] == [1, refusal, 3]
    assert isinstance(outcomes[3], sqlite3.IntegrityError)
    assert outcomes[4] == 4
    assert _kept(path) == [1, 3, 4]


def test_when_the_commit_fails_everyone_is_told_and_the_next_group_is_kept(writer: GroupCommit, path: Path) -> None:
    outcomes = _in_one_group(writer, [_insert(1), _refer_to(99), _insert(2)])
    assert [type(outcome) for outcome in outcomes] == [sqlite3.IntegrityError] * 3
    assert _kept(path) == []
    assert _in_one_group(writer, [_insert(1), _refer_to(1)]) == [1, 1]
    assert _kept(path) == [1]


def test_when_the_disk_is_full_everyone_is_told_and_the_next_group_is_kept(
    writer: GroupCommit, connection: sqlite3.Connection, path: Path
) -> None:
    (n_pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {n_pages + 2}")
    outcomes = _in_one_group(writer, [_insert(1), _insert(2, "x" * 100_000), _insert(3)])
    assert [outcome.sqlite_errorname for outcome in outcomes] == ["SQLITE_FULL"] * 3
    assert _kept(path) == []
    assert _in_one_group(writer, [_insert(1), _insert(3)]) == [1, 3]
    assert _kept(path) == [1, 3]


def test_when_another_process_holds_the_file_everyone_is_told(writer: GroupCommit, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        # Not in one group: the operation that would hold it up could not begin.
        with ThreadPoolExecutor(4) as threads:
            calls = [threads.submit(writer.run, _insert(number)) for number in range(4)]
            assert [call.exception().sqlite_errorname for call in calls] == ["SQLITE_BUSY"] * 4  # type: ignore[union-attr]
    assert writer.run(_insert(7)) == 7
    assert _kept(path) == [7]

"""`SessionStore` in one SQLite file: write-ahead log, one writer, and nothing acknowledged before it is on the disk.

Who only reads has a connection of its own, waits for no disk, and sees all that has been acknowledged.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from lwise_core.errors import InputError
from lwise_core.sessions.errors import AlreadyTookPart, NotYours, StudyFull
from lwise_core.sessions.store import PlatformIds, Problem, Session
from lwise_core.sessions.stores.sqlite.schema import MIGRATIONS, OLDEST_SCHEMA, SCHEMA_VERSION
from lwise_core.wire_schema import EndState, ReleaseReason

_PATIENCE_SECONDS = 30
_SESSION_COLUMNS = (
    "participant, platform, assignment_id, worker_id, study_id, slot, holds_slot, started_at, lease_until, released, "
    "ifnull(outcome, 'started'), finished_at"
)
"""In the order of the fields of `Session`."""
_OF_ASSIGNMENT = "platform = ? AND assignment_id = ? AND outcome IS NOT 'restarted'"
_RENEW_LEASE = "UPDATE sessions SET lease_until = ? WHERE participant = ? AND released IS NULL"

_OUTERMOST = ("BEGIN IMMEDIATE", "COMMIT", ("ROLLBACK",))
_WITHIN = ("SAVEPOINT step", "RELEASE step", ("ROLLBACK TO step", "RELEASE step"))
"""How a transaction begins, ends well, and ends badly."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def _writing(
    method: Callable[Concatenate[SqliteStore, sqlite3.Connection, Arguments], Result],
) -> Callable[Concatenate[SqliteStore, Arguments], Result]:
    """A method whose `connection` stands in a transaction, which its end commits."""

    @wraps(method)
    def committed(store: SqliteStore, /, *arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
        with store.transaction() as connection:
            return method(store, connection, *arguments, **named)

    return committed


def _reading(
    method: Callable[Concatenate[SqliteStore, sqlite3.Connection, Arguments], Result],
) -> Callable[Concatenate[SqliteStore, Arguments], Result]:
    """A method that only reads."""

    @wraps(method)
    def read(store: SqliteStore, /, *arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
        with store._reader() as connection:
            return method(store, connection, *arguments, **named)

    return read


class SqliteStore:
    """Sessions in the file `path`, made with its folder if it is not there (unless `must_exist`)."""

    def __init__(self, path: Path, *, must_exist: bool = False) -> None:
        if must_exist and not path.is_file():
            raise InputError(f"{path}: no such data file; `lwise serve` makes it when the first participant arrives")
        self._path = path
        self._turn = threading.RLock()
        self._writing_thread: int | None = None
        self._given_up: BaseException | None = None
        self._idle_readers: list[sqlite3.Connection] = []
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = self._connect()
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            raise InputError(f"{path}: cannot be used as a data file ({error}); choose another with --data") from None

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, check_same_thread=False, isolation_level=None, timeout=_PATIENCE_SECONDS)

    def _prepare(self) -> None:
        try:
            self._use_write_ahead_log()
            self._connection.execute("PRAGMA synchronous = FULL")
            self._migrate()
            # Not before: a table that others refer to could not be made anew.
            self._connection.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            self.close()
            raise

    def _use_write_ahead_log(self) -> None:
        # Who finds the file in use while the journal changes is turned away at once: SQLite itself does not wait then.
        give_up_at = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY  # the rest says why
                if not is_busy or time.monotonic() > give_up_at:
                    raise
                time.sleep(0.01)

    def close(self) -> None:
        """Close the file; the write-ahead log is folded into it."""
        with self._turn:
            for connection in (*self._idle_readers, self._connection):
                connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Keep all that the block writes, or nothing if it raises.

        One within another, as every method that writes is one, can fail by itself, and is on the disk when the
        outermost has ended. One writer at a time, in this process by a lock, among processes by BEGIN IMMEDIATE.
        """
        with self._turn:
            is_outermost = self._writing_thread is None
            begin, end, undo = _OUTERMOST if is_outermost else _WITHIN
            self._check_not_given_up()
            self._connection.execute(begin)
            self._writing_thread = threading.get_ident()
            try:
                yield self._connection
                self._check_not_given_up()
                self._connection.execute(end)
            except BaseException as error:
                if self._connection.in_transaction:
                    for statement in undo:
                        self._connection.execute(statement)
                else:
                    self._given_up = error
                raise
            finally:
                if is_outermost:
                    self._writing_thread = self._given_up = None

    def _check_not_given_up(self) -> None:
        # On a full disk SQLite rolls all of a transaction back, whoever's statement it was that did not fit.
        if self._given_up is not None:
            raise self._given_up

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        if self._writing_thread == threading.get_ident():
            # Within a transaction one sees what one has written so far.
            yield self._connection
            return
        try:
            connection = self._idle_readers.pop()
        except IndexError:
            connection = self._connect()
        try:
            yield connection
        finally:
            self._idle_readers.append(connection)

    @_writing
    def claim(self, connection: sqlite3.Connection, study_sha256: str) -> None:
        found = connection.execute("SELECT sha256 FROM study").fetchone()
        if found is None:
            connection.execute("INSERT INTO study VALUES (?)", (study_sha256,))
        elif found[0] != study_sha256:
            raise InputError(
                f"{self._path}: holds sessions of another version of this study "
                f"({found[0][:12]}…, now {study_sha256[:12]}…); choose another file with --data"
            )

    @_writing
    def open_session(
        self,
        connection: sqlite3.Connection,
        ids: PlatformIds,
        *,
        participant: str,
        token_sha256: str,
        slot: int | None,
        n_slots: int | None,
        may_repeat: bool,
        now: str,
        lease_until: str,
    ) -> Session:
        key = (ids.platform, ids.assignment_id)
        self._refuse_stranger(connection, ids)
        renewed = connection.execute(
            "UPDATE sessions SET token_sha256 = ?, lease_until = iif(released IS NULL, ?, lease_until)"  # noqa: S608
            f" WHERE {_OF_ASSIGNMENT}",
            (token_sha256, lease_until, *key),
        )
        if renewed.rowcount == 0:
            if not may_repeat:
                self._refuse_repeat(connection, ids)
            given = self._free_slot(connection, n_slots, now) if slot is None else slot
            connection.execute(
                "INSERT INTO sessions (participant, platform, assignment_id, worker_id, study_id, slot, holds_slot,"
                " lease_until, token_sha256, started_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(participant, *key, ids.worker_id, ids.study_id),
                    *(given, slot is None, lease_until, token_sha256, now),
                ),
            )
        return self._one(connection, _OF_ASSIGNMENT, key)

    @_reading
    def session_of(self, connection: sqlite3.Connection, platform: str, assignment_id: str) -> Session | None:
        row = self._select(connection, _OF_ASSIGNMENT, (platform, assignment_id)).fetchone()
        return _session(row) if row else None

    @_reading
    def session_with_token(self, connection: sqlite3.Connection, token_sha256: str) -> Session | None:
        row = self._select(connection, "token_sha256 = ?", (token_sha256,)).fetchone()
        return _session(row) if row else None

    @_writing
    def add_trials(
        self,
        connection: sqlite3.Connection,
        participant: str,
        records: Mapping[int, Mapping[str, Any]],
        *,
        lease_until: str,
    ) -> None:
        connection.execute(_RENEW_LEASE, (lease_until, participant))
        connection.executemany(
            "INSERT INTO trials VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            [
                (participant, index, json.dumps(record, ensure_ascii=False, allow_nan=False))
                for index, record in records.items()
            ],
        )

    @_writing
    def renew_lease(self, connection: sqlite3.Connection, participant: str, *, lease_until: str) -> None:
        connection.execute(_RENEW_LEASE, (lease_until, participant))

    @_writing
    def release(
        self, connection: sqlite3.Connection, platform: str, assignment_id: str, *, reason: ReleaseReason, now: str
    ) -> bool:
        released = connection.execute(
            f"UPDATE sessions SET lease_until = ?, released = ? WHERE {_OF_ASSIGNMENT} AND outcome IS NULL",  # noqa: S608
            (now, reason, platform, assignment_id),
        )
        return released.rowcount > 0

    @_writing
    def restart(self, connection: sqlite3.Connection, participant: str, *, fresh: str, now: str) -> None:
        row = connection.execute(
            "SELECT platform, assignment_id, worker_id, study_id, slot, holds_slot, lease_until, released,"
            " token_sha256 FROM sessions WHERE participant = ? AND outcome IS NULL",
            (participant,),
        ).fetchone()
        if row is None:
            return
        connection.execute(
            "UPDATE sessions SET outcome = 'restarted', finished_at = ?, holds_slot = 0, token_sha256 = participant"
            " WHERE participant = ?",
            (now, participant),
        )
        connection.execute(
            "INSERT INTO sessions (platform, assignment_id, worker_id, study_id, slot, holds_slot, lease_until,"
            " released, token_sha256, participant, started_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, fresh, now),
        )

    @_reading
    def trial_indices(self, connection: sqlite3.Connection, participant: str) -> set[int]:
        rows = connection.execute("SELECT trial_index FROM trials WHERE participant = ?", (participant,))
        return {index for (index,) in rows}

    @_reading
    def trials(self, connection: sqlite3.Connection, participant: str) -> list[dict[str, Any]]:
        rows = connection.execute(
            "SELECT record FROM trials WHERE participant = ? ORDER BY trial_index", (participant,)
        ).fetchall()
        return [json.loads(record) for (record,) in rows]

    @_reading
    def trial_counts(self, connection: sqlite3.Connection) -> dict[str, int]:
        return dict(connection.execute("SELECT participant, COUNT(*) FROM trials GROUP BY participant"))

    @_writing
    def add_problem(self, connection: sqlite3.Connection, participant: str, problem: Problem, *, at_most: int) -> None:
        connection.execute(
            "INSERT INTO problems SELECT ?, ?, ?, ?, ? WHERE (SELECT COUNT(*) FROM problems WHERE participant = ?) < ?",
            (participant, problem.kind, problem.message, problem.trial_index, problem.at, participant, at_most),
        )

    @_reading
    def problems(self, connection: sqlite3.Connection) -> list[tuple[str, Problem]]:
        rows = connection.execute("SELECT participant, kind, message, trial_index, at FROM problems ORDER BY rowid")
        return [(participant, Problem(*problem)) for participant, *problem in rows]

    @_writing
    def keep_email(self, connection: sqlite3.Connection, participant: str, email: str) -> None:
        connection.execute("INSERT OR REPLACE INTO emails VALUES (?, ?)", (participant, email))

    @_reading
    def emails(self, connection: sqlite3.Connection) -> list[str]:
        return [email for (email,) in connection.execute("SELECT email FROM emails ORDER BY email")]

    @_writing
    def end(self, connection: sqlite3.Connection, participant: str, *, state: EndState, now: str) -> Session:
        connection.execute(
            "UPDATE sessions SET outcome = ?, finished_at = ? WHERE participant = ? AND outcome IS NULL",
            (state, now, participant),
        )
        return self._one(connection, "participant = ?", (participant,))

    @_reading
    def sessions(self, connection: sqlite3.Connection) -> list[Session]:
        rows = connection.execute(f"SELECT {_SESSION_COLUMNS} FROM sessions ORDER BY number")  # noqa: S608
        return [_session(row) for row in rows]

    @_writing
    def _migrate(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, *range(OLDEST_SCHEMA, SCHEMA_VERSION + 1)):
            raise InputError(
                f"{self._path}: data format {version}; this version of lwise reads formats {OLDEST_SCHEMA} to "
                f"{SCHEMA_VERSION}"
            )
        done = 0 if version == 0 else version - OLDEST_SCHEMA + 1
        for migration in MIGRATIONS[done:]:
            for statement in migration.split(";\n"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @staticmethod
    def _refuse_stranger(connection: sqlite3.Connection, ids: PlatformIds) -> None:
        if connection.execute(
            "SELECT 1 FROM sessions WHERE platform = ? AND assignment_id = ? AND worker_id IS NOT ?",
            (ids.platform, ids.assignment_id, ids.worker_id),
        ).fetchone():
            raise NotYours

    @staticmethod
    def _refuse_repeat(connection: sqlite3.Connection, ids: PlatformIds) -> None:
        person = (ids.platform, ids.worker_id)
        if connection.execute("SELECT 1 FROM sessions WHERE platform = ? AND worker_id = ?", person).fetchone():
            raise AlreadyTookPart

    @staticmethod
    def _free_slot(connection: sqlite3.Connection, n_slots: int | None, now: str) -> int:
        """The lowest slot that its holder has lost, taken from it now, else the next one."""
        overdue = connection.execute(
            "SELECT slot FROM sessions WHERE holds_slot AND outcome IS NOT 'completed'"
            " AND (outcome IS NOT NULL OR lease_until <= ?) ORDER BY slot LIMIT 1",
            (now,),
        ).fetchone()
        if overdue:
            connection.execute("UPDATE sessions SET holds_slot = 0 WHERE holds_slot AND slot = ?", overdue)
            return int(overdue[0])
        (slot,) = connection.execute("SELECT COALESCE(MAX(slot) + 1, 0) FROM sessions WHERE holds_slot").fetchone()
        if n_slots is not None and slot >= n_slots:
            raise StudyFull
        return int(slot)

    @staticmethod
    def _select(connection: sqlite3.Connection, condition: str, values: tuple[str, ...]) -> sqlite3.Cursor:
        return connection.execute(f"SELECT {_SESSION_COLUMNS} FROM sessions WHERE {condition}", values)  # noqa: S608

    def _one(self, connection: sqlite3.Connection, condition: str, values: tuple[str, ...]) -> Session:
        return _session(self._select(connection, condition, values).fetchone())


def _session(row: tuple[Any, ...]) -> Session:
    participant, platform, assignment_id, worker_id, study_id, slot, holds_slot, *times_and_ending = row
    ids = PlatformIds(platform=platform, assignment_id=assignment_id, worker_id=worker_id, study_id=study_id)
    return Session(participant, ids, slot, bool(holds_slot), *times_and_ending)

"""`SessionStore` in one SQLite file: write-ahead log, one writer, and nothing acknowledged before it is on disk.

Readers have connections of their own, do not wait for the disk, and see everything that was acknowledged.
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
"""Statements that begin, commit and roll back a transaction."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def _writing(
    method: Callable[Concatenate[SqliteStore, sqlite3.Connection, Arguments], Result],
) -> Callable[Concatenate[SqliteStore, Arguments], Result]:
    """A method with a `connection` in a transaction that commits when the method returns."""

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
    """Sessions in the file `path`, created with its folder if missing (unless `must_exist`)."""

    def __init__(self, path: Path, *, must_exist: bool = False) -> None:
        if must_exist and not path.is_file():
            raise InputError(f"{path}: no such data file; `lwise serve` creates it when the first participant arrives")
        self._path = path
        self._lock = threading.RLock()
        self._writing_thread: int | None = None
        self._failure: BaseException | None = None
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
            # Only now: a migration could not recreate a table that others refer to.
            self._connection.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            self.close()
            raise

    def _use_write_ahead_log(self) -> None:
        # While another connection changes the journal mode, SQLite fails at once instead of waiting.
        give_up_at = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY  # the other bits give details
                if not is_busy or time.monotonic() > give_up_at:
                    raise
                time.sleep(0.01)

    def close(self) -> None:
        """Close the file; SQLite merges the write-ahead log into it."""
        with self._lock:
            for connection in (*self._idle_readers, self._connection):
                connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit everything that the block writes, or nothing if it raises.

        Transactions nest (every method that writes is one): an inner one can fail alone, and is on disk when the
        outermost has ended. One writer at a time: a lock within this process, BEGIN IMMEDIATE between processes.
        """
        with self._lock:
            is_outermost = self._writing_thread is None
            begin, end, undo = _OUTERMOST if is_outermost else _WITHIN
            self._check_not_failed()
            self._connection.execute(begin)
            self._writing_thread = threading.get_ident()
            try:
                yield self._connection
                self._check_not_failed()
                self._connection.execute(end)
            except BaseException as error:
                if self._connection.in_transaction:
                    for statement in undo:
                        self._connection.execute(statement)
                else:
                    self._failure = error
                raise
            finally:
                if is_outermost:
                    self._writing_thread = self._failure = None

    def _check_not_failed(self) -> None:
        # On a full disk SQLite rolls back the whole transaction, whichever statement failed.
        if self._failure is not None:
            raise self._failure

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        if self._writing_thread == threading.get_ident():
            # Within a transaction, read what it has written so far.
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
        claimed = connection.execute("SELECT sha256 FROM study").fetchone()
        if claimed is None:
            connection.execute("INSERT INTO study VALUES (?)", (study_sha256,))
        elif claimed[0] != study_sha256:
            raise InputError(
                f"{self._path}: holds sessions of another version of this study "
                f"({claimed[0][:12]}…, now {study_sha256[:12]}…); choose another file with --data"
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
        self._reject_other_worker(connection, ids)
        renewed = connection.execute(
            "UPDATE sessions SET token_sha256 = ?, lease_until = iif(released IS NULL, ?, lease_until)"  # noqa: S608
            f" WHERE {_OF_ASSIGNMENT}",
            (token_sha256, lease_until, *key),
        )
        if renewed.rowcount == 0:
            if not may_repeat:
                self._reject_repeat(connection, ids)
            new_slot = self._free_slot(connection, n_slots, now) if slot is None else slot
            connection.execute(
                "INSERT INTO sessions (participant, platform, assignment_id, worker_id, study_id, slot, holds_slot,"
                " lease_until, token_sha256, started_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(participant, *key, ids.worker_id, ids.study_id),
                    *(new_slot, slot is None, lease_until, token_sha256, now),
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
    def store_email(self, connection: sqlite3.Connection, participant: str, email: str) -> None:
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
                f"{self._path}: data format {version}; this version of lwise supports formats {OLDEST_SCHEMA} to "
                f"{SCHEMA_VERSION}"
            )
        n_applied = 0 if version == 0 else version - OLDEST_SCHEMA + 1
        for migration in MIGRATIONS[n_applied:]:
            for statement in migration.split(";\n"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @staticmethod
    def _reject_other_worker(connection: sqlite3.Connection, ids: PlatformIds) -> None:
        if connection.execute(
            "SELECT 1 FROM sessions WHERE platform = ? AND assignment_id = ? AND worker_id IS NOT ?",
            (ids.platform, ids.assignment_id, ids.worker_id),
        ).fetchone():
            raise NotYours

    @staticmethod
    def _reject_repeat(connection: sqlite3.Connection, ids: PlatformIds) -> None:
        person = (ids.platform, ids.worker_id)
        if connection.execute("SELECT 1 FROM sessions WHERE platform = ? AND worker_id = ?", person).fetchone():
            raise AlreadyTookPart

    @staticmethod
    def _free_slot(connection: sqlite3.Connection, n_slots: int | None, now: str) -> int:
        """The lowest free slot, taken from its holder, else the next new one."""
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

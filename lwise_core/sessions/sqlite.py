"""`SessionStore` in one SQLite file: write-ahead log, one writer, and nothing acknowledged before it is on the disk."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lwise_core.errors import InputError
from lwise_core.sessions.errors import AlreadyTookPart, NotYours, StudyFull
from lwise_core.sessions.store import Outcome, PlatformIds, Session

_PATIENCE_SECONDS = 30
_SCHEMA_VERSION = 2
_SCHEMA = """
CREATE TABLE study (sha256 TEXT NOT NULL);
CREATE TABLE sessions (
    number INTEGER PRIMARY KEY,
    participant TEXT NOT NULL UNIQUE,
    platform TEXT NOT NULL,
    assignment_id TEXT NOT NULL,
    worker_id TEXT,
    study_id TEXT,
    slot INTEGER NOT NULL,
    holds_slot INTEGER NOT NULL,
    lease_until TEXT NOT NULL,
    token_sha256 TEXT NOT NULL UNIQUE,
    started_at TEXT NOT NULL,
    outcome TEXT,
    finished_at TEXT,
    UNIQUE (platform, assignment_id)
) STRICT;
CREATE UNIQUE INDEX one_holder_per_slot ON sessions (slot) WHERE holds_slot;
CREATE INDEX open_slots ON sessions (slot) WHERE holds_slot AND outcome IS NOT 'completed';
CREATE INDEX sessions_of_person ON sessions (platform, worker_id);
CREATE TABLE trials (
    participant TEXT NOT NULL REFERENCES sessions (participant),
    trial_index INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (participant, trial_index)
) STRICT, WITHOUT ROWID;
"""
_SESSION_COLUMNS = (
    "participant, platform, assignment_id, worker_id, study_id, slot, holds_slot, started_at, outcome, finished_at"
)


class SqliteStore:
    """Sessions in the file `path`, made with its folder if it is not there (unless `must_exist`)."""

    def __init__(self, path: Path, *, must_exist: bool = False) -> None:
        if must_exist and not path.is_file():
            raise InputError(f"{path}: no such data file; `lwise serve` makes it when the first participant arrives")
        self._path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                path, check_same_thread=False, isolation_level=None, timeout=_PATIENCE_SECONDS
            )
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            raise InputError(f"{path}: cannot be used as a data file ({error}); choose another with --data") from None

    def _prepare(self) -> None:
        try:
            self._use_write_ahead_log()
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._create_schema()
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
        self._connection.close()

    def claim(self, study_sha256: str) -> None:
        with self._transaction() as connection:
            found = connection.execute("SELECT sha256 FROM study").fetchone()
            if found is None:
                connection.execute("INSERT INTO study VALUES (?)", (study_sha256,))
            elif found[0] != study_sha256:
                raise InputError(
                    f"{self._path}: holds sessions of another version of this study "
                    f"({found[0][:12]}…, now {study_sha256[:12]}…); choose another file with --data"
                )

    def open_session(
        self,
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
        with self._transaction() as connection:
            self._refuse_stranger(connection, ids)
            renewed = connection.execute(
                "UPDATE sessions SET token_sha256 = ?, lease_until = ? WHERE platform = ? AND assignment_id = ?",
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
            return self._one(connection, "platform = ? AND assignment_id = ?", key)

    def session_with_token(self, token_sha256: str) -> Session | None:
        with self._lock:
            row = self._select(self._connection, "token_sha256 = ?", (token_sha256,)).fetchone()
        return _session(row) if row else None

    def add_trials(self, participant: str, records: Mapping[int, Mapping[str, Any]], *, lease_until: str) -> None:
        with self._transaction() as connection:
            connection.execute("UPDATE sessions SET lease_until = ? WHERE participant = ?", (lease_until, participant))
            connection.executemany(
                "INSERT INTO trials VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                [
                    (participant, index, json.dumps(record, ensure_ascii=False, allow_nan=False))
                    for index, record in records.items()
                ],
            )

    def trial_indices(self, participant: str) -> set[int]:
        with self._lock:
            rows = self._connection.execute("SELECT trial_index FROM trials WHERE participant = ?", (participant,))
            return {index for (index,) in rows}

    def trials(self, participant: str) -> list[dict[str, Any]]:
        with self._lock:
            rows = self._connection.execute(
                "SELECT record FROM trials WHERE participant = ? ORDER BY trial_index", (participant,)
            ).fetchall()
        return [json.loads(record) for (record,) in rows]

    def end(self, participant: str, *, outcome: Outcome, now: str) -> Session:
        with self._transaction() as connection:
            connection.execute(
                "UPDATE sessions SET outcome = ?, finished_at = ? WHERE participant = ? AND outcome IS NULL",
                (outcome, now, participant),
            )
            return self._one(connection, "participant = ?", (participant,))

    def sessions(self) -> list[Session]:
        with self._lock:
            rows = self._connection.execute(f"SELECT {_SESSION_COLUMNS} FROM sessions ORDER BY number")  # noqa: S608
            return [_session(row) for row in rows]

    def _create_schema(self) -> None:
        with self._transaction() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in _SCHEMA.split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
            elif version != _SCHEMA_VERSION:
                raise InputError(
                    f"{self._path}: data format {version}; this version of lwise reads format {_SCHEMA_VERSION}"
                )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One writer at a time, in this process by the lock and among processes by BEGIN IMMEDIATE."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # On a full disk SQLite may have rolled back already.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

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
            " AND (outcome = 'screened_out' OR lease_until <= ?) ORDER BY slot LIMIT 1",
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
    participant, platform, assignment_id, worker_id, study_id, slot, holds_slot, started_at, *ending = row
    ids = PlatformIds(platform=platform, assignment_id=assignment_id, worker_id=worker_id, study_id=study_id)
    outcome, finished_at = ending
    return Session(
        participant,
        ids,
        slot=slot,
        holds_slot=bool(holds_slot),
        started_at=started_at,
        outcome=outcome,
        finished_at=finished_at,
    )

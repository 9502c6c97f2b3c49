"""The SQLite file: acknowledged data survive a crash and a full disk, and other files are rejected."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest

from lwise_core.errors import InputError
from lwise_core.experiments.study import Study
from lwise_core.sessions.service import SessionService
from lwise_core.sessions.store import PlatformIds
from lwise_core.sessions.stores.sqlite.schema import MIGRATIONS
from lwise_core.sessions.stores.sqlite.store import SqliteStore
from tests.sessions.conftest import answer

_PERSON = PlatformIds("prolific", "session", worker_id="worker")

_OPEN_STORE = """
import sys
from pathlib import Path
from lwise_core.sessions.stores.sqlite.store import SqliteStore
from lwise_core.sessions.store import PlatformIds
store = SqliteStore(Path(sys.argv[1]))
store.open_session(
    PlatformIds("inperson", "a"), participant="p", token_sha256="t", slot=None, n_slots=None, may_repeat=True,
    now="now", lease_until="later",
)
"""

_WRITE_UNTIL_KILLED = (
    _OPEN_STORE
    + """
for index in range(1_000_000):
    store.add_trials("p", {index: {"obs": index}}, lease_until="later")
    print(index, flush=True)
"""
)

_RUN_OUT_OF_SPACE = (
    _OPEN_STORE
    + """
import resource, sqlite3
store.add_trials("p", {0: {"obs": 0}}, lease_until="later")
unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
used = Path(sys.argv[1] + "-wal").stat().st_size
for n_trials in (8, 400):  # 400 do not fit into SQLite's cache, so that it fails before the commit
    resource.setrlimit(resource.RLIMIT_FSIZE, (used + 5_000, unlimited[1]))
    try:
        store.add_trials("p", {index: {"text": "x" * 20_000} for index in range(1, n_trials)}, lease_until="later")
    except sqlite3.Error as error:
        print(error.sqlite_errorname in ("SQLITE_FULL", "SQLITE_IOERR_WRITE"))
    resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    print(store.trial_indices("p"))
store.add_trials("p", {1: {"obs": 1}}, lease_until="later")
print(store.trial_indices("p"))
"""
)


_ROWS_OF_FORMAT_2 = """
INSERT INTO study VALUES ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
INSERT INTO sessions VALUES
    (1, 'p1', 'prolific', 's1', 'w1', 'study', 0, 1, '2026-01-31T13', 't1', 'early', 'completed', 'later'),
    (2, 'p2', 'prolific', 's2', 'w2', 'study', 1, 1, '2026-01-31T13', 't2', 'early', NULL, NULL);
INSERT INTO trials VALUES ('p1', 0, '{"obs": 0}');
PRAGMA user_version = 2;
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "sessions.sqlite3"


def test_acknowledged_trials_survive_a_killed_process(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _WRITE_UNTIL_KILLED, str(path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(20)]
        writer.kill()
        acknowledged += [int(line) for line in writer.stdout if line.endswith("\n")]
    with closing(SqliteStore(path)) as store:
        assert set(acknowledged) <= store.trial_indices("p")
        (session,) = store.sessions()
        assert store.trials("p")[:20] == [{"obs": index} for index in range(20)]
    assert session.slot == 0


def test_open_transaction_is_invisible_to_readers_and_does_not_block_them(path: Path) -> None:
    with closing(SqliteStore(path)) as store, ThreadPoolExecutor(1) as elsewhere:
        ids, token = PlatformIds("inperson", "a"), "t"
        with store.transaction():
            opened = store.open_session(
                ids,
                participant="p",
                token_sha256=token,
                slot=None,
                n_slots=None,
                may_repeat=True,
                now="now",
                lease_until="later",
            )
            store.add_trials("p", {0: {"obs": 0}}, lease_until="later")
            assert store.session_with_token(token) == opened
            assert store.trials("p") == [{"obs": 0}]
            assert elsewhere.submit(store.session_with_token, token).result() is None
            assert elsewhere.submit(store.trials, "p").result() == []
        assert elsewhere.submit(store.session_with_token, token).result() == opened
        assert elsewhere.submit(store.trials, "p").result() == [{"obs": 0}]


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_full_disk_rejects_the_whole_batch_and_the_store_recovers(path: Path) -> None:
    writer = subprocess.run(
        [sys.executable, "-c", _RUN_OUT_OF_SPACE, str(path)], capture_output=True, text=True, check=True
    )
    assert writer.stdout.split("\n") == ["True", "{0}", "True", "{0}", "{0, 1}", ""]


def test_unsupported_file_format_is_rejected(path: Path) -> None:
    SqliteStore(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 7")
    with pytest.raises(
        InputError, match=re.escape(f"{path}: data format 7; this version of lwise supports formats 2 to 3")
    ):
        SqliteStore(path)


def test_earlier_file_format_is_migrated_with_its_data(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(MIGRATIONS[0])
        connection.executescript(_ROWS_OF_FORMAT_2)
    with closing(SqliteStore(path)) as store:
        store.claim("a" * 64)
        done, silent = store.sessions()
        assert (done.participant, done.state, done.holds_slot, done.finished_at) == ("p1", "completed", True, "later")
        assert (silent.ids, silent.slot, silent.lease_until) == (
            PlatformIds("prolific", "s2", "w2", "study"),
            1,
            "2026-01-31T13",
        )
        assert store.trials("p1") == [{"obs": 0}]
        assert store.session_with_token("t2") == silent
        next_one = store.open_session(
            PlatformIds("prolific", "s3"),
            participant="p3",
            token_sha256="t3",  # noqa: S106 - no password
            slot=None,
            n_slots=2,
            may_repeat=False,
            now="2026-01-31T14",
            lease_until="2026-01-31T15",
        )
        assert next_one.slot == 1
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchone() is None
        connection.execute("PRAGMA foreign_keys = ON")
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute("INSERT INTO trials VALUES ('nobody', 0, '{}')")


@pytest.mark.parametrize(
    "content", [b"participant,choice\n" * 100, b"\x00" * 5000, b"SQLite format 3\x00" + b"?" * 5000]
)
def test_file_that_is_no_database_is_rejected_unchanged(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(InputError, match=re.escape(f"{path}: cannot be used as a data file") + ".*--data"):
        SqliteStore(path)
    assert path.read_bytes() == content


def test_error_names_a_folder_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be used as a data file"):
        SqliteStore(tmp_path / "file" / "sessions.sqlite3")


def test_reading_creates_no_file(path: Path) -> None:
    with pytest.raises(InputError, match="no such data file"):
        SqliteStore(path, must_exist=True)
    assert not path.parent.exists()


class _DiskFullError(Exception):
    """What ends a transaction that others have written into."""


def test_session_resumes_before_an_uncommitted_answer(study: Study, path: Path) -> None:
    """Otherwise the participant would not see the trial again and could never finish."""
    with closing(SqliteStore(path)) as store:
        service = SessionService(study, store)
        token = service.start(_PERSON).token
        service.record(token, [answer(0)])
        with suppress(_DiskFullError), store.transaction():
            assert service.record(token, [answer(1)]) == ([1], 2)
            raise _DiskFullError
        assert service.start(_PERSON).next_trial == 1


def test_every_commit_is_synced_to_disk(path: Path) -> None:
    """With NORMAL, a power cut loses the last commits of the write-ahead log, acknowledged though they were."""
    full = 2
    with closing(SqliteStore(path)) as store, store.transaction() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (full,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)

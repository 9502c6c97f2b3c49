"""The SQLite file: what was acknowledged outlives a crash and a full disk, and other files are refused."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from lwise_core.errors import InputError
from lwise_core.sessions.sqlite import SqliteStore

_OPEN_STORE = """
import sys
from pathlib import Path
from lwise_core.sessions.sqlite import SqliteStore
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


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "sessions.sqlite3"


def test_what_was_acknowledged_outlives_a_killed_process(path: Path) -> None:
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


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_a_full_disk_refuses_a_batch_as_a_whole_and_the_store_goes_on_when_there_is_room(path: Path) -> None:
    writer = subprocess.run(
        [sys.executable, "-c", _RUN_OUT_OF_SPACE, str(path)], capture_output=True, text=True, check=True
    )
    assert writer.stdout.split("\n") == ["True", "{0}", "True", "{0}", "{0, 1}", ""]


def test_a_file_of_another_format_is_refused(path: Path) -> None:
    SqliteStore(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 7")
    with pytest.raises(InputError, match=re.escape(f"{path}: data format 7; this version of lwise reads format 2")):
        SqliteStore(path)


@pytest.mark.parametrize(
    "content", [b"participant,choice\n" * 100, b"\x00" * 5000, b"SQLite format 3\x00" + b"?" * 5000]
)
def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(InputError, match=re.escape(f"{path}: cannot be used as a data file") + ".*--data"):
        SqliteStore(path)
    assert path.read_bytes() == content


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be used as a data file"):
        SqliteStore(tmp_path / "file" / "sessions.sqlite3")


def test_reading_makes_no_file(path: Path) -> None:
    with pytest.raises(InputError, match="no such data file"):
        SqliteStore(path, must_exist=True)
    assert not path.parent.exists()

"""Files and folders are written completely or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from lwise_core import atomic_files
from lwise_core.errors import InputError


def test_write_replaces_the_file_and_creates_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    atomic_files.write_text(path, "one\n")
    atomic_files.write_text(path, "zwei ε\n")
    assert path.read_bytes() == "zwei ε\n".encode()
    assert list(path.parent.iterdir()) == [path]


def test_new_folder_appears_when_complete(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with atomic_files.new_folder(path) as folder:
        (folder / "a").write_text("a")
        assert not path.exists()
    assert [entry.name for entry in path.iterdir()] == ["a"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("stop", [RuntimeError, KeyboardInterrupt])
def test_incomplete_folder_is_removed(tmp_path: Path, stop: type[BaseException]) -> None:
    def fill_half() -> None:
        with atomic_files.new_folder(tmp_path / "out") as folder:
            (folder / "a").write_text("a")
            raise stop

    with pytest.raises(stop):
        fill_half()
    assert not list(tmp_path.iterdir())


def test_existing_folder_is_not_changed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep")
    with pytest.raises(InputError, match="exists already"), atomic_files.new_folder(tmp_path):
        pass
    assert (tmp_path / "mine").read_text() == "keep"


def test_unwritable_path_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("keep")
    below_a_file = tmp_path / "file" / "out"
    with pytest.raises(InputError, match=r"cannot write .*/file/out: "):
        atomic_files.write_text(below_a_file, "x")
    with pytest.raises(InputError, match=r"cannot write .*/file/out: "), atomic_files.new_folder(below_a_file):
        pass
    assert (tmp_path / "file").read_text() == "keep"

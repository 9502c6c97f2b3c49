"""Whole files and folders, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from lwise_core import atomic_files
from lwise_core.errors import InputError


def test_a_file_is_replaced_and_its_folder_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    atomic_files.write_text(path, "one\n")
    atomic_files.write_text(path, "zwei ε\n")
    assert path.read_bytes() == "zwei ε\n".encode()
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with atomic_files.new_folder(path) as folder:
        (folder / "a").write_text("a")
        assert not path.exists()
    assert [entry.name for entry in path.iterdir()] == ["a"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("stop", [RuntimeError, KeyboardInterrupt])
def test_a_folder_that_is_not_complete_vanishes(tmp_path: Path, stop: type[BaseException]) -> None:
    def fill_half() -> None:
        with atomic_files.new_folder(tmp_path / "out") as folder:
            (folder / "a").write_text("a")
            raise stop

    with pytest.raises(stop):
        fill_half()
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep")
    with pytest.raises(InputError, match="exists already"), atomic_files.new_folder(tmp_path):
        pass
    assert (tmp_path / "mine").read_text() == "keep"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("keep")
    below_a_file = tmp_path / "file" / "out"
    with pytest.raises(InputError, match=r"cannot write .*/file/out: "):
        atomic_files.write_text(below_a_file, "x")
    with pytest.raises(InputError, match=r"cannot write .*/file/out: "), atomic_files.new_folder(below_a_file):
        pass
    assert (tmp_path / "file").read_text() == "keep"

"""Large downloads from a real server on this machine: they go on where they broke off, and end right or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from lwise_core.download import DownloadError, download_to
from lwise_core.errors import InputError
from tests.interrupted_server import ServedFile, serving_file

_N_BYTES = 1_000_000
_HALF = _N_BYTES // 2


@pytest.fixture
def served() -> Iterator[ServedFile]:
    with serving_file(Random(0).randbytes(_N_BYTES), headers={"ETag": '"first"'}) as file:  # noqa: S311
        yield file


def _fetch(served: ServedFile, path: Path, *, sha256: str | None = None, max_bytes: int = 2 * _N_BYTES) -> list[int]:
    """Bytes that were there each time progress was told."""
    told: list[int] = []
    url = f"{served.address}/models.zip"
    download_to(
        path,
        url,
        sha256=sha256 or served.sha256,
        max_bytes=max_bytes,
        on_progress=lambda done, total: told.append(done if total == _N_BYTES else -1),
    )
    return told


def _break_off(served: ServedFile, path: Path) -> None:
    served.breaks_after = _HALF
    with pytest.raises(DownloadError, match=f"the transfer failed after {_HALF:,} bytes .*it goes on from there"):
        _fetch(served, path)
    served.breaks_after = None
    assert not path.exists()


def _assert_there_alone(served: ServedFile, path: Path) -> None:
    assert path.read_bytes() == served.content
    assert list(path.parent.iterdir()) == [path]


def test_a_file_comes_whole(served: ServedFile, tmp_path: Path) -> None:
    path = tmp_path / "new" / "models.zip"
    told = _fetch(served, path)
    assert told == sorted(told)
    assert told[-1] == _N_BYTES
    _assert_there_alone(served, path)


@pytest.mark.parametrize("headers", [{"ETag": '"first"'}, {"Last-Modified": "Wed, 12 Feb 2025 10:00:00 GMT"}])
def test_a_broken_transfer_goes_on_where_it_was(served: ServedFile, tmp_path: Path, headers: dict[str, str]) -> None:
    served.headers = headers
    _break_off(served, tmp_path / "models.zip")
    told = _fetch(served, tmp_path / "models.zip")
    assert served.ranges == [None, f"bytes={_HALF}-"]
    assert min(told) > _HALF
    assert told[-1] == _N_BYTES
    _assert_there_alone(served, tmp_path / "models.zip")


def test_a_transfer_may_break_off_many_times(served: ServedFile, tmp_path: Path) -> None:
    served.breaks_after = 300_000
    for _ in range(3):
        with pytest.raises(DownloadError):
            _fetch(served, tmp_path / "models.zip")
    _fetch(served, tmp_path / "models.zip")
    assert served.ranges == [None, "bytes=300000-", "bytes=600000-", "bytes=900000-"]
    _assert_there_alone(served, tmp_path / "models.zip")


def test_a_file_that_has_changed_is_fetched_anew(served: ServedFile, tmp_path: Path) -> None:
    _break_off(served, tmp_path / "models.zip")
    served.content = Random(1).randbytes(_N_BYTES)  # noqa: S311
    served.headers = {"ETag": '"second"'}
    told = _fetch(served, tmp_path / "models.zip")
    assert served.ranges == [None, f"bytes={_HALF}-"]
    assert min(told) <= _HALF
    _assert_there_alone(served, tmp_path / "models.zip")


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"weak"'}])
def test_a_server_that_names_no_version_is_asked_for_everything(
    served: ServedFile, tmp_path: Path, headers: dict[str, str]
) -> None:
    served.headers = headers
    _break_off(served, tmp_path / "models.zip")
    _fetch(served, tmp_path / "models.zip")
    assert served.ranges == [None, None]
    _assert_there_alone(served, tmp_path / "models.zip")


def test_a_server_without_ranges_sends_everything(served: ServedFile, tmp_path: Path) -> None:
    served.knows_ranges = False
    _break_off(served, tmp_path / "models.zip")
    _fetch(served, tmp_path / "models.zip")
    _assert_there_alone(served, tmp_path / "models.zip")


def test_a_server_that_sends_another_part_is_asked_for_everything_next(served: ServedFile, tmp_path: Path) -> None:
    served.is_off_by = 1
    _break_off(served, tmp_path / "models.zip")
    with pytest.raises(DownloadError, match="the server answered 206"):
        _fetch(served, tmp_path / "models.zip")
    _fetch(served, tmp_path / "models.zip")
    assert served.ranges == [None, f"bytes={_HALF}-", None]
    _assert_there_alone(served, tmp_path / "models.zip")


def test_another_address_is_another_file(served: ServedFile, tmp_path: Path) -> None:
    _break_off(served, tmp_path / "models.zip")
    with serving_file(Random(2).randbytes(_N_BYTES), headers={"ETag": '"first"'}) as other:  # noqa: S311
        _fetch(other, tmp_path / "models.zip")
        assert other.ranges == [None]
        _assert_there_alone(other, tmp_path / "models.zip")


def test_what_was_complete_but_unchecked_is_checked(served: ServedFile, tmp_path: Path) -> None:
    _break_off(served, tmp_path / "models.zip")
    with (tmp_path / ".models.zip.download").open("ab") as part:
        part.write(served.content[_HALF:])
    _fetch(served, tmp_path / "models.zip")
    assert served.ranges == [None, f"bytes={_N_BYTES}-"]
    _assert_there_alone(served, tmp_path / "models.zip")


def test_another_file_than_was_expected_leaves_nothing(served: ServedFile, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"its SHA-256 is {served.sha256} .*; expected {'0' * 64}. Nothing of it"):
        _fetch(served, tmp_path / "models.zip", sha256="0" * 64)
    assert not list(tmp_path.iterdir())


def test_a_file_that_was_there_stays_until_the_new_one_is_right(served: ServedFile, tmp_path: Path) -> None:
    (tmp_path / "models.zip").write_bytes(b"old")
    served.breaks_after = _HALF
    with pytest.raises(DownloadError):
        _fetch(served, tmp_path / "models.zip")
    assert (tmp_path / "models.zip").read_bytes() == b"old"


def test_a_file_without_end_is_given_up(served: ServedFile, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="holds more than 500,000 bytes; that is no such file"):
        _fetch(served, tmp_path / "models.zip", max_bytes=_HALF)
    assert (tmp_path / ".models.zip.download").stat().st_size <= _HALF


def test_only_secure_addresses_are_asked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected an address with https"):
        download_to(
            tmp_path / "a", "http://example.org/a", sha256="0" * 64, max_bytes=9, on_progress=lambda done, total: None
        )
    assert not list(tmp_path.iterdir())

"""Large downloads from a real server on this machine: they resume, and end with the right file or none."""

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
    """Bytes received at each call of on_progress."""
    n_bytes: list[int] = []
    url = f"{served.address}/models.zip"
    download_to(
        path,
        url,
        sha256=sha256 or served.sha256,
        max_bytes=max_bytes,
        on_progress=lambda done, total: n_bytes.append(done if total == _N_BYTES else -1),
    )
    return n_bytes


def _break_off(served: ServedFile, path: Path) -> None:
    served.breaks_after = _HALF
    with pytest.raises(
        DownloadError, match=f"the transfer failed after {_HALF:,} bytes .*run the command again to resume"
    ):
        _fetch(served, path)
    served.breaks_after = None
    assert not path.exists()


def _assert_there_alone(served: ServedFile, path: Path) -> None:
    assert path.read_bytes() == served.content
    assert list(path.parent.iterdir()) == [path]


def test_download_saves_the_file(served: ServedFile, tmp_path: Path) -> None:
    path = tmp_path / "new" / "models.zip"
    n_bytes = _fetch(served, path)
    assert n_bytes == sorted(n_bytes)
    assert n_bytes[-1] == _N_BYTES
    _assert_there_alone(served, path)


@pytest.mark.parametrize("headers", [{"ETag": '"first"'}, {"Last-Modified": "Wed, 12 Feb 2025 10:00:00 GMT"}])
def test_interrupted_transfer_resumes(served: ServedFile, tmp_path: Path, headers: dict[str, str]) -> None:
    served.headers = headers
    _break_off(served, tmp_path / "models.zip")
    n_bytes = _fetch(served, tmp_path / "models.zip")
    assert served.ranges == [None, f"bytes={_HALF}-"]
    assert min(n_bytes) > _HALF
    assert n_bytes[-1] == _N_BYTES
    _assert_there_alone(served, tmp_path / "models.zip")


def test_transfer_resumes_after_many_interruptions(served: ServedFile, tmp_path: Path) -> None:
    served.breaks_after = 300_000
    for _ in range(3):
        with pytest.raises(DownloadError):
            _fetch(served, tmp_path / "models.zip")
    _fetch(served, tmp_path / "models.zip")
    assert served.ranges == [None, "bytes=300000-", "bytes=600000-", "bytes=900000-"]
    _assert_there_alone(served, tmp_path / "models.zip")


def test_changed_file_is_downloaded_again(served: ServedFile, tmp_path: Path) -> None:
    _break_off(served, tmp_path / "models.zip")
    served.content = Random(1).randbytes(_N_BYTES)  # noqa: S311
    served.headers = {"ETag": '"second"'}
    n_bytes = _fetch(served, tmp_path / "models.zip")
    assert served.ranges == [None, f"bytes={_HALF}-"]
    assert min(n_bytes) <= _HALF
    _assert_there_alone(served, tmp_path / "models.zip")


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"weak"'}])
def test_without_a_version_the_download_starts_over(
    served: ServedFile, tmp_path: Path, headers: dict[str, str]
) -> None:
    served.headers = headers
    _break_off(served, tmp_path / "models.zip")
    _fetch(served, tmp_path / "models.zip")
    assert served.ranges == [None, None]
    _assert_there_alone(served, tmp_path / "models.zip")


def test_server_without_ranges_sends_the_whole_file(served: ServedFile, tmp_path: Path) -> None:
    served.knows_ranges = False
    _break_off(served, tmp_path / "models.zip")
    _fetch(served, tmp_path / "models.zip")
    _assert_there_alone(served, tmp_path / "models.zip")


def test_wrong_range_makes_the_next_download_start_over(served: ServedFile, tmp_path: Path) -> None:
    served.is_off_by = 1
    _break_off(served, tmp_path / "models.zip")
    with pytest.raises(DownloadError, match="the server answered 206"):
        _fetch(served, tmp_path / "models.zip")
    _fetch(served, tmp_path / "models.zip")
    assert served.ranges == [None, f"bytes={_HALF}-", None]
    _assert_there_alone(served, tmp_path / "models.zip")


def test_partial_data_of_another_url_is_not_used(served: ServedFile, tmp_path: Path) -> None:
    _break_off(served, tmp_path / "models.zip")
    with serving_file(Random(2).randbytes(_N_BYTES), headers={"ETag": '"first"'}) as other:  # noqa: S311
        _fetch(other, tmp_path / "models.zip")
        assert other.ranges == [None]
        _assert_there_alone(other, tmp_path / "models.zip")


def test_complete_but_unverified_data_is_verified(served: ServedFile, tmp_path: Path) -> None:
    _break_off(served, tmp_path / "models.zip")
    with (tmp_path / ".models.zip.download").open("ab") as part:
        part.write(served.content[_HALF:])
    _fetch(served, tmp_path / "models.zip")
    assert served.ranges == [None, f"bytes={_N_BYTES}-"]
    _assert_there_alone(served, tmp_path / "models.zip")


def test_wrong_checksum_removes_the_download(served: ServedFile, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"its SHA-256 is {served.sha256} .*expected {'0' * 64}. The download was"):
        _fetch(served, tmp_path / "models.zip", sha256="0" * 64)
    assert not list(tmp_path.iterdir())


def test_existing_file_stays_until_the_new_one_is_verified(served: ServedFile, tmp_path: Path) -> None:
    (tmp_path / "models.zip").write_bytes(b"old")
    served.breaks_after = _HALF
    with pytest.raises(DownloadError):
        _fetch(served, tmp_path / "models.zip")
    assert (tmp_path / "models.zip").read_bytes() == b"old"


def test_file_over_the_limit_is_rejected(served: ServedFile, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="has more than 500,000 bytes; expected a smaller file"):
        _fetch(served, tmp_path / "models.zip", max_bytes=_HALF)
    assert (tmp_path / ".models.zip.download").stat().st_size <= _HALF


def test_only_https_urls_are_requested(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a URL with https"):
        download_to(
            tmp_path / "a", "http://example.org/a", sha256="0" * 64, max_bytes=9, on_progress=lambda done, total: None
        )
    assert not list(tmp_path.iterdir())

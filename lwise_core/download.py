"""Download files over HTTPS: small ones into memory, large ones to disk with resume.

Knows nothing of what the files hold. Imports httpx only when a file is downloaded.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from lwise_core import atomic_files
from lwise_core.errors import InputError
from lwise_core.progress import OnProgress

if TYPE_CHECKING:
    import httpx

MAX_BYTES = 50_000_000
"""Limit of `download`; a larger file is not a table of images."""


_TIMEOUT_SECONDS = 30
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FIRST_BYTE = re.compile(r"bytes (\d+)-")


class DownloadError(OSError):
    """A failed download; the message names the URL and the reason."""


def download(url: str, *, on_progress: OnProgress) -> bytes:
    """Download the file at `url` into memory, following redirects.

    Parameters
    ----------
    url : https, or http on this machine.

    Raises
    ------
    InputError
        If `url` is not an allowed URL.
    DownloadError
        If the server cannot be reached, has no such file, redirects to a URL that is not allowed, sends more than
        `MAX_BYTES`, or the transfer fails.
    """
    content = bytearray()
    with _request(url, {}, have=lambda: len(content), advice="run the command again") as response:
        _check_status(url, response)
        for chunk in _limited(url, response, have=0, max_bytes=MAX_BYTES, on_progress=on_progress):
            content += chunk
    return bytes(content)


def download_to(path: Path, url: str, *, sha256: str, max_bytes: int, on_progress: OnProgress) -> None:
    """Download the file at `url` to `path`, which appears only when it is complete and its SHA-256 is right.

    Until then the data is in `.NAME.download` beside it. If the transfer fails or is interrupted, the next call
    requests the rest, or starts over if the server's file has changed.

    Parameters
    ----------
    url : https, or http on this machine.
    sha256 : expected checksum, 64 lower-case hexadecimal digits.

    Raises
    ------
    InputError
        If `url` is not allowed, or the checksum differs; the downloaded data is then removed.
    DownloadError
        If the server cannot be reached, has no such file, redirects to a URL that is not allowed, sends more than
        `max_bytes`, or the transfer fails; the data received so far is kept.
    """
    partial = _PartialDownload(path.with_name(f".{path.name}.download"), path.with_name(f".{path.name}.download.json"))
    path.parent.mkdir(parents=True, exist_ok=True)
    advice = "run the command again to resume"
    with _request(url, partial.range_headers(url), have=partial.n_bytes, advice=advice) as response:
        # 416: the data is complete, only the checksum was not verified yet.
        if response.status_code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            if not partial.is_continued_by(response):
                if response.status_code == HTTPStatus.PARTIAL_CONTENT:
                    # A range other than the requested one: do not request it again.
                    partial.remove()
                _check_status(url, response)
                partial.start_over(url, response)
            with partial.data.open("ab") as file:
                for chunk in _limited(
                    url, response, have=partial.n_bytes(), max_bytes=max_bytes, on_progress=on_progress
                ):
                    file.write(chunk)
    actual, n_bytes = partial.sha256(), partial.n_bytes()
    if actual != sha256:
        partial.remove()
        raise InputError(
            f"{url}: is not the expected file: its SHA-256 is {actual} ({n_bytes:,} bytes); expected {sha256}. "
            "The download was removed"
        )
    partial.data.replace(path)
    partial.remove()


def parse_sha256(text: str) -> str:
    """Normalise a SHA-256 that a user entered to lower case.

    Raises
    ------
    InputError
        If it is not one.
    """
    if not _SHA256.fullmatch(text.lower()):
        raise InputError(f"--sha256 is {text!r}; expected 64 hexadecimal digits")
    return text.lower()


def is_allowed(url: str) -> bool:
    """Whether a URL may be downloaded: over https, or from this machine."""
    import httpx

    try:
        address = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return bool(address.host) and (
        address.scheme == "https" or (address.scheme == "http" and _is_this_machine(address.host))
    )


@dataclass(frozen=True)
class _Source:
    """The URL of a partial download, and the server's identifier of that version of the file."""

    url: str
    version: str | None


@dataclass(frozen=True)
class _PartialDownload:
    """A download that can be interrupted: the data received, and beside it a record of its source."""

    data: Path
    record: Path

    def n_bytes(self) -> int:
        return self.data.stat().st_size if self.data.exists() else 0

    def sha256(self) -> str:
        with self.data.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def range_headers(self, url: str) -> dict[str, str]:
        """Headers that request the rest of the same version; none if there is no data, or that of another file."""
        try:
            source = _Source(**json.loads(self.record.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return {}
        if not self.n_bytes() or source.url != url or source.version is None:
            return {}
        return {"Range": f"bytes={self.n_bytes()}-", "If-Range": source.version}

    def is_continued_by(self, response: httpx.Response) -> bool:
        first = _FIRST_BYTE.match(response.headers.get("Content-Range", ""))
        return (
            response.status_code == HTTPStatus.PARTIAL_CONTENT and first is not None and int(first[1]) == self.n_bytes()
        )

    def start_over(self, url: str, response: httpx.Response) -> None:
        tag = response.headers.get("ETag")
        # A weak tag guarantees the same meaning, not the same bytes.
        version = tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified")
        self.data.write_bytes(b"")
        atomic_files.write_text(self.record, json.dumps(asdict(_Source(url, version))))

    def remove(self) -> None:
        self.data.unlink(missing_ok=True)
        self.record.unlink(missing_ok=True)


@contextmanager
def _request(url: str, headers: Mapping[str, str], *, have: Callable[[], int], advice: str) -> Iterator[httpx.Response]:
    """Request a file; HTTP errors become a `DownloadError`. `have` returns the number of bytes received."""
    import httpx

    if not is_allowed(url):
        raise InputError(f"{url}: cannot be downloaded; expected a URL with https")
    try:
        with (
            httpx.Client(
                timeout=_TIMEOUT_SECONDS, follow_redirects=True, event_hooks={"request": [_check_redirect]}
            ) as client,
            # Uncompressed, so that bytes can be counted and a small response cannot expand.
            client.stream("GET", url, headers={"Accept-Encoding": "identity", **headers}) as response,
        ):
            yield response
    except httpx.HTTPError as error:
        after = f" after {have():,} bytes" if have() else ""
        raise DownloadError(f"{url}: the transfer failed{after} ({error}); {advice}") from None


def _check_status(url: str, response: httpx.Response) -> None:
    if response.status_code != HTTPStatus.OK:
        raise DownloadError(f"{url}: the server answered {response.status_code} {response.reason_phrase}")


def _limited(
    url: str, response: httpx.Response, *, have: int, max_bytes: int, on_progress: OnProgress
) -> Iterator[bytes]:
    """The body of a response, after `have` bytes received before, up to `max_bytes` in all."""
    length = int(response.headers.get("Content-Length", 0))
    total = have + length if length else 0
    done = have
    for chunk in response.iter_bytes():
        done += len(chunk)
        if done > max_bytes:
            raise DownloadError(f"{url}: has more than {max_bytes:,} bytes; expected a smaller file")
        yield chunk
        on_progress(done, total)


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_redirect(request: httpx.Request) -> None:
    if not is_allowed(str(request.url)):
        raise DownloadError(f"{request.url}: the server redirects to this URL; expected one with https")

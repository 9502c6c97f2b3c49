"""Get files over HTTPS: a small one whole, or a large one that goes on where it was broken off.

Says in plain words why a file could not be had. Knows nothing of what the files hold. Needs httpx once it is asked for
a file, and not before.
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
"""Of `download`; more is not a table of images."""


_TIMEOUT_SECONDS = 30
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FIRST_BYTE = re.compile(r"bytes (\d+)-")


class DownloadError(OSError):
    """A file that could not be had; the message says from where and why."""


def download(url: str, *, on_progress: OnProgress) -> bytes:
    """The content of the file at `url`; redirects are followed.

    Parameters
    ----------
    url : https, or http on this machine.

    Raises
    ------
    InputError
        If `url` is no such address.
    DownloadError
        If the server cannot be reached, has no such file, sends on to an address that is not allowed, sends more than
        `MAX_BYTES`, or stops before the end.
    """
    content = bytearray()
    with _answer_of(url, {}, have=lambda: len(content), advice="run the command again") as answer:
        _refuse_unless_whole(url, answer)
        for chunk in _limited(url, answer, have=0, max_bytes=MAX_BYTES, on_progress=on_progress):
            content += chunk
    return bytes(content)


def download_to(path: Path, url: str, *, sha256: str, max_bytes: int, on_progress: OnProgress) -> None:
    """Write the file at `url` to `path` once it is there whole and is the right one.

    Until then what has come lies beside it as `.NAME.download`. If the transfer stops or is interrupted, the next call
    asks for the rest, and begins anew if the server's file has changed since.

    Parameters
    ----------
    url : https, or http on this machine.
    sha256 : of the file, 64 lower-case hexadecimal digits.

    Raises
    ------
    InputError
        If `url` is no such address, or its file is another one; what came of it is removed.
    DownloadError
        If the server cannot be reached, has no such file, sends on to an address that is not allowed, sends more than
        `max_bytes`, or stops before the end; what came of it stays.
    """
    begun = _Begun(path.with_name(f".{path.name}.download"), path.with_name(f".{path.name}.download.json"))
    path.parent.mkdir(parents=True, exist_ok=True)
    advice = "run the command again, it goes on from there"
    with _answer_of(url, begun.range_headers(url), have=begun.n_bytes, advice=advice) as answer:
        # 416: all of it had come, and only the check was left.
        if answer.status_code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            if not begun.is_continued_by(answer):
                if answer.status_code == HTTPStatus.PARTIAL_CONTENT:
                    # Another part than was asked for; the next call shall not ask so again.
                    begun.forget()
                _refuse_unless_whole(url, answer)
                begun.begin_anew(url, answer)
            with begun.part.open("ab") as file:
                for chunk in _limited(url, answer, have=begun.n_bytes(), max_bytes=max_bytes, on_progress=on_progress):
                    file.write(chunk)
    found, n_bytes = begun.sha256(), begun.n_bytes()
    if found != sha256:
        begun.forget()
        raise InputError(
            f"{url}: is another file than was expected: its SHA-256 is {found} ({n_bytes:,} bytes); expected {sha256}. "
            "Nothing of it was kept"
        )
    begun.part.replace(path)
    begun.forget()


def checked_sha256(given: str) -> str:
    """A SHA-256 that a person gave, in the form in which the computed ones are.

    Raises
    ------
    InputError
        If it is none.
    """
    if not _SHA256.fullmatch(given.lower()):
        raise InputError(f"--sha256 is {given!r}; expected 64 hexadecimal digits")
    return given.lower()


def is_allowed(url: str) -> bool:
    """Whether a file may be downloaded from there: over https, or from this machine."""
    import httpx

    try:
        address = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return bool(address.host) and (
        address.scheme == "https" or (address.scheme == "http" and _is_this_machine(address.host))
    )


@dataclass(frozen=True)
class _Noted:
    """Where a download that has begun comes from, and the server's name for that version of its file."""

    url: str
    version: str | None


@dataclass(frozen=True)
class _Begun:
    """A download that may be broken off: the bytes that have come, and beside them what they are of."""

    part: Path
    notes: Path

    def n_bytes(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def sha256(self) -> str:
        with self.part.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def range_headers(self, url: str) -> dict[str, str]:
        """Headers that ask for the rest of the same version; none if nothing has come, or of something else."""
        try:
            noted = _Noted(**json.loads(self.notes.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return {}
        if not self.n_bytes() or noted.url != url or noted.version is None:
            return {}
        return {"Range": f"bytes={self.n_bytes()}-", "If-Range": noted.version}

    def is_continued_by(self, answer: httpx.Response) -> bool:
        first = _FIRST_BYTE.match(answer.headers.get("Content-Range", ""))
        return (
            answer.status_code == HTTPStatus.PARTIAL_CONTENT and first is not None and int(first[1]) == self.n_bytes()
        )

    def begin_anew(self, url: str, answer: httpx.Response) -> None:
        tag = answer.headers.get("ETag")
        # A weak tag promises the same meaning, not the same bytes.
        version = tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified")
        self.part.write_bytes(b"")
        atomic_files.write_text(self.notes, json.dumps(asdict(_Noted(url, version))))

    def forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.notes.unlink(missing_ok=True)


@contextmanager
def _answer_of(
    url: str, headers: Mapping[str, str], *, have: Callable[[], int], advice: str
) -> Iterator[httpx.Response]:
    """Ask for a file; what goes wrong on the way becomes a `DownloadError`. `have` tells how many bytes have come."""
    import httpx

    if not is_allowed(url):
        raise InputError(f"{url}: cannot be downloaded from; expected an address with https")
    try:
        with (
            httpx.Client(
                timeout=_TIMEOUT_SECONDS, follow_redirects=True, event_hooks={"request": [_refuse_detour]}
            ) as client,
            # Uncompressed, so that bytes can be counted and a small answer stays a small file.
            client.stream("GET", url, headers={"Accept-Encoding": "identity", **headers}) as answer,
        ):
            yield answer
    except httpx.HTTPError as error:
        after = f" after {have():,} bytes" if have() else ""
        raise DownloadError(f"{url}: the transfer failed{after} ({error}); {advice}") from None


def _refuse_unless_whole(url: str, answer: httpx.Response) -> None:
    if answer.status_code != HTTPStatus.OK:
        raise DownloadError(f"{url}: the server answered {answer.status_code} {answer.reason_phrase}")


def _limited(
    url: str, answer: httpx.Response, *, have: int, max_bytes: int, on_progress: OnProgress
) -> Iterator[bytes]:
    """What comes, after `have` bytes that were there, as long as it is no more than was to be expected."""
    length = int(answer.headers.get("Content-Length", 0))
    total = have + length if length else 0
    done = have
    for chunk in answer.iter_bytes():
        done += len(chunk)
        if done > max_bytes:
            raise DownloadError(f"{url}: holds more than {max_bytes:,} bytes; that is no such file")
        yield chunk
        on_progress(done, total)


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _refuse_detour(request: httpx.Request) -> None:
    if not is_allowed(str(request.url)):
        raise DownloadError(f"{request.url}: the server sends on to this address; expected one with https")

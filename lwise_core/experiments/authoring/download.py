"""Get one small file over HTTPS, whole, or say in plain words why not.

Knows nothing of what the file holds or where it is put. Needs httpx.
"""

from __future__ import annotations

import ipaddress

import httpx

from lwise_core.errors import InputError
from lwise_core.experiments.authoring.resolve import OnProgress

MAX_BYTES = 50_000_000
"""More is not a table of pictures."""

_TIMEOUT_SECONDS = 30


class DownloadError(OSError):
    """A file that could not be had; the message says from where and why."""


def download(url: str, *, on_progress: OnProgress) -> bytes:
    """The content of the file at `url`; redirects are followed.

    Parameters
    ----------
    url : https, or http on this machine.
    on_progress : called with the number of bytes that have come and their total, as far as the server says it.

    Raises
    ------
    InputError
        If `url` is no such address.
    DownloadError
        If the server cannot be reached, has no such file, sends on to an address that is not allowed, sends more than
        `MAX_BYTES`, or stops before the end.
    """
    if not is_allowed(url):
        raise InputError(f"{url}: cannot be downloaded from; expected an address with https")
    content = bytearray()
    try:
        with (
            httpx.Client(
                timeout=_TIMEOUT_SECONDS, follow_redirects=True, event_hooks={"request": [_refuse_detour]}
            ) as client,
            # Uncompressed, so that bytes can be counted and a small answer stays a small file.
            client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise DownloadError(f"{url}: the server answered {answer.status_code} {answer.reason_phrase}")
            total = int(answer.headers.get("Content-Length", 0))
            for chunk in answer.iter_bytes():
                content += chunk
                if len(content) > MAX_BYTES:
                    raise DownloadError(f"{url}: holds more than {MAX_BYTES:,} bytes; that is no such file")
                on_progress(len(content), total)
    except httpx.HTTPError as error:
        after = f" after {len(content):,} bytes" if content else ""
        raise DownloadError(f"{url}: the transfer failed{after} ({error}); run the command again") from None
    return bytes(content)


def is_allowed(url: str) -> bool:
    """Whether a file may be downloaded from there: over https, or from this machine."""
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return bool(address.host) and (
        address.scheme == "https" or (address.scheme == "http" and _is_this_machine(address.host))
    )


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _refuse_detour(request: httpx.Request) -> None:
    if not is_allowed(str(request.url)):
        raise DownloadError(f"{request.url}: the server sends on to this address; expected one with https")

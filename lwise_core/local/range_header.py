"""Byte ranges of a file: an invalid Range header is ignored.

RFC 9110, section 14.2 allows that; the response is then the whole file.
"""

from __future__ import annotations

import re

from starlette.types import ASGIApp, Receive, Scope, Send

_ONE = rb"(?:\d{1,18}-\d{0,18}|-\d{1,18})"
_BYTE_RANGES = re.compile(rb"[Bb][Yy][Tt][Ee][Ss]=[ \t]*" + _ONE + rb"(?:[ \t]*,[ \t]*" + _ONE + rb")*[ \t]*")


class OnlyByteRanges:
    """Middleware that removes a Range header that is malformed or whose first byte comes after its last."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["headers"] = [
                (name, value) for name, value in scope["headers"] if name != b"range" or _is_valid(value)
            ]
        await self._app(scope, receive, send)


def _is_valid(value: bytes) -> bool:
    if not _BYTE_RANGES.fullmatch(value):
        return False
    ends = [part.strip().split(b"-") for part in value.partition(b"=")[2].split(b",")]
    return all(not first or not last or int(first) <= int(last) for first, last in ends)

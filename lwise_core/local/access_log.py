"""What the server was asked and how it went, in a file without a trace of who asked.

A line per request: method, path without its parameters, status, milliseconds. Never a header, a body or an address; of
the paths only those that lead somewhere, because the others may be anything that a person has typed. What breaks leaves
its type and its place in the code; the message, which may quote what was sent, is for the terminal alone.
"""

from __future__ import annotations

import logging
import posixpath
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

ACCESS_LOG_FILE = "access.log"
_BYTES_PER_FILE = 10_000_000
_N_OLD_FILES = 5
_LEADS_NOWHERE = (404, 405)
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


@contextmanager
def open_access_log(path: Path) -> Iterator[logging.Logger]:
    """A logger that writes to `path` alone; 10 MB a file, and the last five are kept."""
    # Not from Python's tree of loggers, in which several studies of one process would share it.
    log = logging.Logger("access")
    writer = RotatingFileHandler(path, maxBytes=_BYTES_PER_FILE, backupCount=_N_OLD_FILES, encoding="utf-8")
    formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(message)s", datefmt="%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    writer.setFormatter(formatter)
    log.addHandler(writer)
    try:
        yield log
    finally:
        writer.close()


class AccessLog:
    """Writes a line for every answer of `app`. Stands outside of everything, so that it sees what breaks."""

    def __init__(self, app: ASGIApp, log: logging.Logger) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        # Who hangs up before the answer begins gets none.
        status: int | None = None

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        except Exception as error:
            self._log.error("%s", _place_of(error))
            raise
        finally:
            msec = 1000 * (time.perf_counter() - began)
            self._log.info("%s %s %s %.1f", *_asked(scope, status), "-" if status is None else status, msec)


def _asked(scope: Scope, status: int | None) -> tuple[str, str]:
    method = scope["method"] if scope["method"] in _METHODS else "?"
    # /anything/../index.html leads somewhere too.
    return method, "?" if status in _LEADS_NOWHERE else posixpath.normpath(scope["path"])


def _place_of(error: Exception) -> str:
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"Traceback (most recent call last):\n{frames}{type(error).__qualname__}"

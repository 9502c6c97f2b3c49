"""The access log: a line per request that identifies nobody.

A line has method, path without query, status and milliseconds; never a header, a body or an address, nor an unknown
path, which could be anything that a person typed. An exception is logged with its type and traceback; its message,
which may quote the request, goes to the terminal only.
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
_UNKNOWN_PATH = (404, 405)
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


@contextmanager
def open_access_log(path: Path) -> Iterator[logging.Logger]:
    """A logger that writes to `path` only; it rotates at 10 MB and keeps the last five files."""
    # Not from Python's tree of loggers, which several studies in one process would share.
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
    """Middleware that logs every response of `app`. It is the outermost, so that it sees every exception."""

    def __init__(self, app: ASGIApp, log: logging.Logger) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        # None if the client disconnects before the response starts.
        status: int | None = None

        async def record_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, record_status)
        except Exception as error:
            self._log.error("%s", _traceback(error))
            raise
        finally:
            msec = 1000 * (time.perf_counter() - began)
            self._log.info("%s %s %s %.1f", *_method_and_path(scope, status), "-" if status is None else status, msec)


def _method_and_path(scope: Scope, status: int | None) -> tuple[str, str]:
    method = scope["method"] if scope["method"] in _METHODS else "?"
    # /anything/../index.html is a known path, too.
    return method, "?" if status in _UNKNOWN_PATH else posixpath.normpath(scope["path"])


def _traceback(error: Exception) -> str:
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"Traceback (most recent call last):\n{frames}{type(error).__qualname__}"

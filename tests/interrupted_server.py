"""A real HTTP server with one file, whose responses can break off, change, or ignore the requested range."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class ServedFile:
    """What the server returns; a test may change it between two requests.

    Attributes
    ----------
    breaks_after : bytes of an answer after which the connection is closed; None: never.
    knows_ranges : whether it answers a request for the rest by the rest.
    is_off_by : bytes by which the part that it sends then begins too late.
    headers : further headers, such as ETag; If-Range is compared with ETag and Last-Modified.
    ranges : of each request, the range that it asked for.
    """

    content: bytes
    breaks_after: int | None = None
    knows_ranges: bool = True
    is_off_by: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    ranges: list[str | None] = field(default_factory=list)
    address: str = ""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def first_byte(self, wanted: str | None, version: str | None) -> int:
        if wanted is None or not self.knows_ranges or version not in self.headers.values():
            return 0
        return int(wanted.removeprefix("bytes=").partition("-")[0]) + self.is_off_by


@contextmanager
def serving_file(content: bytes, **settings: object) -> Iterator[ServedFile]:
    """Serve one file at `address`, whatever the path."""
    served = ServedFile(content, **settings)  # type: ignore[arg-type]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            served.ranges.append(wanted)
            first = served.first_byte(wanted, self.headers.get("If-Range"))
            rest = served.content[first:]
            if first and not rest:
                self.send_error(416)
                return
            self.send_response(206 if first else 200)
            if first:
                self.send_header("Content-Range", f"bytes {first}-{len(served.content) - 1}/{len(served.content)}")
            self.send_header("Content-Length", str(len(rest)))
            for name, value in served.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(rest if served.breaks_after is None else rest[: served.breaks_after])

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        served.address = f"http://127.0.0.1:{listening.server_port}"
        try:
            yield served
        finally:
            listening.shutdown()
            thread.join()

"""An HTTP server that answers as a distribution does, for browsers on this machine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.aws_emulator.distribution import Distribution
from tests.aws_emulator.messages import Answer, Request


@dataclass(frozen=True)
class Edge:
    """Where a distribution is served.

    Attributes
    ----------
    url : without a slash at its end.
    domain_name : as AWS would have it.
    troubles : which requests were answered with an error of the server, and why.
    """

    url: str
    domain_name: str
    troubles: list[str]

    def here(self, link: str) -> str:
        """A link to the distribution, as it is on this machine."""
        return link.replace(f"https://{self.domain_name}", self.url)


@contextmanager
def serving(
    distribution: Callable[[], Distribution], crashed: Callable[[BaseException], None], *, port: int = 0
) -> Iterator[Edge]:
    """Serve what `distribution` returns, asked anew for every request, so that deployments show at once."""

    troubles: list[str] = []

    def answer(request: Request) -> Answer:
        try:
            given = distribution().answer(request)
        except Exception as error:
            crashed(error)
            given = Answer(500, (("Content-Type", "text/plain"),), b"the stand-in crashed\n", error=repr(error))
        if given.status >= 500:
            reason = given.error or given.body.decode(errors="replace")
            troubles.append(f"{request.method} {request.path}: {given.status}, {reason}")
        return given

    server = _Server(("127.0.0.1", port), _handler(answer))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Edge(f"http://localhost:{server.server_port}", distribution().domain_name, troubles)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512  # many may begin at once


def _handler(answer: Callable[[Request], Answer]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def __getattr__(self, name: str) -> Callable[[], None]:
            if name.startswith("do_"):  # any method
                return self._answer
            raise AttributeError(name)

        def _answer(self) -> None:
            path, _, query = self.path.partition("?")
            length = int(self.headers.get("Content-Length") or 0)
            given = answer(
                Request(
                    self.command,
                    path,
                    query,
                    tuple(self.headers.items()),
                    self.rfile.read(length),
                    self.client_address[0],
                )
            )
            self.send_response(given.status)
            for name, value in given.headers:
                self.send_header(name, value)
            if given.status != 304:
                self.send_header("Content-Length", str(len(given.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(given.body)

        def log_message(self, *_: Any) -> None:
            """Be quiet."""

    return Handler

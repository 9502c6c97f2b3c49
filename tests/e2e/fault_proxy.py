"""A bad network between browser and server: a proxy that loses, delays, doubles, refuses and breaks off, as it is told.

It takes one request per connection, so that a lost request is a connection that closes, and it notes what it saw.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum, auto
from random import Random
from typing import Any

import httpx

from lwise_core.local.server import listen


class Fault(StrEnum):
    """What happens to a request, or to its answer."""

    NONE = auto()
    DELAYED = auto()
    """Reaches the server late."""
    LOST = auto()
    """Never reaches the server."""
    REFUSED = auto()
    """Answered with 429, 500, 502 or 503 by something before the server."""
    DOUBLED = auto()
    """Reaches the server twice; the browser gets the second answer."""
    REPEATED = auto()
    """Reaches the server again after the browser got its answer and went on."""
    UNANSWERED = auto()
    """Reaches the server, whose answer is lost."""
    BROKEN_OFF = auto()
    """Reaches the server, whose answer ends in the middle."""


_IS_FORWARDED = frozenset(Fault) - {Fault.LOST, Fault.REFUSED}
_LONGEST_DELAY_SEC = 0.4
_REFUSALS = ("429 Too Many Requests", "500 Internal Server Error", "502 Bad Gateway", "503 Service Unavailable")


@dataclass(frozen=True)
class Exchange:
    """A request, what was done to it, and what the server answered if it got it."""

    path: str
    fault: Fault
    sent: Any
    """The body, parsed; None if it is no JSON."""
    answer: Any

    @property
    def is_acknowledged(self) -> bool:
        """Whether the browser was given the server's answer in full."""
        return self.answer is not None and self.fault not in (Fault.UNANSWERED, Fault.BROKEN_OFF)


Judge = Callable[[str], Fault]
"""Decides by its path what happens to a request."""


def no_fault(_: str) -> Fault:
    """A good network."""
    return Fault.NONE


@dataclass
class FaultProxy:
    """The running proxy. `judge` may be changed at any time; `exchanges` grows."""

    url: str
    upstream: httpx.URL
    chance: Random
    judge: Judge = no_fault
    exchanges: list[Exchange] = field(default_factory=list)

    def of(self, path: str) -> list[Exchange]:
        """The exchanges so far at this path."""
        return [exchange for exchange in list(self.exchanges) if exchange.path == path]

    def has_seen(self, index: int) -> bool:
        """Whether the answer to this trial was sent, whatever became of it."""
        return any(trial["index"] == index for exchange in self.of("/api/trials") for trial in exchange.sent["trials"])

    @property
    def acknowledged(self) -> set[int]:
        """Trials of which the browser was told that they are stored."""
        told = [exchange.answer["stored"] for exchange in self.of("/api/trials") if exchange.is_acknowledged]
        return {index for stored in told for index in stored}

    @property
    def first_choices(self) -> dict[int, int | None]:
        """Per trial the choice in the first answer that reached the server."""
        choices: dict[int, int | None] = {}
        for exchange in self.of("/api/trials"):
            for trial in exchange.sent["trials"] if exchange.answer is not None else ():
                choices.setdefault(trial["index"], trial["i_choice"])
        return choices

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request of a browser."""
        try:
            request = await _read_request(reader)
            path = request.split(b" ", 2)[1].decode().partition("?")[0]
            await self._exchange(path, request, writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass  # The browser leaves, or the proxy stops.
        finally:
            writer.close()

    async def _exchange(self, path: str, request: bytes, writer: asyncio.StreamWriter) -> None:
        fault = self.judge(path)
        if fault is Fault.DELAYED:
            await self._a_while()
        answer = await self._forward(request) if fault in _IS_FORWARDED else b""
        if fault is Fault.DOUBLED:
            answer = await self._forward(request)
        self.exchanges.append(Exchange(path, fault, _content(request), _content(answer, if_status=200)))
        if fault is Fault.REFUSED:
            answer = f"HTTP/1.1 {self.chance.choice(_REFUSALS)}\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n".encode()
        elif fault is Fault.UNANSWERED:
            answer = b""
        elif fault is Fault.BROKEN_OFF:
            answer = answer[: -max(1, len(_body(answer)) // 2)]
        writer.write(answer)
        await writer.drain()
        writer.close()
        if fault is Fault.REPEATED:
            await self._a_while()
            await self._forward(request)

    async def _a_while(self) -> None:
        await asyncio.sleep(self.chance.uniform(0.05, _LONGEST_DELAY_SEC))

    async def _forward(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(self.upstream.host, self.upstream.port)
        try:
            writer.write(request)
            return await reader.read()
        finally:
            writer.close()


@contextmanager
def fault_proxy(upstream: str) -> Iterator[FaultProxy]:
    """Stand before the server at `upstream` while the block runs."""
    listener = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    proxy = FaultProxy(url, httpx.URL(upstream), Random(0))  # noqa: S311 - delays and refusals, no secrets
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def run() -> None:
        async with await asyncio.start_server(proxy.handle, sock=listener):
            await over.wait()

    def run_in_thread() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:  # which ends what is still under way
            runner.run(run())

    thread = threading.Thread(target=run_in_thread)
    thread.start()
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()


async def _read_request(reader: asyncio.StreamReader) -> bytes:
    """A request as it came, but for its wish to keep the connection."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head[:-4].split(b"\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    kept = [line for line in lines if not line.lower().startswith(b"connection:")]
    body = await reader.readexactly(int(fields.get(b"content-length", b"0")))
    return b"\r\n".join([first, *kept, b"Connection: close", b"", body])


def _body(message: bytes) -> bytes:
    return message.partition(b"\r\n\r\n")[2]


def _content(message: bytes, *, if_status: int | None = None) -> Any:
    """The JSON in a message; None where there is none, or where the status is another."""
    if if_status is not None and message[9:12] != b"%d" % if_status:
        return None
    try:
        return json.loads(_body(message))
    except ValueError:
        return None

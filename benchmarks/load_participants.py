"""Participants who answer on schedule, whatever the server does: the open-loop half of `server_load.py`.

A seat is one participant at a time on one kept-alive connection: start, an answer per second, finish, and the next
participant. Requests are sent when they are due, or as soon as the previous one has a response; latency
counts from when they were due, so that a stalled server cannot hide it. Run as a program, it takes a `Plan` as JSON
and writes an `Outcome` as JSON; it knows nothing of how the server works. Standard library only, and
requests are written by hand, because it shares the machine with the server.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import sys
import time
from collections import Counter, deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast
from zlib import crc32

TRIALS_PER_CATCH_UP = 50
HEARTBEAT_EVERY = 30
"""Answers between two heartbeats."""
_FASTEST_MSEC, _RANGE_MSEC = 300, 2_000
_PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class Plan:
    """What the seats `first` to `first + seats - 1` do, on the clock of `time.monotonic`, which all processes share.

    From `opens_at` to `full_at` the seats are taken, by participants who are anywhere in the study and send what they
    have answered so far; then each answers once a second until `ends_at`.
    """

    host: str
    port: int
    first: int
    seats: int
    opens_at: float
    full_at: float
    ends_at: float


@dataclass
class Outcome:
    """The result: (due, milliseconds) of every request by kind, errors, and what the server has acknowledged.

    `lateness_msec` is how late the answers were sent: the generator's own delay, which the latencies include.
    `acknowledged` counts the trials of each assignment, always 0, 1, 2 … without a gap.
    """

    latencies: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    lateness_msec: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    sent_again: int = 0
    """Requests that met with a connection which the server was closing as unused, and went out on a new one, as a
    browser sends them."""
    acknowledged: dict[str, int] = field(default_factory=dict)
    finished: list[str] = field(default_factory=list)
    cpu_seconds: float = 0.0
    """While all seats were taken."""


class Seat(asyncio.Protocol):
    """One participant after the other, on one connection."""

    def __init__(self, number: int, plan: Plan, outcome: Outcome) -> None:
        self._number = number
        self._plan = plan
        self._outcome = outcome
        # At the start of the measurement, participants are anywhere in the study, the same in every run.
        self._share_done = Random(number).random()  # noqa: S311 - a schedule, no secret
        self._phase = Random(-number - 1).random()  # noqa: S311
        self._due: deque[tuple[float, str | None]] = deque()
        self._under_way: tuple[float, str] | None = None
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None
        self._n_heard = 0
        """Answers on this connection."""
        self._generation = -1
        self._token: str | None = None
        self._done = self._behind = self._n_trials = 0
        self._sending = 0
        self._request = b""

    @property
    def n_waiting(self) -> int:
        """Requests that were due and have not been answered."""
        return len(self._due) + (self._under_way is not None)

    def take(self) -> None:
        """Arrive; the answers follow once a second when all seats are taken."""
        loop = asyncio.get_running_loop()
        share = self._number / max(self._plan.seats, 1) % 1
        arrival = self._plan.opens_at + share * 0.6 * (self._plan.full_at - self._plan.opens_at)
        loop.call_at(arrival, self._be_due, arrival)
        first_answer = self._plan.full_at + self._phase
        loop.call_at(first_answer, self._answer, first_answer, 0)

    def _answer(self, due: float, number: int) -> None:
        if due >= self._plan.ends_at:
            return
        self._outcome.lateness_msec.append(1e3 * (time.monotonic() - due))
        self._be_due(due)
        if (self._number + number) % HEARTBEAT_EVERY == 0:
            self._be_due(due, "heartbeat")
        asyncio.get_running_loop().call_at(due + 1, self._answer, due + 1, number + 1)

    def _be_due(self, due: float, what: str | None = None) -> None:
        """`what` None: the next step of the session, whatever it is then."""
        self._due.append((due, what))
        self._send_next()

    def _send_next(self) -> None:
        if self._under_way is not None or not self._due:
            return
        due, what = self._due.popleft()
        step = self._next_step() if what is None or self._token is None else what
        self._under_way = (due, step)
        self._request = self._request_of(step)
        self._send()

    def _send(self) -> None:
        if self._transport is None:
            self._connecting = asyncio.get_running_loop().create_task(self._connect())
        else:
            self._transport.write(self._request)

    def _next_step(self) -> str:
        if self._token is None:
            return "start"
        if self._done < self._behind:
            return "catch up"
        return "finish" if self._done == self._n_trials else "record"

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self, self._plan.host, self._plan.port)
        except OSError as error:
            self._fail(type(error).__name__)

    def _request_of(self, step: str) -> bytes:
        if step == "start":
            self._generation += 1
            ids = {"platform": "prolific", "assignment_id": self._assignment, "worker_id": f"person {self._assignment}"}
            return self._post("sessions", {**ids, "study_id": "65f0c0ffee", "trialset_id": None})
        if step in ("record", "catch up"):
            self._sending = 1 if step == "record" else min(TRIALS_PER_CATCH_UP, self._behind - self._done)
            indices = range(self._done, self._done + self._sending)
            return self._post("trials", {"trials": [answer(self._assignment, index) for index in indices]})
        return self._post(step, {})

    @property
    def _assignment(self) -> str:
        return f"seat {self._number} {self._generation}"

    def _post(self, path: str, content: Mapping[str, Any]) -> bytes:
        body = json.dumps(content, separators=(",", ":"))
        authorization = "" if self._token is None else f"Authorization: Bearer {self._token}\r\n"
        return (
            f"POST /api/{path} HTTP/1.1\r\nHost: {self._plan.host}:{self._plan.port}\r\n"
            "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
            "Accept: */*\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\n"
            f"Referer: http://{self._plan.host}:{self._plan.port}/\r\n"
            f"Content-Type: application/json\r\n{authorization}Content-Length: {len(body)}\r\n"
            f"Origin: http://{self._plan.host}:{self._plan.port}\r\nConnection: keep-alive\r\n\r\n{body}"
        ).encode()

    # --- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._n_heard = 0
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head_end = self._received.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = bytes(self._received[:head_end]).lower()
        length = int(head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
        if len(self._received) < head_end + 4 + length:
            return
        body = bytes(self._received[head_end + 4 :])
        self._received.clear()
        self._n_heard += 1
        if self._under_way is not None:
            self._hear(*self._under_way, int(head[9:12]), body)

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None
        if self._under_way is None:
            return
        if self._n_heard and not self._received:
            self._outcome.sent_again += 1
            self._send()
        else:
            self._fail("connection lost")

    # --- what the server says

    def _hear(self, due: float, step: str, status: int, body: bytes) -> None:
        if status != 200:
            self._fail(f"{step}: {status} {body[:200].decode(errors='replace')}")
            return
        self._outcome.latencies.setdefault(step, []).append((due, 1e3 * (time.monotonic() - due)))
        self._under_way = None
        getattr(self, f"_after_{step.replace(' ', '_')}")(json.loads(body))
        self._send_next()

    def _after_start(self, started: dict[str, Any]) -> None:
        self._token = started["token"]
        self._n_trials = len(started["trialset"]["rows"])
        self._done = 0
        self._behind = int(self._share_done * self._n_trials) if self._generation == 0 else 0
        self._outcome.acknowledged[self._assignment] = 0
        if self._behind:
            self._next_at_once()

    def _after_catch_up(self, stored: dict[str, Any]) -> None:
        self._after_record(stored)
        if self._done < self._behind:
            self._next_at_once()

    def _after_record(self, stored: dict[str, Any]) -> None:
        expected = list(range(self._done, self._done + self._sending))
        if stored != {"stored": expected, "next_trial": self._done + self._sending}:
            self._outcome.errors[f"unexpected acknowledgement {stored}"] += 1
            return
        self._done += self._sending
        self._outcome.acknowledged[self._assignment] = self._done
        if self._done == self._n_trials:
            self._next_at_once()

    def _after_heartbeat(self, _: dict[str, Any]) -> None:
        pass

    def _after_finish(self, ending: dict[str, Any]) -> None:
        if ending["state"] != "completed":
            self._outcome.errors[f"ended as {ending['state']}"] += 1
        self._outcome.finished.append(self._assignment)
        self._token = None
        if time.monotonic() < self._plan.ends_at:
            self._next_at_once()

    def _next_at_once(self) -> None:
        # Before the answers that may be waiting already: they belong to what comes after.
        self._due.appendleft((time.monotonic(), None))

    def _fail(self, what: str) -> None:
        self._outcome.errors[what] += 1
        self._under_way = None
        if self._transport is not None:
            self._transport.abort()


def answer(assignment: str, index: int) -> dict[str, Any]:
    """An answer as the page sends it."""
    reaction_time = reaction_time_msec(assignment, index)
    return {
        "index": index,
        "i_choice": index % 4,
        "reaction_time_msec": reaction_time,
        "response_device": "mouse",
        "timestamp_start": "2026-01-31T12:00:00.000Z",
        "rel_timestamp_response": 5_000.25 + 1_000 * index,
        "stimulus_width_px": 480,
        "choice_width_px": 160,
        "monitor_width_px": 1920,
        "monitor_height_px": 1080,
        "frame_log": {
            "refresh_rate_hz": 59.95,
            "stimulus_requested_frames": None,
            "stimulus_achieved_frames": None,
            "stimulus_requested_msec": None,
            "stimulus_achieved_msec": None,
            "blank_requested_frames": 0,
            "blank_achieved_frames": 0,
            "dropped_frames": 0,
            "timing_ok": True,
        },
        "surroundings": {
            "window_width_px": 1903,
            "window_height_px": 941,
            "full_screen": False,
            "focus_losses": 0,
            "px_per_degree": None,
            "viewing_distance_mm": None,
        },
    }


def reaction_time_msec(assignment: str, index: int) -> int:
    """Differs from answer to answer, so that one that is kept in the wrong place is found out."""
    return _FASTEST_MSEC + crc32(f"{assignment} {index}".encode()) % _RANGE_MSEC


async def take_part(plan: Plan) -> Outcome:
    """All seats, until the last answer that was due has been heard or `_PATIENCE_SECONDS` are over."""
    outcome = Outcome()
    seats = [Seat(number, plan, outcome) for number in range(plan.first, plan.first + plan.seats)]
    for seat in seats:
        seat.take()
    await asyncio.sleep(plan.full_at - time.monotonic())
    began = _cpu_seconds()
    await asyncio.sleep(plan.ends_at - time.monotonic())
    outcome.cpu_seconds = _cpu_seconds() - began
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while any(seat.n_waiting for seat in seats):
                await asyncio.sleep(0.05)
    if n_waiting := sum(seat.n_waiting for seat in seats):
        outcome.errors["never answered"] = n_waiting
    return outcome


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Read the plan, take part, write the outcome."""
    plan = Plan(**json.loads(sys.argv[1]))
    # A pause of the collector would look like one of the server.
    gc.disable()
    json.dump(vars(asyncio.run(take_part(plan))), sys.stdout)


if __name__ == "__main__":
    main()

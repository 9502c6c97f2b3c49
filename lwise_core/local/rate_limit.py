"""How fast a session may send: generous to a page that catches up after an outage, an end to one that has gone mad."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Rate:
    """`at_once` requests at once, and `per_second` more every second."""

    at_once: int
    per_second: float


CALLS = Rate(at_once=600, per_second=10)
"""Of a session. A page sends an answer or ten at a time and a heartbeat now and then: 600 are a whole study at once."""

OPENINGS = Rate(at_once=60, per_second=1)
"""Of an assignment. A person reloads a page now and then."""


class SessionLimits:
    """What a session may ask for, by its token, and how often an assignment may be opened. For use in one thread."""

    def __init__(
        self, calls: Rate = CALLS, openings: Rate = OPENINGS, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._calls = RateLimit(calls, clock=clock)
        self._openings = RateLimit(openings, clock=clock)

    def call(self, _: Mapping[str, Any], token: str) -> float:
        """In how many seconds the session of this token may call; 0: now."""
        return self._calls.take(_key(token))

    def opening(self, body: Mapping[str, Any], _: str) -> float:
        """In how many seconds the assignment that `body` names may be opened; 0: now."""
        return self._openings.take(_key(repr((body.get("platform"), body.get("assignment_id")))))


class RateLimit:
    """A token bucket per key. Memory is bounded: beyond `at_most` keys the one that was silent longest is forgotten."""

    def __init__(self, rate: Rate, *, clock: Callable[[], float], at_most: int = 20_000) -> None:
        self._rate = rate
        self._clock = clock
        self._at_most = at_most
        self._buckets: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._buckets)

    def take(self, key: bytes) -> float:
        """Let a request pass (0), or say in how many seconds one may."""
        now = self._clock()
        left, at = self._buckets.pop(key, (float(self._rate.at_once), now))
        left = min(float(self._rate.at_once), left + (now - at) * self._rate.per_second)
        wait = 0.0 if left >= 1 else (1 - left) / self._rate.per_second
        self._buckets[key] = (left if wait else left - 1, now)
        if len(self._buckets) > self._at_most:
            self._buckets.popitem(last=False)
        return wait


def _key(text: str) -> bytes:
    # Short, whatever was sent, and no secret stays in memory.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()

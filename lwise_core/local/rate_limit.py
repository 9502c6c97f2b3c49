"""How fast a session may send: enough for a page that catches up after an outage, a limit for a faulty one."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Rate:
    """A burst of `at_once` requests, and `per_second` more every second."""

    at_once: int
    per_second: float


CALLS = Rate(at_once=600, per_second=10)
"""Per session. A page sends one to ten answers at a time and an occasional heartbeat: 600 are a whole study at once."""

OPENINGS = Rate(at_once=60, per_second=1)
"""Per assignment. People reload a page occasionally."""


class SessionLimits:
    """Limits calls per token and openings per assignment. For use in one thread."""

    def __init__(
        self, calls: Rate = CALLS, openings: Rate = OPENINGS, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._calls = RateLimit(calls, clock=clock)
        self._openings = RateLimit(openings, clock=clock)

    def call(self, _: Mapping[str, Any], token: str) -> float:
        """In how many seconds the session with this token may call; 0: now."""
        return self._calls.take(_key(token))

    def opening(self, body: Mapping[str, Any], _: str) -> float:
        """In how many seconds the assignment that `body` names may be opened; 0: now."""
        return self._openings.take(_key(repr((body.get("platform"), body.get("assignment_id")))))


class RateLimit:
    """A token bucket per key. Memory is bounded: beyond `at_most` keys, the least recently used one is dropped."""

    def __init__(self, rate: Rate, *, clock: Callable[[], float], at_most: int = 20_000) -> None:
        self._rate = rate
        self._clock = clock
        self._at_most = at_most
        self._buckets: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        """Number of keys in memory."""
        return len(self._buckets)

    def take(self, key: bytes) -> float:
        """Admit a request (0), or return in how many seconds one will be admitted."""
        now = self._clock()
        tokens, at = self._buckets.pop(key, (float(self._rate.at_once), now))
        tokens = min(float(self._rate.at_once), tokens + (now - at) * self._rate.per_second)
        wait = 0.0 if tokens >= 1 else (1 - tokens) / self._rate.per_second
        self._buckets[key] = (tokens if wait else tokens - 1, now)
        if len(self._buckets) > self._at_most:
            self._buckets.popitem(last=False)
        return wait


def _key(text: str) -> bytes:
    # A short key for any input, and no secret in memory.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()

"""Start work before its result is needed, in order and with bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
Pending = TypeVar("Pending")
Result = TypeVar("Result")


def prefetch(
    items: Iterable[Item], *, begin: Callable[[Item], Pending], end: Callable[[Pending], Result], n: int
) -> Iterator[Result]:
    """Yield `end(begin(item))` for each item in order, with up to `n` more items begun than yielded."""
    pending: deque[Pending] = deque()
    for item in items:
        pending.append(begin(item))
        if len(pending) > n:
            yield end(pending.popleft())
    while pending:
        yield end(pending.popleft())

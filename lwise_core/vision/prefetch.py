"""Work that is done ahead of whoever needs it, in order and never far ahead, so that memory stays bounded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
Begun = TypeVar("Begun")
Done = TypeVar("Done")


def ahead(
    items: Iterable[Item], *, begin: Callable[[Item], Begun], end: Callable[[Begun], Done], n: int
) -> Iterator[Done]:
    """`end(begin(item))` for each item in order, with up to `n` more begun than were asked for."""
    begun: deque[Begun] = deque()
    for item in items:
        begun.append(begin(item))
        if len(begun) > n:
            yield end(begun.popleft())
    while begun:
        yield end(begun.popleft())

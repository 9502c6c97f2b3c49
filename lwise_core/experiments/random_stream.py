"""Random draws that depend on their key alone: the same in every process, on every machine, in every Python.

Of `random.Random` only two things are promised to stay as they are from one Python version to the next: what an integer
seed means, and the sequence of `random()`. Everything here is built from these two. Standard library only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Draws:
    """A stream of draws named by its key, e.g. ``Draws(seed, trialset_id, "images")``.

    Streams of different keys are independent, so that one more draw for one purpose changes nothing in another.
    """

    def __init__(self, *key: object) -> None:
        digest = hashlib.sha256(":".join(map(str, key)).encode()).digest()
        self._random = Random(int.from_bytes(digest, "big")).random  # noqa: S311 - an experiment's order, no secret

    def below(self, n: int) -> int:
        """A whole number from 0 to n - 1; its bias, below n / 2**53, is far under what any study could notice."""
        return int(self._random() * n)

    def pick(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[self.below(len(items))]

    def take(self, items: list[T], count: int) -> list[T]:
        """Draw `count` items without replacement and remove them from `items`, whose order changes."""
        taken = []
        for _ in range(count):
            place = self.below(len(items))
            items[place], items[-1] = items[-1], items[place]
            taken.append(items.pop())
        return taken

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """`count` of the items without replacement, in random order."""
        return self.take(list(items), count)

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """All items in random order."""
        return self.sample(items, len(items))

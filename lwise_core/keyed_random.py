"""Random numbers and orders that depend on a key alone: the same in every process, on every machine, in every Python.

A key names what the numbers are for, such as a seed, an epoch and an image, not when they are drawn: work that resumes
or runs in parallel draws the same numbers without saving a generator's state. Different keys give independent numbers.

Of `random.Random`, Python guarantees across versions only what an integer seed means and the sequence of `random()`;
`RandomStream` uses nothing else. Standard library only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


def key_digest(*key: object) -> bytes:
    """SHA-256 of a key: what to sort names by for a random order that their list's order does not affect."""
    return hashlib.sha256(":".join(map(str, key)).encode()).digest()


def key_seed(*key: int | str) -> int:
    """A seed below 2**63 for a generator of another library, such as PyTorch's."""
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


class RandomStream:
    """A stream of random numbers named by its key, e.g. ``RandomStream(seed, trialset_id, "images")``."""

    def __init__(self, *key: object) -> None:
        seed = int.from_bytes(key_digest(*key), "big")
        self._random = Random(seed).random  # noqa: S311 - an experiment's order, no secret

    def below(self, n: int) -> int:
        """A whole number from 0 to n - 1; its bias, below n / 2**53, is far under what any study could notice."""
        return int(self._random() * n)

    def pick(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[self.below(len(items))]

    def take(self, items: list[T], count: int) -> list[T]:
        """Draw `count` items without replacement and remove them from `items`, whose order changes."""
        drawn = []
        for _ in range(count):
            index = self.below(len(items))
            items[index], items[-1] = items[-1], items[index]
            drawn.append(items.pop())
        return drawn

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """`count` of the items without replacement, in random order."""
        return self.take(list(items), count)

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """All items in random order."""
        return self.sample(items, len(items))

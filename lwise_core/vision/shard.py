"""The part of some work on a data set that one of several runs at once does, on other cards or machines."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shard:
    """Every `of`-th batch from number `index`, counted from 0."""

    index: int
    of: int

    def batches(self, n: int, size: int) -> list[list[int]]:
        """Its batches of the numbers 0 … n-1.

        They are cut before they are shared out: an image's last digits depend on the others of its batch, which are so
        the same whoever does the work, and however often it is cut short.
        """
        return [list(range(first, min(first + size, n))) for first in range(0, n, size)][self.index :: self.of]


WHOLE = Shard(0, 1)

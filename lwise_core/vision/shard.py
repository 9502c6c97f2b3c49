"""The part of some work on a data set that one of several parallel runs does, on other GPUs or machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Shard:
    """Every `of`-th batch, starting from number `index`, counted from 0."""

    index: int
    of: int

    def select(self, batches: Sequence[Sequence[int]]) -> list[Sequence[int]]:
        """The batches of this shard."""
        return list(batches[self.index :: self.of])


WHOLE = Shard(0, 1)


def cut_batches(indices: Sequence[int], size: int) -> list[Sequence[int]]:
    """Batches of image indices.

    Batches are cut before they are distributed: the last digits of a result depend on the other images of its batch,
    so that results are the same whoever computes them, and however often the work is interrupted.
    """
    return [indices[first : first + size] for first in range(0, len(indices), size)]

"""A table that stores equal entries once, so that many rows can refer to them by index."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class InternTable(Generic[T]):
    """The distinct entries, in the order of their first use."""

    def __init__(self) -> None:
        self.entries: list[T] = []
        self._index: dict[Hashable, int] = {}

    def index_of(self, entry: T, key: Hashable = None) -> int:
        """Index of the entry, which is added if it is new. `key` identifies an entry that cannot be hashed."""
        index = self._index.setdefault(entry if key is None else key, len(self.entries))
        if index == len(self.entries):
            self.entries.append(entry)
        return index

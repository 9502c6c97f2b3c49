"""A table in which equal entries stand once, so that many rows can name them by their index."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class InternTable(Generic[T]):
    """Distinct entries in the order of their first use."""

    def __init__(self) -> None:
        self.entries: list[T] = []
        self._index: dict[Hashable, int] = {}

    def index_of(self, entry: T, key: Hashable = None) -> int:
        """Index of the entry, added if it is new. `key` stands for an entry that cannot be hashed."""
        found = self._index.setdefault(entry if key is None else key, len(self.entries))
        if found == len(self.entries):
            self.entries.append(entry)
        return found

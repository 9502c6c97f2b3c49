"""Random numbers that belong to what they are for, not to when they are drawn.

A picture's augmentation and the start of its attack follow from the seed, the epoch and the picture alone. A run that
goes on after a stop, loads pictures in other processes, or shares batches with other machines therefore sees the same
numbers, and no state of a generator needs to be kept.
"""

from __future__ import annotations

from hashlib import blake2b


def seed_of(*what: int | str) -> int:
    """A seed below 2**63 for what the numbers and words name."""
    digest = blake2b(repr(what).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1

"""Drawing by lot: an order that depends on a seed and on names, and neither on the order of a list nor on a machine."""

from __future__ import annotations

import hashlib


def lot(seed: int, name: str) -> bytes:
    """What names are sorted by to be in random order."""
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()

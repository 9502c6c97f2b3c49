"""Error of storing images in 8 bits."""

from __future__ import annotations

import math


def rounding_bound(size: int) -> float:
    """Largest L2 error of storing a `size` x `size` RGB image in 8 bits: each value moves by at most 0.5/255."""
    return 0.5 / 255 * math.sqrt(3 * size * size)

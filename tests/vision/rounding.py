"""What storing a picture in 8 bits may do to it."""

from __future__ import annotations

import math


def rounding_bound(size: int) -> float:
    """Largest L2 error of storing a `size` x `size` RGB picture in 8 bits: each value moves by at most 0.5/255."""
    return 0.5 / 255 * math.sqrt(3 * size * size)

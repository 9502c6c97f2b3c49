"""Random numbers that belong to what they are for, not to when they are drawn.

A picture's augmentation and the start of its attack follow from the seed, the epoch and the picture alone. A run that
goes on after a stop, loads pictures in other processes, or shares batches with other machines therefore sees the same
numbers, and no state of a generator needs to be kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import torch
from torch import Tensor


def seed_of(*what: int | str) -> int:
    """A seed below 2**63 for what the numbers and words name."""
    digest = blake2b(repr(what).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def random_starts(images: Tensor, *, epsilon: float, seeds: Sequence[int]) -> Tensor:
    """Points uniform in direction and in radius within ε of pictures (N, 3, H, W), clamped to [0, 1].

    The noise of each picture is drawn by a seed of its own, where the pictures are.
    """
    noise, radius = torch.empty(images.shape, device=images.device), torch.empty(len(images))
    there, here = torch.Generator(images.device), torch.Generator()
    for row, seed in enumerate(seeds):
        # One call for each picture on the device, no more: on a card, calls cost more than numbers.
        torch.randn(images.shape[1:], generator=there.manual_seed(seed), out=noise[row])
        torch.rand((), generator=here.manual_seed(seed), out=radius[row])
    length = epsilon * radius.to(images.device, non_blocking=True) / torch.linalg.vector_norm(noise.flatten(1), dim=1)
    moved: Tensor = images + noise.to(images.dtype) * length.to(images.dtype)[:, None, None, None]
    return moved.clamp(0, 1)

"""How to build a data set from images of another. Knows nothing of PyTorch, whose loading takes seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from lwise_core.vision.shared_settings import SkipSettings


class BuildConfig(SkipSettings):
    """Which images a new data set gets, and how they are saved."""

    classes: tuple[str, ...] = ()
    """Take only this class; repeatable."""
    containing: tuple[str, ...] = ()
    """Take classes whose names contain this; repeatable."""
    take: tuple[str, ...] = ()
    """SPLIT=N random images of each class, or SPLIT for all; repeatable (default: everything)."""
    recipe: Path | None = None
    """CSV with split, class and n, the number of images (empty: all); replaces the above."""
    distribute: bool = False
    """Redistribute images over the splits of --take, whatever their present split."""
    group_column: str | None = None
    """With --distribute: column whose equal cells stay in one split (default: the description's)."""
    first_of: str | None = None
    """Column, e.g. lesion_id: take only the first image of each value."""
    balance: bool = False
    """Fill classes up to the largest with copies, __copy1 …"""
    size: int | None = Field(default=None, ge=1)
    """Resize to squares of this side in pixels (default: copy the files)."""
    format: Literal["png", "webp", "png16", "jpeg"] | None = None
    """With --size: png, webp (lossless), png16 or jpeg (default: png)."""
    quality: int | None = Field(default=None, ge=1, le=100)
    """With --format jpeg: its quality (default: 95)."""
    seed: int = 0
    """Seed for what is taken, copied and held out."""

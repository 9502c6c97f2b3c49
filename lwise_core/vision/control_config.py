"""How to make variants by the off-the-shelf controls."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lwise_core.vision.shared_settings import SkipSettings


class ControlConfig(SkipSettings):
    """How to make variants by the off-the-shelf controls."""

    size: int | None = Field(default=None, ge=16, le=4096)
    """Side of the images in pixels, instead of --model."""
    method: tuple[Literal["clahe", "msrcr", "auto_levels"], ...] = ("clahe", "msrcr", "auto_levels")
    """clahe, msrcr or auto_levels; once per variant."""
    format: Literal["png", "webp", "jpeg"] = "png"
    """png, webp (lossless) or jpeg."""
    quality: int | None = Field(default=None, ge=1, le=100)
    """Quality of jpeg (default: 95)."""

"""Settings that several kinds of work on images have in common."""

from __future__ import annotations

from collections.abc import Mapping

from lwise_core.vision.settings import Settings


class SkipSettings(Settings):
    """What to do with unreadable images."""

    skip_bad: bool = False
    """Skip unreadable images instead of stopping."""


class TargetSettings(SkipSettings):
    """How the model's logits stand for the classes of a data set."""

    class_num_col: str | None = None
    """Column with the numbers of the model's logits (default: match classes by name)."""
    superclasses: str | Mapping[str, list[int]] | None = None
    """For classes that comprise several of the model's: a YAML file, class: [logits], or a known data set."""


class MeasurementSettings(TargetSettings):
    """Which images are measured, and against which classes."""

    split: str | None = None
    """Only the images of this split (default: all)."""

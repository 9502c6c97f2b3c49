"""How to measure the difficulty of images. Knows nothing of PyTorch, whose loading takes seconds."""

from __future__ import annotations

from pydantic import Field

from lwise_core.vision.shared_settings import MeasurementSettings


class Bisection(MeasurementSettings):
    """How to search the minimal adversarial ε.

    The result is at most `largest` / 2^`rounds` above the smallest radius at which the attack succeeds.
    """

    largest: float = Field(default=10.0, ge=0.001)
    """Largest L2 radius to search, over the whole image in [0,1] pixels."""
    rounds: int = Field(default=10, ge=1, le=30)
    """Halvings of the radius; 10 find it to a thousandth of LARGEST."""
    steps: int = Field(default=20, ge=1)
    """Steps of the attack at each radius."""
    present_only: bool = False
    """Leave out the model's classes that the data set does not have."""


class DepthConfig(MeasurementSettings):
    """How to measure prediction depth."""

    fit_on: str = "train"
    """Split whose images the probes are fitted on."""
    layer: tuple[str, ...] = ()
    """Layer to put a probe after, in the order of the forward pass; once per layer."""


class ConfidenceConfig(MeasurementSettings):
    """How to measure epoch confidence."""

    present_only: bool = False
    """Leave out the model's classes that the data set does not have."""

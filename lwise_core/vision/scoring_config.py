"""How to score images."""

from __future__ import annotations

from pydantic import Field

from lwise_core.vision.shared_settings import MeasurementSettings


class ScoringConfig(MeasurementSettings):
    """How to score images."""

    column: str = Field(default="robust_gt_logit", pattern="^.+_gt_logit$")
    """Column of the true class's logit; for another model than the guide, e.g. vanilla_gt_logit."""
    present_only: bool = False
    """Leave out the model's classes that the data set does not have."""

"""How to score: every setting with its default and what it means."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from lwise_core.vision.shared_settings import ClassNumCol, SkipBad, Superclasses


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ScoringConfig:
    """How to score. Descriptions stand with the fields.

    Raises
    ------
    pydantic.ValidationError
        If a value is of another type.
    """

    split: Annotated[str | None, Field(description="Only the images of this split (default: all).")] = None
    column: Annotated[
        str,
        Field(
            pattern="^.+_gt_logit$",
            description="Column of the true class's logit; of another model than the guide: vanilla_gt_logit.",
        ),
    ] = "robust_gt_logit"
    class_num_col: ClassNumCol = None
    superclasses: Superclasses = None
    present_only: Annotated[
        bool, Field(description="Leave out the model's classes that the data set does not have.")
    ] = False
    skip_bad: SkipBad = False

"""How to enhance: every setting with its default, its range and what it means."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from lwise_core.vision.shared_settings import ClassNumCol, SkipBad, Superclasses

Objective = Literal["logit", "logit_diverge", "cross_entropy"]
Format = Literal["png", "webp", "png16", "jpeg"]
NAMES = ("dataset", "eps", "step", "steps", "objective")
"""What the name of a variant may be made of."""


def _each_once(epsilons: tuple[float, ...]) -> tuple[float, ...]:
    if not epsilons or len(set(epsilons)) < len(epsilons):
        raise ValueError("expected one ε at least" if not epsilons else "expected each ε once")
    return epsilons


Epsilons = Annotated[tuple[Annotated[float, Field(gt=0)], ...], AfterValidator(_each_once)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class EnhancementConfig:
    """How to enhance.

    Descriptions, units and ranges stand with the fields. Lengths are L2 over the whole picture, pixels in [0, 1].

    Raises
    ------
    pydantic.ValidationError
        If a value is out of its range.
    """

    eps: Annotated[Epsilons, Field(description="L2 budgets in [0,1] pixels, one for each variant.")] = (4, 2, 1, 0.5)
    step: Annotated[float, Field(ge=0.001, description="L2 length of one step.")] = 0.5
    steps: Annotated[int | None, Field(ge=1, description="Number of steps (default: as many as walk the radius).")] = (
        None
    )
    objective: Annotated[Objective, Field(description="What to raise: logit, logit_diverge or cross_entropy.")] = (
        "logit_diverge"
    )
    diverge_from: Annotated[
        tuple[str, ...], Field(description="With logit_diverge: classes to tell images apart from (default: all).")
    ] = ()
    attack: Annotated[bool, Field(description="Lower it instead.")] = False
    best: Annotated[bool, Field(description="Keep each picture's best iterate, or the last one.")] = True
    views: Annotated[
        int, Field(ge=0, description="Raise the mean over so many random views a step; for transformers.")
    ] = 0
    class_num_col: ClassNumCol = None
    superclasses: Superclasses = None
    format: Annotated[Format, Field(description="png, webp (lossless), png16 (16 bits) or jpeg.")] = "png"
    quality: Annotated[int | None, Field(ge=1, le=100, description="Of jpeg (default: 95).")] = None
    name: Annotated[
        str, Field(description=f"What variants are called, of {', '.join(f'{{{name}}}' for name in NAMES)}.")
    ] = "{dataset}_{eps}_{step}_{steps}_{objective}"
    precision: Annotated[
        Literal["fp32", "bf16", "fp64"] | None,
        Field(description="Of the network (default: the fastest as good)."),
    ] = None
    batch: Annotated[int | None, Field(ge=1, description="Pictures at once (default: what suits the device).")] = None
    skip_bad: SkipBad = False
    seed: Annotated[int, Field(ge=0, description="Of the random views.")] = 0

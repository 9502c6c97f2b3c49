"""How to enhance images."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from lwise_core.errors import InputError
from lwise_core.file_names import NATURAL
from lwise_core.vision.budget import Budget
from lwise_core.vision.objectives import OBJECTIVES
from lwise_core.vision.shared_settings import TargetSettings

_NAME_FIELDS = ("dataset", "eps", "step", "steps", "objective")


def _check_unique(epsilons: tuple[float, ...]) -> tuple[float, ...]:
    if not epsilons:
        raise ValueError("expected at least one ε")
    if len(set(epsilons)) < len(epsilons):
        raise ValueError("expected each ε once")
    return epsilons


def _check_objective(name: str) -> str:
    if name not in OBJECTIVES:
        raise ValueError(f"expected one of {', '.join(OBJECTIVES)}")
    return name


class EnhancementConfig(TargetSettings):
    """How to enhance images. Lengths are L2 over the whole image, pixels in [0, 1]."""

    epsilon: Annotated[tuple[Annotated[float, Field(gt=0)], ...], AfterValidator(_check_unique)] = (4, 2, 1, 0.5)
    """L2 radii in [0,1] pixels, one per variant."""
    step: float = Field(default=0.5, ge=0.001)
    """L2 length of one step."""
    steps: int | None = Field(default=None, ge=1)
    """Number of steps (default: the length of the radius in steps)."""
    objective: Annotated[str, AfterValidator(_check_objective)] = Field(
        default="logit_diverge", description=f"What to raise: {', '.join(OBJECTIVES)}."
    )
    diverge_from: tuple[str, ...] = ()
    """With logit_diverge: classes to diverge from (default: all)."""
    lower: bool = False
    """Lower the objective instead of raising it."""
    best: bool = True
    """Keep each image's best iterate, or the last one."""
    views: int = Field(default=0, ge=0)
    """Raise the mean over this many random views per step; for transformers."""
    format: Literal["png", "webp", "png16", "jpeg"] = "png"
    """png, webp (lossless), png16 (16 bits) or jpeg."""
    quality: int | None = Field(default=None, ge=1, le=100)
    """Quality of jpeg (default: 95)."""
    name: str = "{dataset}_{eps}_{step}_{steps}_{objective}"
    """Name of a variant, with any of {dataset}, {eps}, {step}, {steps} and {objective}."""
    precision: Literal["fp32", "bf16", "fp64"] | None = None
    """Precision of the network (default: the fastest without loss)."""
    batch: int | None = Field(default=None, ge=1)
    """Images per batch (default: what suits the device)."""
    seed: int = Field(default=0, ge=0)
    """Seed of the random views."""

    def budgets(self, *, dataset: str) -> dict[str, Budget]:
        """Budgets by the names of their variants.

        Parameters
        ----------
        dataset : what {dataset} stands for in `name`.

        Raises
        ------
        InputError
            If `name` has an unknown field, or gives two variants the same name.
        """
        named: dict[str, Budget] = {}
        for epsilon in self.epsilon:
            budget = Budget.along_radius(epsilon, step=self.step)
            if self.steps is not None:
                budget = Budget(epsilon, self.step, self.steps)
            name = self._variant_name(budget, dataset)
            if name in (NATURAL, *named):
                raise InputError(f"--name is {self.name!r}, which gives two variants the name {name}; add {{eps}}")
            named[name] = budget
        return named

    def _variant_name(self, budget: Budget, dataset: str) -> str:
        values = (dataset, f"{budget.epsilon:g}", f"{budget.step:g}", budget.steps, self.objective)
        try:
            return self.name.format(**dict(zip(_NAME_FIELDS, values, strict=True)))
        except (KeyError, IndexError, ValueError):
            expected = ", ".join(f"{{{field}}}" for field in _NAME_FIELDS)
            raise InputError(f"--name is {self.name!r}; expected a name with any of {expected}") from None

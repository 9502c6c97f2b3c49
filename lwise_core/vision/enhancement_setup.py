"""From settings to what `write_variants` takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lwise_core.errors import InputError
from lwise_core.vision.engine import Engine
from lwise_core.vision.enhance import Enhancement
from lwise_core.vision.enhancement_config import NAMES, EnhancementConfig
from lwise_core.vision.perturb import Budget
from lwise_core.vision.superclasses import superclasses_of
from lwise_core.vision.variant_folder import NATURAL


def enhancement_of(config: EnhancementConfig, *, dataset: str) -> Enhancement:
    """What is done to each image.

    Parameters
    ----------
    dataset : its name in those of the variants.

    Raises
    ------
    InputError
        If two variants would have one name, or the superclasses cannot be read.
    """
    if config.steps is None:
        budgets = [Budget.along_radius(epsilon, step=config.step) for epsilon in config.eps]
    else:
        budgets = [Budget(epsilon, config.step, config.steps) for epsilon in config.eps]
    return Enhancement(
        budgets=variant_names(config.name, budgets, dataset=dataset, objective=config.objective),
        objective=config.objective,
        diverge_from=config.diverge_from or None,
        turned=config.attack,
        best=config.best,
        n_views=config.views,
        seed=config.seed,
        class_num_col=config.class_num_col,
        superclasses=superclasses_of(config.superclasses),
    )


def engine_of(config: EnhancementConfig) -> Engine:
    """The fastest way on this machine that keeps the results, but for what the settings say."""
    automatic = replace(Engine.automatic(), at_once=config.batch)
    return automatic if config.precision is None else replace(automatic, precision=config.precision)


def variant_names(template: str, budgets: Sequence[Budget], *, dataset: str, objective: str) -> dict[str, Budget]:
    """Budgets by the names of their variants.

    Parameters
    ----------
    template : with any of {dataset}, {eps}, {step}, {steps} and {objective}, e.g. `eps{eps}`.

    Raises
    ------
    InputError
        If the template knows something else, or two budgets would get one name.
    """
    named: dict[str, Budget] = {}
    for budget in budgets:
        told = (dataset, f"{budget.epsilon:g}", f"{budget.step:g}", budget.steps, objective)
        try:
            name = template.format(**dict(zip(NAMES, told, strict=True)))
        except (KeyError, IndexError, ValueError):
            expected = ", ".join(f"{{{part}}}" for part in NAMES)
            raise InputError(f"--name is {template!r}; expected a name with any of {expected}") from None
        if name in (NATURAL, *named):
            raise InputError(f"--name is {template!r}, which makes {name} of two variants; put {{eps}} into it")
        named[name] = budget
    return named

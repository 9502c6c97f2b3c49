"""The parts of a study that depend on config.yaml alone, whether its trials are sampled or given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from lwise_core.authoring.config import Deployment, OrderSettings, StudyConfig, TrialConfig, TrialSettings
from lwise_core.authoring.config_file import effective
from lwise_core.experiments.study import (
    Assignment,
    BonusTier,
    ChoiceOrder,
    Choices,
    CodeReferences,
    Conditions,
    PageSettings,
    Returning,
    Slots,
    Study,
)

_CURRICULUM_DEFAULTS = {"combine_and_shuffle": False, "difficulty_curriculum": False, "max_difficulty_selection": None}


@dataclass(frozen=True)
class CompiledStudy:
    """A study with its validated config, the file behind each opaque name, and warnings for its author."""

    study: Study
    config: StudyConfig
    files: Mapping[str, Path]
    warnings: tuple[str, ...]


def common_settings(config: TrialConfig) -> dict[str, Any]:
    """The settings of all trials, which a kind of trial may override, sorted by name."""
    return dict(sorted({**config.model_dump(include=set(TrialSettings.model_fields)), **_CURRICULUM_DEFAULTS}.items()))


def differences(common: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that differ from the common ones, sorted by name."""
    return {key: value for key, value in sorted(settings.items()) if value != common[key]}


def choice_order(*places: OrderSettings) -> ChoiceOrder:
    """How choices are ordered from trial to trial; `places` from the most specific to the least."""
    if effective("shuffle_choice_order", *places):
        return "shuffled"
    return "rotated" if effective("rotate_choice_order", *places) else "fixed"


def common_parts(config: StudyConfig, *, n_conditions: int) -> dict[str, Any]:
    """The fields of a `Study` that do not depend on the data file."""
    deployment = config.deployment
    return {
        "title": config.site.title,
        "seed": deployment.seed,
        "conditions": _conditions(deployment, n_conditions),
        "platforms": tuple(deployment.platforms or ()),
        "allow_origins": tuple(deployment.allow_origins),
        "settings": common_settings(config.trial_config),
        "repeat_split": config.trial_config.repeat_stimulus_split,
        "bonus_tiers": tuple(BonusTier(tier.at_least, tier.usd) for tier in config.site.bonus),
        "lease_minutes": deployment.lease_minutes,
        "allow_repeats": deployment.allow_repeats,
        "codes": CodeReferences(deployment.completion_code, deployment.screen_out_code),
        "returning": Returning(deployment.on_return, deployment.return_within_hours),
        "page": PageSettings(**config.site.model_dump(include={field.name for field in fields(PageSettings)})),
    }


def slots(deployment: Deployment, count: int | None) -> Slots:
    """`count` trial sets (None: no limit), and whether they are used again after the last one."""
    return Slots(count, reuse=deployment.when_trialsets_run_out == "reuse")


def _conditions(deployment: Deployment, count: int) -> Conditions:
    assignment: Assignment = "blocked"
    if deployment.alternate_within_blocks:
        assignment = "alternating"
    elif deployment.fully_random_group_assignment:
        assignment = "random"
    return Conditions(count, assignment, deployment.randomization_block_size or count)


def spaced(name: str) -> str:
    """The name of a class in config.yaml, where spaces are the same as underscores."""
    return name.replace("_", " ")


def choices_of(config: TrialConfig, classes: Sequence[str], problems: list[str], *, shows_shapes: bool) -> Choices:
    """How the classes are offered; contradictions are added to `problems`."""
    number_of = {spaced(name): number for number, name in enumerate(classes)}
    order = [spaced(name) for name in config.choice_names_order or classes]
    aliases = {spaced(name): alias for name, alias in config.choice_names_aliases.items()}
    shown = [aliases.get(name, name) for name in number_of]
    problems += _name_problems(config, classes, number_of, order, aliases)
    if len(set(shown)) != len(shown):
        problems.append(f"two classes have the same shown name ({', '.join(shown)}); give each its own alias")
    shapes = sorted(set(shown) & set(config.calibration_stimuli))
    if shapes and shows_shapes:
        problems.append(
            f"a class is shown as {shapes[0]!r}, which is also the name of a calibration shape; give it another name "
            "in choice_names_aliases"
        )
    return Choices(
        order=tuple(number_of.get(name, 0) for name in order),
        shown_names=tuple(shown),
        # Without aliases there are no names to shuffle: no class may appear under another class's own name.
        order_shuffled_per_session=config.choice_names_order_shuffle
        or (config.choice_aliases_random_shuffle and not aliases),
        names_shuffled_per_session=config.choice_aliases_random_shuffle and bool(aliases),
        calibration_stimuli=tuple(config.calibration_stimuli),
    )


def _name_problems(
    config: TrialConfig,
    classes: Sequence[str],
    number_of: Mapping[str, int],
    order: Sequence[str],
    aliases: Mapping[str, str],
) -> list[str]:
    problems = []
    names = ", ".join(classes)
    unknown = sorted(set(order) - set(number_of))
    missing = sorted(set(number_of) - set(order))
    if unknown:
        problems.append(f"choice_names_order has {', '.join(unknown)}; the classes of the data are {names}")
    if missing:
        problems.append(f"choice_names_order lacks {', '.join(missing)}; expected every class of the data: {names}")
    if len(set(order)) != len(order):
        problems.append(f"choice_names_order has a class twice: {list(order)}")
    unknown_aliases = sorted(set(aliases) - set(number_of))
    if unknown_aliases:
        problems.append(f"choice_names_aliases has {', '.join(unknown_aliases)}; the classes are {names}")
    if len(number_of) != len(classes):
        problems.append(f"two classes differ only in spaces and underscores ({names}); rename one")
    if config.choice_aliases_random_shuffle and aliases and not unknown_aliases and len(aliases) != len(number_of):
        problems.append(
            f"choice_aliases_random_shuffle is true with aliases for {', '.join(sorted(aliases))} only; expected one "
            "for every class, or none"
        )
    return problems

"""Read config.yaml. Errors list every problem of the file, each with its place, the value found and what is allowed."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from lwise_core.authoring.config import (
    BlockConfig,
    BonusTierConfig,
    Deployment,
    HitConfig,
    ScreeningConfig,
    Site,
    Stimuli,
    StudyConfig,
    TrialConfig,
    TrialSettings,
    TrialTypeConfig,
)
from lwise_core.errors import InputError, raise_if_any
from lwise_core.validation_errors import DescribeUnknownKey, Place, problems_of, unknown_key
from lwise_core.yaml_files import read_yaml

_SECTIONS: Mapping[str, type[BaseModel]] = {
    "trial_config": TrialConfig,
    "hit_config": HitConfig,
    "deployment": Deployment,
    "site": Site,
    "stimuli": Stimuli,
}
OWN_SECTIONS = ("deployment", "site", "stimuli")
"""Sections that L-WISE does not have."""
_PARTS: Mapping[object, type[BaseModel]] = {
    "trial_types": TrialTypeConfig,
    "conditional_trial_types": TrialTypeConfig,
    "bonus": BonusTierConfig,
    "screening": ScreeningConfig,
}
_WITHOUT_EFFECT = {"repeat_trial_type", "warmup_trial_type"}
"""Keys in published files that never had an effect."""


@dataclass(frozen=True)
class ConfigFile:
    """A valid config.yaml: the config, the names of its sections, and warnings for its author."""

    config: StudyConfig
    sections: frozenset[str]
    warnings: tuple[str, ...]


def read_config(path: Path) -> ConfigFile:
    """Read and validate config.yaml.

    Raises
    ------
    InputError
        Naming every problem of the file: its place, the value found and what is expected.
    """
    document = _yaml(path)
    if not isinstance(document, Mapping):
        raise InputError(f"{path}: expected a mapping (key: value) of sections (found {reprlib.repr(document)})")
    warnings: list[str] = []
    describe = describe_unknown_key(StudyConfig)
    problems = [f"{key}: {describe((str(key),))}" for key in document if key not in StudyConfig.model_fields]
    parts: dict[str, Any] = {}
    for name, model in _SECTIONS.items():
        if name in document:
            parts[name] = _validated(model, _without_idle_keys(document[name], name, warnings), name, problems)
    if "session_config" in document:
        parts["session_config"] = list(_blocks(document["session_config"], warnings, problems))
    problems += _contradictions(parts)
    raise_if_any(path, problems)
    config = StudyConfig(**parts)
    if not set(OWN_SECTIONS) & set(document):
        warnings += _overrides_ignored_by_l_wise(config)
    warnings += _rounded_down(config)
    return ConfigFile(config, frozenset(document), tuple(warnings))


def _yaml(path: Path) -> Any:
    try:
        return read_yaml(path)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); expected a study folder with config.yaml and dirmap.csv"
        ) from None


def _without_idle_keys(section: Any, where: str, warnings: list[str]) -> Any:
    if not isinstance(section, Mapping):
        return section
    warnings += [f"{where}: {key} has no effect and may be omitted" for key in section if key in _WITHOUT_EFFECT]
    return {key: value for key, value in section.items() if key not in _WITHOUT_EFFECT}


def _blocks(section: Any, warnings: list[str], problems: list[str]) -> Iterator[BlockConfig | None]:
    if not isinstance(section, list) or not section:
        problems.append(f"session_config: expected a list of one or more blocks (found {reprlib.repr(section)})")
        return
    for number, block in enumerate(section):
        name = next(iter(block), None) if isinstance(block, Mapping) else None
        where = f"block {number if name is None else repr(name)}"
        settings = _without_idle_keys(block, where, warnings)
        if isinstance(settings, Mapping) and isinstance(settings.get(name), Mapping):
            settings = {**settings, name: _without_idle_keys(settings[name], where, warnings)}
        yield _validated(BlockConfig, settings, where, problems)


def _validated(model: type[BaseModel], section: Any, where: str, problems: list[str]) -> Any:
    """The section as its model; None if it has problems, which are added to `problems`."""
    try:
        return model.model_validate(section)
    except ValidationError as error:
        problems += problems_of(error, describe_unknown_key(model), where=where)
        return None


def describe_unknown_key(model: type[BaseModel]) -> DescribeUnknownKey:
    """For `problems_of`: a suggestion, the section that the key belongs to, or all keys that are allowed."""

    def describe(place: Place) -> str:
        key = str(place[-1])
        section = next((_PARTS[part] for part in reversed(place[:-1]) if part in _PARTS), model)
        known = [name for name in section.model_fields if (section, name) != (BlockConfig, "name")]
        if key in _SECTION_OF:
            return f"unknown key here; it belongs in {_SECTION_OF[key]}"
        return unknown_key(key, known)

    return describe


_SECTION_OF: Mapping[str, str] = {
    **dict.fromkeys(TrialTypeConfig.model_fields.keys() - TrialConfig.model_fields.keys(), "a trial type"),
    **dict.fromkeys(BlockConfig.model_fields.keys() - TrialConfig.model_fields.keys() - {"name"}, "a block"),
    **{key: section for section, model in _SECTIONS.items() for key in model.model_fields},
}
"""Where a key belongs that was found elsewhere."""


def _contradictions(parts: Mapping[str, Any]) -> list[str]:
    """Contradictions between parts that are each valid."""
    blocks = [block for block in parts.get("session_config", ()) if block is not None]
    deployment = parts.get("deployment", Deployment())
    if deployment is None:
        return []
    lengths = {block.name: len(block.conditional_trial_types) for block in blocks if block.conditional_trial_types}
    expected, source = deployment.num_conditions, "deployment.num_conditions"
    if expected is None:
        expected, source = max(lengths.values(), default=1), "the number in other blocks"
    problems = list(_contradictions_of_deployment(deployment, expected, deals_conditions=bool(blocks)))
    problems += [
        f"block {name!r}: conditional_trial_types has {length} entries; expected one per condition, {expected} "
        f"({source})"
        for name, length in lengths.items()
        if length != expected
    ]
    trial_config = parts.get("trial_config") or TrialConfig()
    for block in blocks:
        problems += _contradictions_of_block(block, trial_config, expected)
    return problems


def _contradictions_of_deployment(
    deployment: Deployment, n_conditions: int, *, deals_conditions: bool
) -> Iterator[str]:
    size, n_trialsets = deployment.randomization_block_size, deployment.num_trialsets
    if deployment.alternate_within_blocks and deployment.fully_random_group_assignment:
        yield "deployment: alternate_within_blocks and fully_random_group_assignment are both true; choose one"
    if size is not None and size % n_conditions:
        yield (
            f"deployment.randomization_block_size: expected a multiple of the number of conditions, {n_conditions} "
            f"(found {size})"
        )
    unit = n_conditions if size is None or deployment.alternate_within_blocks else size
    is_even = deals_conditions and not deployment.fully_random_group_assignment
    if n_trialsets is not None and n_trialsets % unit and is_even:
        yield (
            f"deployment.num_trialsets: expected a multiple of {unit}, so that all conditions get the same "
            f"number of participants (found {n_trialsets})"
        )


def _contradictions_of_block(block: BlockConfig, trial_config: TrialConfig, n_conditions: int) -> Iterator[str]:
    for key in ("n_classes_per_bucket", "n_classes_per_variant"):
        deals = getattr(block, key)
        if isinstance(deals, list) and n_conditions > 1 and len(deals) != n_conditions:
            yield f"block {block.name!r}, {key}: has {len(deals)} entries; expected one per condition, {n_conditions}"
    for types in [block.trial_types or {}, *(block.conditional_trial_types or ())]:
        values = {
            name: effective("combine_and_shuffle", trial_type, block, trial_config)
            for name, trial_type in types.items()
        }
        if len(set(values.values())) > 1:
            yield (
                f"block {block.name!r}: combine_and_shuffle differs between its trial types "
                f"({', '.join(values)}); expected the same for all trials of a block"
            )


def effective(key: str, *places: BaseModel) -> Any:
    """The value of a key in the first of the places that sets it, else the default in the last."""
    place = next((place for place in places if key in place.model_fields_set), places[-1])
    return getattr(place, key)


def _overrides_ignored_by_l_wise(config: StudyConfig) -> list[str]:
    """L-WISE lets a block override only keys that are set in trial_config; warn where a file may rely on that."""
    in_trial_config = config.trial_config.model_fields_set | {"show_test_instructions"}
    return [
        f"block {block.name!r}: {key} is not set in trial_config; L-WISE would ignore it, here it applies"
        for block in config.session_config
        for key in TrialSettings.model_fields
        if key in block.model_fields_set - in_trial_config
    ]


def unread_keys(config: StudyConfig) -> list[str]:
    """A warning that names the keys of hit_config: nothing reads them until studies recruit on Mechanical Turk."""
    if config.hit_config is None:
        return []
    keys = [key for key in HitConfig.model_fields if key in config.hit_config.model_fields_set]
    return [
        f"hit_config: {', '.join(keys)}: nothing reads these keys yet; they change neither the study nor its payments"
    ]


def _rounded_down(config: StudyConfig) -> list[str]:
    n_shapes = len(config.trial_config.calibration_stimuli)
    return [
        f"block {block.name!r}: n_calibration_trials is {block.n_calibration_trials}; circle and triangle are shown "
        f"equally often, so {block.n_calibration_trials // n_shapes * n_shapes} are run"
        for block in config.session_config
        if block.n_calibration_trials % n_shapes
    ]

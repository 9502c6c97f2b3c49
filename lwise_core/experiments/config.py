"""config.yaml as typed models: what a researcher may write, checked with every problem named at once.

The sections `session_config` and `trial_config` keep the keys and the meaning of L-WISE; `deployment`, `site` and
`stimuli` say what L-WISE takes from command-line flags and edited HTML. Needs pydantic and PyYAML; never imported by a
server.
"""

from __future__ import annotations

import reprlib
from collections.abc import Hashable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from lwise_core.errors import InputError

NATURAL = "natural"
"""The variant of the original images."""


def _folder_name(text: str) -> str:
    if text in ("", ".", "..") or any(sign in text for sign in "/\\:"):
        raise ValueError("expected the name of one folder of pictures in stimuli.root")
    return text


FolderName = Annotated[str, AfterValidator(_folder_name)]
Milliseconds = Annotated[float, Field(ge=0, le=600_000)]
Count = Annotated[int, Field(ge=0, le=10_000)]
Fraction = Annotated[float, Field(gt=0, le=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TrialSettings(_Strict):
    """Settings of one trial. Durations in ms, widths in degrees of visual angle."""

    stimulus_duration_msec: Milliseconds = 0
    """0: the picture stays until the response."""
    calibration_stimulus_duration_msec: Milliseconds = 0
    post_stimulus_delay_duration_msec: Milliseconds = 0
    pre_choice_lockout_delay_duration_msec: Milliseconds = 0
    choice_duration_msec: Annotated[float, Field(gt=0, le=600_000)] = 10_000
    intertrial_delay_duration_msec: Milliseconds = 200
    reward_duration_msec: Milliseconds | None = None
    """Length of the feedback after a right answer; null: until the space bar."""
    incorrect_duration_msec: Milliseconds | None = None
    correct_feedback_lockout_duration_msec: Milliseconds = 500
    incorrect_feedback_lockout_duration_msec: Milliseconds = 1_500
    show_feedback: bool = True
    show_test_instructions: bool = False
    keep_stimulus_on: bool = False
    stimulus_width_degrees: Annotated[float, Field(gt=0, le=60)] = 12
    choice_width_degrees_default: Annotated[float, Field(gt=0, le=30)] = 4
    keypress_fj_response: bool = False
    query_string: str = ""
    bonus_usd_if_correct: Annotated[float, Field(ge=0, le=100)] = 0


class Curriculum(_Strict):
    """Keys of the difficulty curriculum; they may stand in trial_config, a block or a trial type."""

    difficulty_curriculum: bool = False
    max_difficulty_selection: Fraction = 1.0


class Overridable(TrialSettings, Curriculum):
    """What may stand in trial_config, in a block and in a trial type; the most specific place wins."""

    @property
    def written_settings(self) -> dict[str, Any]:
        """The trial settings that are written at this place, as checked values; what is left out overrides nothing."""
        return self.model_dump(include=set(TrialSettings.model_fields), exclude_unset=True)


class TrialConfig(Overridable):
    """`trial_config`: defaults of every trial, and how choices are offered."""

    curriculum_num_blocks: Count = 0
    choice_names_order: list[str] | None = None
    choice_names_aliases: dict[str, str] = Field(default_factory=dict)
    choice_aliases_random_shuffle: bool = False
    shuffle_choice_order: bool = False
    rotate_choice_order: bool = False
    calibration_stimuli: list[str] = ["circle", "triangle"]

    @field_validator("calibration_stimuli")
    @classmethod
    def _known_shapes(cls, shapes: list[str]) -> list[str]:
        if sorted(shapes) != ["circle", "triangle"]:
            raise ValueError('expected ["circle", "triangle"], the two shapes that the page draws')
        return shapes


class TrialTypeConfig(Overridable):
    """A trial type: which variant is shown, and which settings differ from those of the block."""

    variant: FolderName = NATURAL


TrialTypes = Annotated[dict[str, TrialTypeConfig], Field(min_length=1)]


class BlockConfig(Overridable):
    """An entry of `session_config`."""

    name: str
    n_trials_per_class_train: Count = 0
    n_trials_per_class_val: Count = 0
    n_trials_per_class_test: Count = 0
    n_calibration_trials: Count = 0
    class_balanced: Annotated[bool, Field(description="always true")] = True
    trial_types: TrialTypes | None = None
    conditional_trial_types: list[TrialTypes] | None = None

    @model_validator(mode="before")
    @classmethod
    def _named_block(cls, value: Any) -> Any:
        """Accept `{train_1: null, key: value, ...}` (the published files) and `{train_1: {key: value, ...}}`."""
        if not isinstance(value, Mapping) or not value:
            raise ValueError("expected a mapping that begins with the block's name")
        (name, nested), *rest = value.items()
        if nested is not None and not isinstance(nested, Mapping):
            raise ValueError(f"begins with {name!r}: {nested!r}; expected the block's name with its settings below")
        keys = dict(nested or {}) | dict(rest)
        if "name" in keys:
            raise ValueError("unknown key 'name'; the name of a block is the key that it begins with")
        return {"name": name, **keys}

    @model_validator(mode="after")
    def _one_kind_of_types(self) -> BlockConfig:
        if self.trial_types is not None and self.conditional_trial_types is not None:
            raise ValueError("has both trial_types and conditional_trial_types; expected one of them")
        if not self.class_balanced:
            raise ValueError("class_balanced is false; every class gets the same number of trials, so leave it out")
        return self


class Deployment(_Strict):
    """`deployment`: how participants are dealt to conditions."""

    seed: int = 0
    num_conditions: Annotated[int, Field(ge=1, le=100)] = 1
    randomization_block_size: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """A multiple of num_conditions; default: num_conditions itself."""

    @model_validator(mode="after")
    def _whole_blocks(self) -> Deployment:
        size = self.randomization_block_size
        if size is not None and size % self.num_conditions:
            raise ValueError(
                f"randomization_block_size is {size}; expected a multiple of num_conditions = {self.num_conditions}"
            )
        return self


class Site(_Strict):
    """`site`: what the participant reads besides the instruction pages."""

    title: str = "Image categories"


class Stimuli(_Strict):
    """`stimuli`: the folder of variants, absolute or relative to the study's folder."""

    root: str = "variants"


class StudyConfig(_Strict):
    """A whole config.yaml."""

    session_config: Annotated[list[BlockConfig], Field(min_length=1)]
    trial_config: TrialConfig = TrialConfig()
    deployment: Deployment = Deployment()
    site: Site = Site()
    stimuli: Stimuli = Stimuli()

    @model_validator(mode="after")
    def _types_for_every_condition(self) -> StudyConfig:
        expected = self.deployment.num_conditions
        wrong = [
            f"block {block.name!r}: conditional_trial_types has {len(types)} entries; "
            f"expected one per condition, {expected} (deployment.num_conditions)"
            for block in self.session_config
            if (types := block.conditional_trial_types) is not None and len(types) != expected
        ]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self


class _UniqueKeyLoader(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping; YAML itself would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    line = key.start_mark.line + 1
                    raise yaml.YAMLError(f"key {key.value!r} stands twice in one place, the second time in line {line}")
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_config(path: Path) -> StudyConfig:
    """Read and check config.yaml.

    Raises
    ------
    InputError
        Naming every problem of the file: where it stands, what was found and what is expected.
    """
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); a study folder holds config.yaml and dirmap.csv"
        ) from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: no UTF-8, or a date such as 2026-02-31
        raise InputError(f"{path}: not a YAML file ({' '.join(str(error).split())})") from None
    try:
        return StudyConfig.model_validate(document)
    except ValidationError as error:
        raise InputError(f"{path}: {_problems(error, document)}") from None


_SECTIONS: Mapping[object, type[_Strict]] = {
    "session_config": BlockConfig,
    "trial_types": TrialTypeConfig,
    "conditional_trial_types": TrialTypeConfig,
    "trial_config": TrialConfig,
    "deployment": Deployment,
    "site": Site,
    "stimuli": Stimuli,
}


def _problems(error: ValidationError, document: Any) -> str:
    """Every problem in one line: where it stands, what is expected and what was found."""
    return "; ".join(_problem(details, document) for details in error.errors(include_url=False))


def _problem(details: ErrorDetails, document: Any) -> str:
    place, kind, found = details["loc"], details["type"], details["input"]
    where = f"{_where(place, document)}: " if place else ""
    if kind == "extra_forbidden":
        return f"{where}unknown key; {_known_keys(place)}"
    if kind == "missing":
        return f"{where}is missing"
    message = details["msg"].removeprefix("Value error, ")
    if kind == "model_type":
        message = "expected a mapping (key: value)"
    return where + message + ("" if isinstance(found, Mapping) else f" (found {reprlib.repr(found)})")


def _where(place: tuple[int | str, ...], document: Any) -> str:
    """The keys that lead to a problem; a block by its name."""
    if place[0] == "session_config" and len(place) > 1 and isinstance(place[1], int):
        block = document["session_config"][place[1]]
        name = next(iter(block), None) if isinstance(block, Mapping) else None
        keys = ".".join(str(part) for part in place[2:])
        return f"block {place[1] if name is None else repr(name)}" + (f", {keys}" if keys else "")
    return ".".join(str(part) for part in place)


def _known_keys(place: tuple[int | str, ...]) -> str:
    """What may stand where an unknown key stands: the one that was probably meant, else all of them."""
    section = next((_SECTIONS[part] for part in reversed(place[:-1]) if part in _SECTIONS), StudyConfig)
    known = [key for key in section.model_fields if (section, key) != (BlockConfig, "name")]
    meant = get_close_matches(str(place[-1]), known, n=1)
    return f"did you mean {meant[0]}?" if meant else f"known are {', '.join(sorted(known))}"

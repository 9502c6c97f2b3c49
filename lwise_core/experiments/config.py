"""config.yaml as typed models: what a researcher may write, checked with every problem named at once.

The sections `session_config` and `trial_config` keep the keys and the meaning of L-WISE; `deployment`, `site` and
`stimuli` say what L-WISE takes from command-line flags and edited HTML. Needs pydantic and PyYAML; never imported by a
server.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from lwise_core.errors import InputError

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


class TrialConfig(TrialSettings, Curriculum):
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


class BlockConfig(_Strict):
    """An entry of `session_config`. `settings` holds the trial settings that this block overrides."""

    name: str
    n_trials_per_class_train: Count = 0
    n_trials_per_class_val: Count = 0
    n_trials_per_class_test: Count = 0
    n_calibration_trials: Count = 0
    class_balanced: Annotated[bool, Field(description="always true")] = True
    trial_types: dict[str, dict[str, Any]] | None = None
    conditional_trial_types: list[dict[str, dict[str, Any]]] | None = None
    settings: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _named_block(cls, value: Any) -> Any:
        """Accept `{train_1: null, key: value, ...}` (the published files) and `{train_1: {key: value, ...}}`."""
        if not isinstance(value, Mapping) or not value:
            raise ValueError("expected a mapping that begins with the block's name")
        (name, nested), *rest = value.items()
        keys = dict(nested or {}) | dict(rest)
        overridable = {*TrialSettings.model_fields, *Curriculum.model_fields}
        own = {key: setting for key, setting in keys.items() if key not in overridable}
        return {"name": name, **own, "settings": {key: keys[key] for key in keys if key in overridable}}

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
        for block in self.session_config:
            types = block.conditional_trial_types
            if types is not None and len(types) != expected:
                raise ValueError(
                    f"block {block.name!r}: conditional_trial_types has {len(types)} entries; "
                    f"expected one per condition, {expected} (deployment.num_conditions)"
                )
        return self


def read_config(path: Path) -> StudyConfig:
    """Read and check config.yaml.

    Raises
    ------
    InputError
        Naming every problem of the file: where it stands, what was found and what is expected.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; a study folder holds config.yaml and dirmap.csv") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a YAML file ({' '.join(str(error).split())})") from None
    try:
        return StudyConfig.model_validate(document)
    except ValidationError as error:
        raise InputError(f"{path}: {problems(error)}") from None


def problems(error: ValidationError) -> str:
    """Every problem in one line: place, message and the value found."""
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'file'}: {problem['msg'].removeprefix('Value error, ')}"
        + (f" (found {problem['input']!r})" if isinstance(problem["input"], str | int | float) else "")
        for problem in error.errors()
    )

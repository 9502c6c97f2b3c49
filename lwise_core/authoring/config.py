"""config.yaml as typed models: every key that a researcher may write, with its meaning, unit and range.

The sections `session_config`, `trial_config` and `hit_config` keep the keys and meaning of L-WISE; `deployment`, `site`
and `stimuli` replace its command-line flags and edited HTML. docs/formats/config.md is generated from the descriptions
here. Needs pydantic; never imported by a server. `config_file` reads the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from lwise_core.experiments.study import CALIBRATION, REPEAT
from lwise_core.wire_schema import Shape

SHAPES = get_args(Shape)
"""The shapes of attention checks; the page draws these two."""


def _folder_name(text: str) -> str:
    if text in ("", ".", "..") or any(sign in text for sign in "/\\:"):
        raise ValueError("expected the name of one folder of images in stimuli.root")
    return text


def _file_name(text: str) -> str:
    if text in ("", ".", "..") or any(sign in text for sign in "/\\:"):
        raise ValueError("expected the name of a file in the study's folder")
    return text


def _bucket_name(text: str) -> str:
    if not text or not all(sign.isascii() and (sign.isalnum() or sign in ".-_") for sign in text):
        raise ValueError("expected the name of an S3 bucket: letters, digits, dots and hyphens")
    return text


def _data_set_name(text: str) -> str:
    # Together with account and region it names a bucket, which may have 63 characters.
    if not re.fullmatch(r"(?![-_])[a-z0-9_-]{1,21}(?<![-_])", text):
        raise ValueError(
            "expected 1 to 21 lower-case letters, digits, hyphens and underscores, with a letter or digit at both ends"
        )
    return text


def _web_origin(text: str) -> str:
    # It is written into a header whose parts are separated by spaces and semicolons.
    if not re.fullmatch(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?", text):
        raise ValueError("expected an origin, an address without a path, e.g. https://survey.example.edu")
    return text


def _domain_name(text: str) -> str:
    if not re.fullmatch(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", text) or len(text) > 253:
        raise ValueError("expected a domain in lower case, e.g. moths.example.edu")
    return text


def _certificate_arn(text: str) -> str:
    if not re.fullmatch(r"arn:aws:acm:us-east-1:[0-9]{12}:certificate/[A-Za-z0-9-]+", text):
        raise ValueError(
            "expected arn:aws:acm:us-east-1:ACCOUNT:certificate/ID; CloudFront accepts only certificates in us-east-1"
        )
    return text


def _aws_prefix(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,18}[A-Za-z0-9]", text):
        raise ValueError(
            "expected 2 to 20 letters, digits and hyphens, starting with a letter and not ending with a hyphen"
        )
    return text


def _code_reference(text: str) -> str:
    kind, _, name = text.partition(":")
    is_variable = kind == "env" and name.isidentifier()
    is_parameter = kind == "ssm" and re.fullmatch(r"[A-Za-z0-9_./-]{1,1011}", name)
    if not is_variable and not is_parameter:
        raise ValueError(
            "expected env:NAME, an environment variable of the server that holds the code, or ssm:NAME, a parameter "
            "in AWS Systems Manager; never put the code itself into this file"
        )
    return text


def _visible(text: str) -> str:
    if not text.strip():
        raise ValueError("expected a name that participants can see")
    return text


def _own_type_name(text: str) -> str:
    if text in (CALIBRATION, REPEAT):
        raise ValueError(f"{text!r} is a trial type that every study has; choose another name")
    return text


FolderName = Annotated[str, AfterValidator(_folder_name)]
FileName = Annotated[str, AfterValidator(_file_name)]
BucketName = Annotated[str, AfterValidator(_bucket_name)]
WebOrigin = Annotated[str, AfterValidator(_web_origin)]
DomainName = Annotated[str, AfterValidator(_domain_name)]
CertificateArn = Annotated[str, AfterValidator(_certificate_arn)]
AwsPrefix = Annotated[str, AfterValidator(_aws_prefix)]
DataSetName = Annotated[str, AfterValidator(_data_set_name)]
CodeReference = Annotated[str, AfterValidator(_code_reference)]
TypeName = Annotated[str, AfterValidator(_own_type_name)]
Milliseconds = Annotated[float, Field(ge=0, le=600_000)]
Count = Annotated[int, Field(ge=0, le=10_000)]
Positive = Annotated[int, Field(ge=1, le=10_000)]
Fraction = Annotated[float, Field(gt=0, le=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True)


class TrialSettings(_Strict):
    """Settings of one trial. Allowed in trial_config, in a block and in a trial type."""

    stimulus_duration_msec: Milliseconds = 0
    """How long the image is shown, in ms. 0: until the response."""
    calibration_stimulus_duration_msec: Milliseconds = 0
    """How long the shape of an attention check is shown, in ms. 0: until the response."""
    post_stimulus_delay_duration_msec: Milliseconds = 0
    """Blank between image and choices, in ms."""
    pre_choice_lockout_delay_duration_msec: Milliseconds = 0
    """Responses are ignored for this long after the choices appear, in ms."""
    choice_duration_msec: Annotated[float, Field(gt=0, le=600_000)] = 10_000
    """Response deadline, in ms after the choices appear."""
    intertrial_delay_duration_msec: Milliseconds = 200
    """Blank after the trial, in ms."""
    reward_duration_msec: Milliseconds | None = None
    """Duration of the feedback after a correct answer, in ms. null: until the space bar is pressed."""
    incorrect_duration_msec: Milliseconds | None = None
    """Duration of the feedback after a wrong answer, in ms. null: until the space bar is pressed."""
    correct_feedback_lockout_duration_msec: Milliseconds = 500
    """The space bar is ignored for this long after a correct answer, in ms."""
    incorrect_feedback_lockout_duration_msec: Milliseconds = 1_500
    """The space bar is ignored for this long after a wrong answer, in ms."""
    show_feedback: bool = True
    """Whether the participant sees the correct answer. If false, the answer never leaves the server."""
    show_fixation: bool = False
    """Whether the trial starts with a fixation cross that the participant clicks."""
    show_test_instructions: bool = False
    """Show the page `test` before the first of consecutive trials with this setting."""
    keep_stimulus_on: bool = False
    """Whether the image stays on while the choices are shown."""
    stimulus_width_degrees: Annotated[float, Field(gt=0, le=60)] = 12
    """Width of the image, in degrees of visual angle."""
    choice_width_degrees_default: Annotated[float, Field(gt=0, le=30)] = 4
    """Maximum width of a choice, in degrees of visual angle; with many choices they are drawn smaller."""
    keypress_fj_response: bool = False
    """With two choices: answer with the keys F (first) and J (second)."""
    query_string: str = ""
    """Question above the image."""
    bonus_usd_if_correct: Annotated[float, Field(ge=0, le=100)] = 0
    """Bonus for a correct answer, in USD."""
    choice_image_bucket_name: BucketName | None = None
    """S3 bucket with an icon for every choice. null: the page draws the names."""
    choice_url_suffix: str = "_icon.png"
    """End of the icons' file names, after the shown name with underscores for spaces."""
    feedback_correct_url: str | None = None
    """Accepted for L-WISE files; the page draws its own tick."""
    feedback_incorrect_url: str | None = None
    """Accepted for L-WISE files; the page draws its own cross."""


class CurriculumSettings(_Strict):
    """Keys of the difficulty curriculum. Allowed in trial_config, in a block and in a trial type."""

    difficulty_curriculum: bool = False
    """Draw the images of the first `curriculum_num_blocks` blocks from the easiest ones. If a block has several trial
    types, the first one decides; if it is on in any block, it is on for the condition."""
    max_difficulty_selection: Fraction | None = None
    """Share of the images of a class, easiest first, that the block draws from. Required in every curriculum block."""
    combine_and_shuffle: bool = False
    """Shuffle the trials across all blocks that have this set, among trials of equal class, trial type and split: the
    curriculum's content without its order. All trial types of a block must agree."""


class OrderSettings(_Strict):
    """How choices are ordered from trial to trial. Allowed in trial_config and in a block."""

    shuffle_choice_order: bool = False
    """A new random order in each trial."""
    rotate_choice_order: bool = False
    """A random rotation of the ring of choices in each trial."""


class Overridable(TrialSettings, CurriculumSettings):
    """Settings allowed in trial_config, in a block and in a trial type; the most specific one wins."""

    @property
    def written_settings(self) -> dict[str, Any]:
        """The trial settings that are written here, validated; omitted settings override nothing."""
        return self.model_dump(include=set(TrialSettings.model_fields), exclude_unset=True)


Alias = Annotated[str, AfterValidator(_visible)]
Aliases = Annotated[dict[str, Alias], BeforeValidator(lambda value: {} if value is None else value)]


class TrialConfig(Overridable, OrderSettings):
    """`trial_config`: defaults for all trials, and how choices are offered in a session."""

    curriculum_num_blocks: Count = 0
    """Number of blocks, from the first, that follow the difficulty curriculum."""
    repeat_stimulus_split: str = "val"
    """Split from which the repeat image is drawn."""
    choice_names_order: Annotated[list[str], Field(min_length=2)] | None = None
    """The classes in their order on the ring; spaces are the same as underscores. null: as in the data."""
    choice_names_order_shuffle: bool = False
    """Shuffle the order once per session."""
    choice_names_aliases: Aliases = Field(default_factory=dict)
    """Class: the name shown for it. Other classes are shown under their own name, with spaces for underscores."""
    choice_aliases_random_shuffle: bool = False
    """Assign the aliases to the classes at random, once per session."""
    calibration_stimuli: list[str] = list(SHAPES)
    """The shapes of attention checks: circle and triangle."""

    @field_validator("calibration_stimuli")
    @classmethod
    def _known_shapes(cls, shapes: list[str]) -> list[str]:
        if sorted(shapes) != sorted(SHAPES):
            raise ValueError(f"expected {list(SHAPES)}, the two shapes that the page draws")
        return shapes


class TrialTypeConfig(Overridable):
    """A trial type: which copy of an image is shown, and which settings differ from the block's."""

    variant: FolderName | None = None
    """Folder in stimuli.root with the images to show, e.g. eps8."""
    bucket: BucketName | None = None
    """S3 bucket with the images to show: replaces the bucket in the image's `url`."""

    @model_validator(mode="after")
    def _one_copy(self) -> TrialTypeConfig:
        if self.variant is not None and self.bucket is not None:
            raise ValueError(f"has both variant ({self.variant}) and bucket ({self.bucket}); expected one of them")
        return self


TrialTypes = Annotated[dict[TypeName, TrialTypeConfig], Field(min_length=1)]
ClassesPerBucket = Annotated[dict[BucketName, Annotated[int, Field(ge=1)]], Field(min_length=1)]
ClassesPerVariant = Annotated[dict[FolderName, Annotated[int, Field(ge=1)]], Field(min_length=1)]


class BlockConfig(Overridable, OrderSettings):
    """An entry of `session_config`."""

    name: str
    """The first key of the entry."""
    n_trials_per_class_train: Count = 0
    """Images drawn per class from the split `train`."""
    n_trials_per_class_val: Count = 0
    """Images drawn per class from the split `val`."""
    n_trials_per_class_test: Count = 0
    """Images drawn per class from the split `test`."""
    n_calibration_trials: Count = 0
    """Attention checks: a circle or triangle, each equally often; an odd number is rounded down."""
    n_repeats_of_one_stim: Count = 0
    """How often the block shows the session's repeat image, which no other trial shows."""
    class_balanced: bool = True
    """Always true; may be omitted."""
    trial_types: TrialTypes | None = None
    """Name: settings. Each class and split has every trial type equally often. Default: `new_stimulus` alone."""
    conditional_trial_types: Annotated[list[TrialTypes], Field(min_length=1)] | None = None
    """A list of such mappings, one per condition."""
    n_classes_per_bucket: ClassesPerBucket | Annotated[list[ClassesPerBucket], Field(min_length=1)] | None = None
    """S3 bucket: number of classes shown from it; the classes are assigned at random. A list of such mappings has one
    per condition; in a study with one condition each session draws one of them."""
    n_classes_per_variant: ClassesPerVariant | Annotated[list[ClassesPerVariant], Field(min_length=1)] | None = None
    """The same for hosted variants."""

    @model_validator(mode="before")
    @classmethod
    def _named_block(cls, value: Any) -> Any:
        """Accept `{train_1: null, key: value, ...}` (the published files) and `{train_1: {key: value, ...}}`."""
        if not isinstance(value, Mapping) or not value:
            raise ValueError("expected a mapping that starts with the block's name")
        (name, nested), *rest = value.items()
        if nested is not None and not isinstance(nested, Mapping):
            raise ValueError(f"starts with {name!r}: {nested!r}; expected the block's name with its settings below")
        keys = dict(nested or {}) | dict(rest)
        if "name" in keys:
            raise ValueError("unknown key 'name'; a block's name is its first key")
        return {"name": name, **keys}

    @model_validator(mode="after")
    def _consistent(self) -> BlockConfig:
        if self.trial_types is not None and self.conditional_trial_types is not None:
            raise ValueError("has both trial_types and conditional_trial_types; expected one of them")
        if self.n_classes_per_bucket is not None and self.n_classes_per_variant is not None:
            raise ValueError("has both n_classes_per_bucket and n_classes_per_variant; expected one of them")
        if not self.class_balanced:
            raise ValueError(
                "class_balanced is false; every class always gets the same number of trials, so omit the key"
            )
        return self


class HitConfig(_Strict):
    """`hit_config`: the task as listed on Mechanical Turk. Nothing reads these keys yet."""

    title: str
    """Title of the task."""
    description: str
    """Description that workers read before they accept the task."""
    reward: Annotated[float, Field(ge=0, le=1_000)]
    """Payment per assignment, in USD."""
    num_respondents: Positive
    """Number of assignments."""
    max_time_seconds: Annotated[int, Field(ge=30, le=31_536_000)]
    """Time a worker has for an assignment, in s."""
    lifetime_seconds: Annotated[int, Field(ge=30, le=31_536_000)]
    """How long the task is listed, in s."""
    frame_height: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Height of the frame around the page, in px. 0: as high as the window."""
    autoapprove: bool = True
    """Approve assignments as soon as they are submitted."""


class Throttle(_Strict):
    """`deployment.throttle`: request limits of a deployed study; a participant makes about one request per trial."""

    per_second: Annotated[float, Field(gt=0, le=10_000)] = 200
    """Average requests per second. Requests above the limit are rejected, and the page retries."""
    at_once: Annotated[int, Field(ge=1, le=10_000)] = 500
    """Burst of requests."""


class Domain(_Strict):
    """`deployment.domain`: the lab's own domain for a deployed study."""

    name: DomainName
    """The domain, e.g. moths.example.edu. Make it a CNAME of the stack's output `DomainTarget`."""
    certificate: CertificateArn
    """ARN of its certificate in AWS Certificate Manager, in region us-east-1."""


class Deployment(_Strict):
    """`deployment`: who may take part, and how participants are assigned to conditions."""

    seed: int = 0
    """Seed of all random draws; another seed gives other trial sets. Anyone with this program can try small seeds and
    so find the correct answers of a test: choose a large number that nobody guesses."""
    num_conditions: Annotated[int, Field(ge=1, le=100)] | None = None
    """Number of conditions. Default: the number in `conditional_trial_types` or trialsets.csv, else 1."""
    randomization_block_size: Positive | None = None
    """Block size of the randomisation: that many consecutive participants have each condition equally often, in random
    order. A multiple of num_conditions. Default: num_conditions."""
    alternate_within_blocks: bool = False
    """Assign conditions 0, 1, 2, … in turn instead."""
    fully_random_group_assignment: bool = False
    """Draw each participant's condition independently instead; counts vary by chance."""
    num_trialsets: Annotated[int, Field(ge=1)] | None = None
    """Maximum number of participants. Default: no limit; with trialsets.csv the number of its trial sets."""
    when_trialsets_run_out: Literal["refuse", "reuse"] = "refuse"
    """What a participant beyond that number gets: a polite refusal, or the trial sets from the first again."""
    lease_minutes: Annotated[float, Field(gt=0, le=100_000)] = 120
    """How long an inactive participant holds a slot, in minutes. Then the next arrival gets it, so that all conditions
    end with the same number of participants. A participant who returns after that may still finish, in addition."""
    on_return: Literal["resume", "restart", "block"] = "resume"
    """What happens when a participant who left during the trials returns. `resume`: continue at the first trial that is
    not stored; `restart`: start the same trials over, with the earlier answers stored as a session of their own;
    `block`: the session is over, without a code, and its slot goes to the next arrival."""
    return_within_hours: Annotated[float, Field(gt=0, le=100_000)] | None = None
    """Participants who return later than this after their last activity are blocked, in hours. Default: no limit."""
    allow_repeats: bool = False
    """Whether the same person (the platform's `worker_id`) may take part again with another assignment."""
    completion_code: CodeReference | None = None
    """Where the server finds the completion code: `env:NAME`, an environment variable, or `ssm:NAME`, a parameter in
    AWS Systems Manager. `lwise serve` does not read parameters and then gives no code."""
    screen_out_code: CodeReference | None = None
    """The same for participants who are screened out."""
    platforms: Annotated[list[str], Field(min_length=1)] | None = None
    """Platforms whose participants may take part, e.g. prolific, mturk, inperson; `test` always may. Default: all."""
    on_destroy: Literal["keep", "delete"] = "keep"
    """What `cdk destroy` does with participants' data: retain tables and bucket, or delete them permanently."""
    termination_protection: bool = False
    """Whether `cdk destroy` is rejected until another `cdk deploy` turns this off."""
    throttle: Throttle = Throttle()
    """Request limits of the deployed study."""
    allow_origins: list[WebOrigin] = Field(default_factory=list)
    """Sites that may embed the study in a frame, e.g. https://survey.example.edu, whether deployed or served locally.
    Default: none, except Mechanical Turk if `platforms` includes it."""
    domain: Domain | None = None
    """The lab's own domain. Default: one that CloudFront generates."""
    alarm_email: str | None = None
    """Address for alarms when the deployed study has errors, is slow, or nobody finishes. Default: none."""
    aws_prefix: AwsPrefix | None = None
    """Prefix of the names of everything that is deployed, for labs that share an AWS account. `cdk` knows the study by
    its name without the prefix."""
    tags: dict[str, str] = Field(default_factory=dict)
    """Tags of everything that is deployed, e.g. to split costs by project."""
    data_spec_file_name: FileName | None = None
    """Name of the dirmap or the file of trial sets. Default: whichever of dirmap.csv, dataset_dirmap.csv and
    trialsets.csv exists."""


class BonusTierConfig(_Strict):
    """A tier of the bonus."""

    at_least: Annotated[float, Field(ge=0, le=1)]
    """Share of correct answers, 0 to 1."""
    usd: Annotated[float, Field(ge=0, le=1_000)]
    """Bonus for reaching it, in USD."""


class ScreeningConfig(_Strict):
    """`site.screening`: who continues after a block."""

    block: str | None = None
    """Name of the block after which participants are screened. Default: the first."""
    min_correct: Annotated[int, Field(ge=0, le=10_000)]
    """Correct answers required among the block's main trials."""
    min_correct_per_class: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Correct answers required for each class."""


class Site(_Strict):
    """`site`: the participant's page and bonus."""

    title: str = "Image categories"
    """Title of the page."""
    bonus: list[BonusTierConfig] = Field(default_factory=list)
    """Bonus by the share of correct answers in the main trials with `bonus_usd_if_correct` above 0: that of the highest
    tier reached. Default: the sum of `bonus_usd_if_correct` over correct answers."""
    screening: ScreeningConfig | None = None
    """Who continues after a block. The others end there, with the page `screened_out` and `screen_out_code`; their
    slots go to the next arrivals."""
    desktop_only: bool = True
    """Whether phones and tablets are rejected before a session starts."""
    min_window_px: Annotated[int, Field(ge=0, le=10_000)] = 600
    """Minimum width and height of the browser window, in CSS px, checked at the start and after every trial. 0: any."""
    calibrate_screen: bool = False
    """Whether the screen's scale (with a bank card) and the viewing distance (with the blind spot) are measured before
    the trials, so that degrees of visual angle are exact. Otherwise 6 degrees are taken as 17.5 % of the screen's
    shorter side."""
    full_screen: bool = False
    """Whether trials are shown full screen. Leaving is recorded, and between trials the page asks to return."""
    ask_email: bool = False
    """Whether the last page asks for an e-mail address (optional). It is stored apart from all other data."""

    @field_validator("bonus")
    @classmethod
    def _ascending(cls, tiers: list[BonusTierConfig]) -> list[BonusTierConfig]:
        steps = [tier.at_least for tier in tiers]
        if steps != sorted(set(steps)):
            raise ValueError(f"at_least is {steps}; expected values that increase from tier to tier")
        return tiers


class Stimuli(_Strict):
    """`stimuli`: where the variants are."""

    root: str | None = None
    """Folder of variants, absolute or relative to the study's folder. Default: `variants`, unless the data file has a
    column `url`; then the images at these addresses are shown where no variant is named."""
    dataset: DataSetName | None = None
    """Data set that `lwise stimuli publish` has uploaded: a deployed study shows its images from there, and the machine
    that deploys does not need them. Default: the images are deployed with the study."""
    manifest: FileName = "stimuli.csv"
    """With `dataset`: the manifest that `lwise stimuli publish` wrote into the study's folder."""


class StudyConfig(_Strict):
    """A whole config.yaml."""

    session_config: list[BlockConfig] = Field(default_factory=list)
    """The blocks of a session, in order. Not used if trialsets.csv gives the trials."""
    trial_config: TrialConfig = TrialConfig()
    hit_config: HitConfig | None = None
    deployment: Deployment = Deployment()
    site: Site = Site()
    stimuli: Stimuli = Stimuli()

    @property
    def n_conditions(self) -> int:
        """Number of conditions of a study with sampled trials."""
        if self.deployment.num_conditions is not None:
            return self.deployment.num_conditions
        return max((len(block.conditional_trial_types or ()) for block in self.session_config), default=0) or 1

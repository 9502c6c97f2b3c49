"""config.yaml as typed models: every key that a researcher may write, with its meaning, unit and range.

The sections `session_config`, `trial_config` and `hit_config` keep the keys and the meaning of L-WISE; `deployment`,
`site` and `stimuli` say what L-WISE takes from command-line flags and edited HTML. The descriptions here are those of
docs/formats/config.md. Needs pydantic; never imported by a server. Files are read by `config_file`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from lwise_core.experiments.study import CALIBRATION, REPEAT

SHAPES = ("circle", "triangle")
"""What attention checks show: the page draws these two."""


def _folder_name(text: str) -> str:
    if text in ("", ".", "..") or any(sign in text for sign in "/\\:"):
        raise ValueError("expected the name of one folder of pictures in stimuli.root")
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
    # With account and region it is the name of a bucket, which may have 63 letters.
    if not re.fullmatch(r"(?![-_])[a-z0-9_-]{1,21}(?<![-_])", text):
        raise ValueError(
            "expected 1 to 21 small letters, digits, hyphens and underscores, with a letter or a digit at both ends"
        )
    return text


def _web_origin(text: str) -> str:
    # The header that it goes into separates its parts by spaces and semicolons.
    if not re.fullmatch(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?", text):
        raise ValueError("expected the beginning of an address without a path, e.g. https://survey.example.edu")
    return text


def _domain_name(text: str) -> str:
    if not re.fullmatch(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", text) or len(text) > 253:
        raise ValueError("expected a domain in small letters, e.g. moths.example.edu")
    return text


def _certificate_arn(text: str) -> str:
    if not re.fullmatch(r"arn:aws:acm:us-east-1:[0-9]{12}:certificate/[A-Za-z0-9-]+", text):
        raise ValueError(
            "expected arn:aws:acm:us-east-1:ACCOUNT:certificate/ID; CloudFront takes certificates of us-east-1 only"
        )
    return text


def _aws_prefix(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,18}[A-Za-z0-9]", text):
        raise ValueError("expected 2 to 20 letters, digits and hyphens, with a letter first and no hyphen last")
    return text


def _code_reference(text: str) -> str:
    kind, _, name = text.partition(":")
    is_variable = kind == "env" and name.isidentifier()
    is_parameter = kind == "ssm" and re.fullmatch(r"[A-Za-z0-9_./-]{1,1011}", name)
    if not is_variable and not is_parameter:
        raise ValueError(
            "expected env:NAME, the environment variable of the server that holds the code, or ssm:NAME, the parameter "
            "of AWS Systems Manager; the code itself does not belong into this file"
        )
    return text


def _visible(text: str) -> str:
    if not text.strip():
        raise ValueError("expected a name that participants can see")
    return text


def _own_type_name(text: str) -> str:
    if text in (CALIBRATION, REPEAT):
        raise ValueError(f"{text!r} is a trial type that every study has; expected another name")
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
    """Settings of one trial. They may stand in trial_config, in a block and in a trial type."""

    stimulus_duration_msec: Milliseconds = 0
    """How long the picture is shown, in ms. 0: until the response."""
    calibration_stimulus_duration_msec: Milliseconds = 0
    """The same for the shape of an attention check, in ms."""
    post_stimulus_delay_duration_msec: Milliseconds = 0
    """Blank between picture and choices, in ms."""
    pre_choice_lockout_delay_duration_msec: Milliseconds = 0
    """Responses earlier than this after the choices appear are ignored, in ms."""
    choice_duration_msec: Annotated[float, Field(gt=0, le=600_000)] = 10_000
    """Deadline of the response, in ms from the appearance of the choices."""
    intertrial_delay_duration_msec: Milliseconds = 200
    """Blank after the trial, in ms."""
    reward_duration_msec: Milliseconds | None = None
    """Length of the feedback after a right answer, in ms. null: until the space bar."""
    incorrect_duration_msec: Milliseconds | None = None
    """Length of the feedback after a wrong answer, in ms. null: until the space bar."""
    correct_feedback_lockout_duration_msec: Milliseconds = 500
    """The space bar is ignored for so long after a right answer, in ms."""
    incorrect_feedback_lockout_duration_msec: Milliseconds = 1_500
    """The space bar is ignored for so long after a wrong answer, in ms."""
    show_feedback: bool = True
    """Whether the participant is told the right answer. Where false, the answer never leaves the server."""
    show_fixation: bool = False
    """Whether the trial begins with a cross in the centre that the participant clicks."""
    show_test_instructions: bool = False
    """Show the page `test` before the first trial of a run of trials that ask for it."""
    keep_stimulus_on: bool = False
    """Whether the picture stays while the choices are shown."""
    stimulus_width_degrees: Annotated[float, Field(gt=0, le=60)] = 12
    """Width of the picture, in degrees of visual angle."""
    choice_width_degrees_default: Annotated[float, Field(gt=0, le=30)] = 4
    """Largest width of a choice, in degrees of visual angle; many choices are drawn smaller."""
    keypress_fj_response: bool = False
    """With two choices: answer with F (the first) and J (the second)."""
    query_string: str = ""
    """Question above the picture."""
    bonus_usd_if_correct: Annotated[float, Field(ge=0, le=100)] = 0
    """What a right answer earns, in USD."""
    choice_image_bucket_name: BucketName | None = None
    """S3 bucket with a picture of every choice. null: the page draws the names."""
    choice_url_suffix: str = "_icon.png"
    """End of those pictures' file names, after the shown name with underscores for spaces."""
    feedback_correct_url: str | None = None
    """Kept for L-WISE files; the page draws its own tick."""
    feedback_incorrect_url: str | None = None
    """Kept for L-WISE files; the page draws its own cross."""


class CurriculumSettings(_Strict):
    """Keys of the difficulty curriculum. They may stand in trial_config, in a block and in a trial type."""

    difficulty_curriculum: bool = False
    """Draw the images of the first `curriculum_num_blocks` blocks from the easiest ones. Of several trial types in a
    block the first one decides; on in any block, it is on for the condition."""
    max_difficulty_selection: Fraction | None = None
    """Share of the images of a class, easiest first, that the block draws from. Needed in every curriculum block."""
    combine_and_shuffle: bool = False
    """Let the trials of all blocks so marked change places, among trials of equal class, trial type and split: the
    curriculum's content without its order. All trial types of a block agree."""


class OrderSettings(_Strict):
    """How choices are placed from trial to trial. They may stand in trial_config and in a block."""

    shuffle_choice_order: bool = False
    """A new random order in each trial."""
    rotate_choice_order: bool = False
    """The ring of choices is turned at random in each trial."""


class Overridable(TrialSettings, CurriculumSettings):
    """What may stand in trial_config, in a block and in a trial type; the most specific place wins."""

    @property
    def written_settings(self) -> dict[str, Any]:
        """The trial settings that are written at this place, as checked values; what is left out overrides nothing."""
        return self.model_dump(include=set(TrialSettings.model_fields), exclude_unset=True)


Alias = Annotated[str, AfterValidator(_visible)]
Aliases = Annotated[dict[str, Alias], BeforeValidator(lambda value: {} if value is None else value)]


class TrialConfig(Overridable, OrderSettings):
    """`trial_config`: defaults of every trial, and how choices are offered in a session."""

    curriculum_num_blocks: Count = 0
    """Number of blocks, from the first, that follow the difficulty curriculum."""
    repeat_stimulus_split: str = "val"
    """Split of the image that repeat trials show."""
    choice_names_order: Annotated[list[str], Field(min_length=2)] | None = None
    """The classes in the order of their places on the ring; spaces may stand for underscores. null: as in the data."""
    choice_names_order_shuffle: bool = False
    """One random order per session."""
    choice_names_aliases: Aliases = Field(default_factory=dict)
    """Class: name shown for it. Others are shown under their own name, with spaces for underscores."""
    choice_aliases_random_shuffle: bool = False
    """Draw once per session which class stands behind which name."""
    calibration_stimuli: list[str] = list(SHAPES)
    """The shapes of attention checks: circle and triangle."""

    @field_validator("calibration_stimuli")
    @classmethod
    def _known_shapes(cls, shapes: list[str]) -> list[str]:
        if sorted(shapes) != sorted(SHAPES):
            raise ValueError(f"expected {list(SHAPES)}, the two shapes that the page draws")
        return shapes


class TrialTypeConfig(Overridable):
    """A trial type: which copy of a picture is shown, and which settings differ from those of the block."""

    variant: FolderName | None = None
    """Folder in stimuli.root with the pictures to show, e.g. eps8."""
    bucket: BucketName | None = None
    """S3 bucket with the pictures to show: takes the place of the bucket in the image's `url`."""

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
    """The key that the entry begins with."""
    n_trials_per_class_train: Count = 0
    """Images drawn per class from the split `train` of the data set."""
    n_trials_per_class_val: Count = 0
    """Images drawn per class from the split `val`."""
    n_trials_per_class_test: Count = 0
    """Images drawn per class from the split `test`."""
    n_calibration_trials: Count = 0
    """Attention checks: a plain circle or triangle, each equally often; an odd number is rounded down."""
    n_repeats_of_one_stim: Count = 0
    """How often the block shows the session's repeat image, which is shown in no other trial."""
    class_balanced: bool = True
    """Always true; may be left out."""
    trial_types: TrialTypes | None = None
    """Name: settings. The images of each class and split are dealt evenly to the types. Without: `new_stimulus`."""
    conditional_trial_types: Annotated[list[TrialTypes], Field(min_length=1)] | None = None
    """A list of such mappings, one per condition."""
    n_classes_per_bucket: ClassesPerBucket | Annotated[list[ClassesPerBucket], Field(min_length=1)] | None = None
    """S3 bucket: number of classes that are shown from it; the classes are dealt at random. A list of such mappings is
    indexed by the condition; in a study of one condition each session draws one of them."""
    n_classes_per_variant: ClassesPerVariant | Annotated[list[ClassesPerVariant], Field(min_length=1)] | None = None
    """The same for variants that the project holds."""

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
    def _consistent(self) -> BlockConfig:
        if self.trial_types is not None and self.conditional_trial_types is not None:
            raise ValueError("has both trial_types and conditional_trial_types; expected one of them")
        if self.n_classes_per_bucket is not None and self.n_classes_per_variant is not None:
            raise ValueError("has both n_classes_per_bucket and n_classes_per_variant; expected one of them")
        if not self.class_balanced:
            raise ValueError("class_balanced is false; every class gets the same number of trials, so leave it out")
        return self


class HitConfig(_Strict):
    """`hit_config`: the task as Mechanical Turk lists it."""

    title: str
    """Title of the task."""
    description: str
    """What workers read before they accept it."""
    reward: Annotated[float, Field(ge=0, le=1_000)]
    """Pay of an assignment, in USD."""
    num_respondents: Positive
    """Number of assignments."""
    max_time_seconds: Annotated[int, Field(ge=30, le=31_536_000)]
    """Time a worker has for an assignment, in s."""
    lifetime_seconds: Annotated[int, Field(ge=30, le=31_536_000)]
    """How long the task is listed, in s."""
    frame_height: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Height of the frame around the page, in px. 0: as high as the window."""
    autoapprove: bool = True
    """Approve an assignment as soon as it is submitted."""


class Throttle(_Strict):
    """`deployment.throttle`: how many calls a deployed study answers; a participant makes about one a trial."""

    per_second: Annotated[float, Field(gt=0, le=10_000)] = 200
    """Calls per second on average. What comes beyond is turned away, and the page tries again."""
    at_once: Annotated[int, Field(ge=1, le=10_000)] = 500
    """Calls at once."""


class Domain(_Strict):
    """`deployment.domain`: an address of the lab's own for a deployed study."""

    name: DomainName
    """The domain, e.g. moths.example.edu. Let it be a CNAME of the output `DomainTarget` of the study's stack."""
    certificate: CertificateArn
    """ARN of a certificate for it in AWS Certificate Manager, in region us-east-1."""


class Deployment(_Strict):
    """`deployment`: who may take part, and how participants are dealt to conditions."""

    seed: int = 0
    """Seed of everything that is drawn at random. Another seed gives other trial sets. Who has this program can try
    small seeds out and so learn the right answers of a test: take a large number that nobody guesses."""
    num_conditions: Annotated[int, Field(ge=1, le=100)] | None = None
    """Number of conditions. Default: as many as `conditional_trial_types` lists or trialsets.csv names, else 1."""
    randomization_block_size: Positive | None = None
    """Every run of so many participants holds each condition equally often, in random order: a multiple of
    num_conditions. Default: num_conditions."""
    alternate_within_blocks: bool = False
    """Conditions 0, 1, 2, … in turn instead."""
    fully_random_group_assignment: bool = False
    """Draw the condition of each participant on its own instead; counts differ as chance has it."""
    num_trialsets: Annotated[int, Field(ge=1)] | None = None
    """Largest number of participants. Default: no end; with trialsets.csv as many as it has."""
    when_trialsets_run_out: Literal["refuse", "reuse"] = "refuse"
    """What a participant beyond that number gets: a polite refusal, or the trial sets from the first on again."""
    lease_minutes: Annotated[float, Field(gt=0, le=100_000)] = 120
    """How long a place in the study is kept after the last sign of life of its participant, in minutes. Then the next
    arrival gets it, so that every condition ends with as many participants as the others; who comes back all the same
    may finish in addition."""
    on_return: Literal["resume", "restart", "block"] = "resume"
    """What a participant finds who left amid the trials and comes back: `resume` at the first trial that is not stored;
    `restart` the same trials from the first one, with the earlier answers kept as a session of their own; `block`: the
    session is over, without a code, and its place goes to the next arrival."""
    return_within_hours: Annotated[float, Field(gt=0, le=100_000)] | None = None
    """Who comes back later than this after the last sign of life finds `block`, in hours. Default: no limit."""
    allow_repeats: bool = False
    """Whether the same person (`worker_id` of a platform) may take part again under another assignment."""
    completion_code: CodeReference | None = None
    """Where the server finds the code that a finished participant gets: `env:NAME`, an environment variable, or
    `ssm:NAME`, a parameter of AWS Systems Manager. On one machine a parameter is not read, and there is no code."""
    screen_out_code: CodeReference | None = None
    """The same for who is screened out."""
    platforms: Annotated[list[str], Field(min_length=1)] | None = None
    """Platforms whose participants may take part, e.g. prolific, mturk, inperson; `test` always may. Default: any."""
    on_destroy: Literal["keep", "delete"] = "keep"
    """What `cdk destroy` does with participants' data: leave tables and bucket behind, or delete them for good."""
    termination_protection: bool = False
    """Whether `cdk destroy` is refused until this is taken back by another `cdk deploy`."""
    throttle: Throttle = Throttle()
    """How many calls the deployed study answers."""
    allow_origins: list[WebOrigin] = Field(default_factory=list)
    """Sites that may show the study in a frame of theirs, e.g. https://survey.example.edu, deployed or served here.
    Default: none, but Mechanical Turk where `platforms` names it."""
    domain: Domain | None = None
    """An address of the lab's own. Default: one that CloudFront makes up."""
    alarm_email: str | None = None
    """Address that is written to when the deployed study has errors, is slow, or nobody finishes. Default: nobody."""
    aws_prefix: AwsPrefix | None = None
    """What the names of everything that is deployed begin with, where several labs share an AWS account. `cdk` knows
    the study by the name without it."""
    tags: dict[str, str] = Field(default_factory=dict)
    """Tags of everything that is deployed, e.g. for a bill per project."""
    data_spec_file_name: FileName | None = None
    """Name of the dirmap or of the file of trial sets. Default: the one of dirmap.csv, dataset_dirmap.csv and
    trialsets.csv that is there."""


class BonusTierConfig(_Strict):
    """A step of the bonus."""

    at_least: Annotated[float, Field(ge=0, le=1)]
    """Share of right answers, 0 to 1."""
    usd: Annotated[float, Field(ge=0, le=1_000)]
    """What it is worth, in USD."""


class ScreeningConfig(_Strict):
    """`site.screening`: who goes on after a block."""

    block: str | None = None
    """Name of the block after which it is decided. Default: the first."""
    min_correct: Annotated[int, Field(ge=0, le=10_000)]
    """Right answers needed among the block's main trials."""
    min_correct_per_class: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Right answers needed of each class."""


class Site(_Strict):
    """`site`: what the participant reads and earns, besides the instruction pages."""

    title: str = "Image categories"
    """Title of the page."""
    bonus: list[BonusTierConfig] = Field(default_factory=list)
    """Bonus by the share of right answers over the main trials with `bonus_usd_if_correct` above 0: that of the highest
    step that is reached. Without steps: the sum of `bonus_usd_if_correct` over right answers."""

    screening: ScreeningConfig | None = None
    """Who goes on after a block. The others end there, with the page `screened_out` and `screen_out_code`; their places
    go to the next arrivals."""

    desktop_only: bool = True
    """Whether phones and tablets are turned away, before anything is started."""
    min_window_px: Annotated[int, Field(ge=0, le=10_000)] = 600
    """Least width and height of the browser's window, in CSS px, checked at the start and after every trial. 0: any."""
    calibrate_screen: bool = False
    """Whether the screen's scale (a bank card held against it) and the viewing distance (blind spot) are measured
    before the trials, so that degrees of visual angle are true. Otherwise 6 degrees are taken as 17.5 % of the screen's
    smaller side."""
    full_screen: bool = False
    """Whether the trials are shown in full screen; leaving it is recorded, and between trials the page asks back."""
    ask_email: bool = False
    """Whether the last page offers to leave an e-mail address. It is kept apart from all other data."""

    @field_validator("bonus")
    @classmethod
    def _ascending(cls, tiers: list[BonusTierConfig]) -> list[BonusTierConfig]:
        steps = [tier.at_least for tier in tiers]
        if steps != sorted(set(steps)):
            raise ValueError(f"at_least is {steps}; expected steps that rise from one to the next")
        return tiers


class Stimuli(_Strict):
    """`stimuli`: where the project holds the variants."""

    root: str | None = None
    """Folder of variants, absolute or relative to the study's folder. Default: `variants`, unless the data file has a
    column `url`, whose pictures are then shown where no variant is named."""
    dataset: DataSetName | None = None
    """Data set whose pictures were put online by `lwise stimuli publish`: a study in the cloud shows them from there,
    and is deployed also where they are not on the machine. Default: the pictures are deployed with the study."""
    manifest: FileName = "stimuli.csv"
    """With `dataset`: the file in the study's folder that `lwise stimuli publish` wrote."""


class StudyConfig(_Strict):
    """A whole config.yaml."""

    session_config: list[BlockConfig] = Field(default_factory=list)
    """The blocks of a session, in order. Not used where trialsets.csv gives the trials."""
    trial_config: TrialConfig = TrialConfig()
    hit_config: HitConfig | None = None
    deployment: Deployment = Deployment()
    site: Site = Site()
    stimuli: Stimuli = Stimuli()

    @property
    def n_conditions(self) -> int:
        """Number of conditions of a study whose trials are sampled."""
        if self.deployment.num_conditions is not None:
            return self.deployment.num_conditions
        return max((len(block.conditional_trial_types or ()) for block in self.session_config), default=0) or 1

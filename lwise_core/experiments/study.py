"""A compiled study: what a server needs to build any trial set, as frozen dataclasses.

Standard library only: this module ships inside the function that serves participants. How a study is written to a file
and read again is `bundle`'s business.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

Cell = tuple[str, int]
"""(split, class_num): images are drawn within it."""

NATURAL = "natural"
"""The variant of the original images."""

CALIBRATION = "calibration"
REPEAT = "repeat_stimulus"
"""Trial types that the project gives: attention checks, and trials of the one image that comes back."""


PAGES = ("consent", "task", "test", "done", "screened_out")
"""Instruction pages; a study may lack any of them."""


@dataclass(frozen=True)
class StudyImage:
    """One picture.

    Attributes
    ----------
    im_path : path inside any variant; of a picture known by its URL only, the path of the URL.
    difficulty : 0 (easiest) to 1 (hardest), or None if it was not scored.
    url : where the picture lies outside of the project, or None.
    objects : variant -> opaque name of the file that the project holds; it says nothing of the class.
    """

    split: str | None
    class_num: int
    im_path: str
    difficulty: float | None
    robust_gt_logit: float | None
    url: str | None
    objects: Mapping[str, str]


@dataclass(frozen=True)
class ImageSource:
    """Which copy of a picture is shown: a variant that the project holds, the S3 bucket that holds it, or (both None)
    the one at its own URL."""

    variant: str | None = None
    bucket: str | None = None

    @property
    def name(self) -> str | None:
        return self.variant or self.bucket


@dataclass(frozen=True)
class VariantProvenance:
    """How a variant was made; None: not known, or not of this kind of variant.

    Attributes
    ----------
    epsilon : L2 budget, pixels in [0, 1].
    method : objective that was raised (or ``lowered``), or the method of an off-the-shelf control.
    model_sha256 : of the guide model's file, hexadecimal.
    package_version : version of lwise.
    """

    variant: str
    epsilon: float | None
    method: str | None
    model_sha256: str | None
    package_version: str | None


ChoiceOrder = Literal["fixed", "shuffled", "rotated"]


@dataclass(frozen=True)
class TrialKind:
    """What the trials of one type, made for one block, have in common: how their choices are placed, and the settings
    that differ from the study's."""

    block: int
    trial_type: str
    choice_order: ChoiceOrder
    settings: Mapping[str, Any]


DEFAULT_SOURCE = 0
"""Index of the source that is shown where nothing else is said."""


@dataclass(frozen=True)
class TrialType:
    """A trial type of a block: index of its kind and of its source (None: the source of the image's class)."""

    kind: int
    source: int | None


@dataclass(frozen=True)
class BlockCondition:
    """What one condition sees in a block.

    Attributes
    ----------
    easiest_fraction : share of the images of a class, easiest first, that a curriculum block draws from.
    combine_and_shuffle : whether the block's trials change places with those of the other blocks so marked.
    class_sources : ways of dealing the classes to sources, each as (source, number of classes) pairs; a session draws
        one of them. Empty: every class has the study's default source.
    """

    trial_types: tuple[TrialType, ...]
    easiest_fraction: float
    combine_and_shuffle: bool
    class_sources: tuple[tuple[tuple[int, int], ...], ...] = ()


@dataclass(frozen=True)
class Block:
    """An entry of session_config.

    `n_per_class` maps a split to the number of trials per class; `conditions` has one entry per condition_idx; the last
    two are indices into `Study.kinds`.
    """

    name: str
    n_per_class: Mapping[str, int]
    n_calibration_trials: int
    n_repeats: int
    conditions: tuple[BlockCondition, ...]
    calibration_kind: int
    repeat_kind: int


class PrespecifiedTrial(NamedTuple):
    """A row of trialsets.csv: indices into `Study.kinds`, `Study.images` and `Study.sources`."""

    kind: int
    image: int
    source: int


@dataclass(frozen=True)
class PrespecifiedTrialset:
    """The rows of one trialset_id, in the order shown."""

    condition_idx: int
    trials: tuple[PrespecifiedTrial, ...]


@dataclass(frozen=True)
class Choices:
    """How the classes are offered: their order (class_num), the name shown for each, what is drawn per session."""

    order: tuple[int, ...]
    shown_names: tuple[str, ...]
    order_shuffled_per_session: bool
    names_shuffled_per_session: bool
    calibration_stimuli: tuple[str, ...]


Assignment = Literal["blocked", "alternating", "random"]


@dataclass(frozen=True)
class Conditions:
    """How trial sets are dealt to conditions; see `conditions.condition_of`."""

    count: int
    assignment: Assignment
    block_size: int


@dataclass(frozen=True)
class Slots:
    """How many trial sets there are (None: without end) and what an arrival gets after the last one."""

    count: int | None
    reuse: bool


@dataclass(frozen=True)
class BonusTier:
    """A share of right answers (0 to 1) and what reaching it is worth, in USD."""

    at_least: float
    usd: float


@dataclass(frozen=True)
class Screening:
    """Who goes on after `block`: at least `min_correct` main trials of it right, and `min_correct_per_class` of each
    class."""

    block: int
    min_correct: int
    min_correct_per_class: int


@dataclass(frozen=True)
class CodeReferences:
    """Where the codes are kept that a platform pays for, never the codes themselves: ``env:NAME`` or ``ssm:NAME``."""

    completion: str | None
    screen_out: str | None


ReturnPolicy = Literal["resume", "restart", "block"]


@dataclass(frozen=True)
class Returning:
    """What a participant finds who left amid the trials and comes back, and for how long after the last sign of life
    one may come back at all (None: for ever)."""

    policy: ReturnPolicy = "resume"
    within_hours: float | None = None


@dataclass(frozen=True)
class PageSettings:
    """What the participant's page asks for besides the trials.

    Attributes
    ----------
    desktop_only : phones and tablets are turned away.
    min_window_px : least width and height of the window, in CSS px; 0: any.
    calibrate_screen : measure the screen's scale and the viewing distance before the trials.
    full_screen : show the trials in full screen.
    ask_email : offer to leave an e-mail address at the end.
    """

    desktop_only: bool = True
    min_window_px: int = 600
    calibrate_screen: bool = False
    full_screen: bool = False
    ask_email: bool = False


@dataclass(frozen=True)
class Curriculum:
    """The difficulty curriculum: the first `n_blocks` blocks, for the conditions that follow it."""

    n_blocks: int
    conditions: tuple[int, ...]


@dataclass(frozen=True)
class Study:
    """Everything a trial set depends on besides its id, and what the server says of the study.

    Attributes
    ----------
    platforms : the platforms that may take part besides `test`; empty: any.
    settings : the trial settings common to all trials unless their kind says otherwise.
    sources : the first one is shown where nothing else is said.
    blocks : of a study whose trials are sampled; empty where they are prespecified.
    prespecified : trial sets given trial by trial; empty where they are sampled.
    repeat_split : split of the image that repeat trials show.
    bonus_tiers : rule of the bonus by accuracy, lowest first; empty: the sum of `bonus_usd_if_correct`.
    pages : page name -> sanitised HTML.
    lease_minutes : how long a slot is kept for a participant who gives no sign of life.
    allow_repeats : whether a person known to the platform may take part again.
    screening : who goes on after a block; None: everyone.
    codes : where the completion codes are kept.
    returning : what a participant finds who comes back.
    page : what the participant's page asks for.
    allow_origins : sites that may show the page in a frame of theirs.
    provenance : how its variants were made, for the records; no part of what decides the trials.
    """

    study_id: str
    title: str
    seed: int
    conditions: Conditions
    slots: Slots
    platforms: tuple[str, ...]
    classes: tuple[str, ...]
    choices: Choices
    settings: Mapping[str, Any]
    kinds: tuple[TrialKind, ...]
    sources: tuple[ImageSource, ...]
    blocks: tuple[Block, ...]
    curriculum: Curriculum
    repeat_split: str
    prespecified: tuple[PrespecifiedTrialset, ...]
    bonus_tiers: tuple[BonusTier, ...]
    images: tuple[StudyImage, ...]
    pages: Mapping[str, str]
    lease_minutes: float = 120.0
    allow_repeats: bool = False
    screening: Screening | None = None
    codes: CodeReferences = CodeReferences(None, None)
    returning: Returning = Returning()
    page: PageSettings = PageSettings()
    allow_origins: tuple[str, ...] = ()
    provenance: tuple[VariantProvenance, ...] = ()

    def content(self) -> dict[str, Any]:
        """Everything as JSON values; images column by column, so that thousands of them load in milliseconds.

        What has its default is left out, so that a study keeps its version when the program learns to do more.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        omitted = {"images", *(field.name for field in fields(self) if values[field.name] == field.default)}
        plain = {JSON_KEYS.get(name, name): _plain(value) for name, value in values.items() if name not in omitted}
        return {**plain, "images": _columns(self.images)}

    @cached_property
    def sha256(self) -> str:
        """Hash of everything: the version of a study."""
        return hashlib.sha256(canonical_json(self.content()).encode()).hexdigest()

    @cached_property
    def trials_sha256(self) -> str:
        """Hash of what decides the trials of each participant. Sessions are bound to it, not to texts, codes or rules
        about who may take part, which may be mended while a study is under way."""
        content = self.content()
        decisive = {name: content[name] for name in _DECIDES_TRIALS}
        if self.slots.reuse:
            decisive["slots"] = content["slots"]  # after so many the first trial set comes again
        return hashlib.sha256(canonical_json(decisive).encode()).hexdigest()

    @cached_property
    def pools(self) -> Mapping[Cell, Sequence[int]]:
        """Indices of the images of each (split, class_num), in the order of the dirmap."""
        pools: dict[Cell, list[int]] = {}
        for index, image in enumerate(self.images):
            if image.split is not None:
                pools.setdefault((image.split, image.class_num), []).append(index)
        return pools

    @cached_property
    def ranked_pools(self) -> Mapping[Cell, Sequence[int]]:
        """The same, easiest image first; equally difficult ones in the order of the dirmap."""
        return {
            cell: sorted(pool, key=lambda index: self.images[index].difficulty or 0.0)
            for cell, pool in self.pools.items()
        }

    @cached_property
    def provenance_of(self) -> Mapping[str, VariantProvenance]:
        """Provenance by variant, of the variants whose provenance is known."""
        return {known.variant: known for known in self.provenance}

    def block_name(self, block: int) -> str:
        """The block's name in config.yaml; in a prespecified study, where blocks have none, its number."""
        return self.blocks[block].name if self.blocks else str(block)


JSON_KEYS = {"provenance": "origins"}
"""Fields of `Study` that a bundle has under another key."""

_DECIDES_TRIALS = (
    *("study_id", "seed", "conditions", "classes", "choices", "settings", "kinds", "sources", "blocks"),
    *("curriculum", "repeat_split", "prespecified", "images"),
)


def canonical_json(content: object) -> str:
    """One text per content: keys sorted, no spaces. Raises ValueError for NaN and infinities."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _columns(images: Sequence[StudyImage]) -> dict[str, Any]:
    variants = sorted({variant for image in images for variant in image.objects})
    return {
        **{name: [getattr(image, name) for image in images] for name in IMAGE_COLUMNS},
        "objects": {variant: [image.objects.get(variant) for image in images] for variant in variants},
    }


IMAGE_COLUMNS = ("split", "class_num", "im_path", "difficulty", "robust_gt_logit", "url")
"""The attributes of an image that the bundle keeps as they are."""

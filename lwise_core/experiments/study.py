"""A compiled study: what a server needs to build any trial set, as frozen dataclasses.

Standard library only: this module ships inside the function that serves participants. `bundle` writes and reads the
file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple, get_args

from lwise_core.wire_schema import PageName

Cell = tuple[str, int]
"""(split, class_num): images are drawn within it."""


CALIBRATION = "calibration"
REPEAT = "repeat_stimulus"
"""Trial types that every study has: attention checks, and trials of the repeat image."""


TEST_PLATFORM = "test"
"""Platform of the researcher's own sessions. They take no slot, get no code and are excluded from every analysis."""

PAGES = get_args(PageName)
"""Instruction pages; a study may lack any of them."""


@dataclass(frozen=True)
class StudyImage:
    """One image.

    Attributes
    ----------
    im_path : path inside any variant; for an image known only by its URL, the path of the URL.
    difficulty : 0 (easiest) to 1 (hardest), or None if it was not scored.
    url : address of an external image, or None.
    objects : variant -> opaque file name of a hosted image, which does not reveal its class.
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
    """Which copy of an image is shown: a hosted variant, the one in an S3 bucket, or (both None) the one at its own
    URL."""

    variant: str | None = None
    bucket: str | None = None

    @property
    def name(self) -> str | None:
        return self.variant or self.bucket


@dataclass(frozen=True)
class VariantProvenance:
    """How a variant was made; None: unknown, or not applicable.

    Attributes
    ----------
    epsilon : L2 budget, pixels in [0, 1].
    method : the objective (with ``, lowered`` where it was lowered), or the method of an off-the-shelf control.
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
    """What the trials of one type in one block share: the order of their choices, and the settings that differ from
    the study's."""

    block: int
    trial_type: str
    choice_order: ChoiceOrder
    settings: Mapping[str, Any]


DEFAULT_SOURCE = 0
"""Index of the source that is shown unless a trial type or block names another."""


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
    combine_and_shuffle : whether the block's trials change places with those of other blocks that have it set.
    class_sources : alternative ways to deal the classes to sources, each as (source, number of classes) pairs; a
        session draws one. Empty: every class has the study's default source.
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
    """How the classes are offered: their order (class_num), the name shown for each, and what each session shuffles."""

    order: tuple[int, ...]
    shown_names: tuple[str, ...]
    order_shuffled_per_session: bool
    names_shuffled_per_session: bool
    calibration_stimuli: tuple[str, ...]


Assignment = Literal["blocked", "alternating", "random"]


@dataclass(frozen=True)
class Conditions:
    """How trial sets are assigned to conditions; see `conditions.condition_of`."""

    count: int
    assignment: Assignment
    block_size: int


@dataclass(frozen=True)
class Slots:
    """How many trial sets there are (None: no limit), and whether they are used again after the last one."""

    count: int | None
    reuse: bool


@dataclass(frozen=True)
class BonusTier:
    """A share of correct answers (0 to 1) and the bonus for reaching it, in USD."""

    at_least: float
    usd: float


@dataclass(frozen=True)
class Screening:
    """Who continues after `block`: those with at least `min_correct` of its main trials correct, and
    `min_correct_per_class` of each class."""

    block: int
    min_correct: int
    min_correct_per_class: int


@dataclass(frozen=True)
class CodeReferences:
    """Where the completion codes are stored, never the codes themselves: ``env:NAME`` or ``ssm:NAME``."""

    completion: str | None
    screen_out: str | None


ReturnPolicy = Literal["resume", "restart", "block"]


@dataclass(frozen=True)
class Returning:
    """What happens when a participant who left during the trials returns, and for how long after the last activity
    returning is possible (None: no limit)."""

    policy: ReturnPolicy = "resume"
    within_hours: float | None = None


@dataclass(frozen=True)
class PageSettings:
    """What the participant's page does besides showing trials.

    Attributes
    ----------
    desktop_only : phones and tablets are rejected.
    min_window_px : minimum width and height of the window, in CSS px; 0: any.
    calibrate_screen : measure the screen's scale and the viewing distance before the trials.
    full_screen : show the trials full screen.
    ask_email : ask for an e-mail address at the end (optional).
    """

    desktop_only: bool = True
    min_window_px: int = 600
    calibrate_screen: bool = False
    full_screen: bool = False
    ask_email: bool = False


@dataclass(frozen=True)
class Curriculum:
    """The difficulty curriculum: it applies to the first `n_blocks` blocks in these conditions."""

    n_blocks: int
    conditions: tuple[int, ...]


@dataclass(frozen=True)
class Study:
    """Everything a trial set depends on besides its id, and what the server needs to run the study.

    Attributes
    ----------
    platforms : platforms whose participants may take part, besides `test`; empty: any.
    settings : trial settings of all trials; a kind of trial overrides them.
    sources : the first one is the default.
    blocks : of a study with sampled trials; else empty.
    prespecified : trial sets given trial by trial; empty if trials are sampled.
    repeat_split : split of the image that repeat trials show.
    bonus_tiers : bonus by accuracy, lowest tier first; empty: the sum of `bonus_usd_if_correct`.
    pages : page name -> sanitised HTML.
    lease_minutes : how long an inactive participant holds a slot.
    allow_repeats : whether the same person may take part again.
    screening : who continues after a block; None: everyone.
    codes : where the completion codes are stored.
    returning : what happens when a participant returns.
    page : settings of the participant's page.
    allow_origins : sites that may embed the page in a frame.
    provenance : how its variants were made, for the records; it does not affect the trials.
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

        Defaults are omitted, so that a study keeps its version when lwise gains settings.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        omitted = {"images", *(field.name for field in fields(self) if values[field.name] == field.default)}
        plain = {JSON_KEYS.get(name, name): _plain(value) for name, value in values.items() if name not in omitted}
        return {**plain, "images": _columns(self.images)}

    @cached_property
    def sha256(self) -> str:
        """Hash of all content: the version of a study."""
        return hashlib.sha256(canonical_json(self.content()).encode()).hexdigest()

    @cached_property
    def trials_sha256(self) -> str:
        """Hash of everything that determines the trials of each participant. Sessions are bound to it, not to texts,
        codes or rules about who may take part, which may change while a study is running."""
        content = self.content()
        decisive = {name: content[name] for name in _DETERMINES_TRIALS}
        if self.slots.reuse:
            decisive["slots"] = content["slots"]  # after the last trial set the first is used again
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
        """The same, easiest image first; images of equal difficulty in the order of the dirmap."""
        return {
            cell: sorted(pool, key=lambda index: self.images[index].difficulty or 0.0)
            for cell, pool in self.pools.items()
        }

    @cached_property
    def provenance_of(self) -> Mapping[str, VariantProvenance]:
        """Provenance by variant, of the variants whose provenance is known."""
        return {known.variant: known for known in self.provenance}

    def block_name(self, block: int) -> str:
        """The block's name in config.yaml; its number in a prespecified study, where blocks have no names."""
        return self.blocks[block].name if self.blocks else str(block)


JSON_KEYS = {"provenance": "origins"}
"""Fields of `Study` that a bundle has under another key."""

_DETERMINES_TRIALS = (
    *("study_id", "seed", "conditions", "classes", "choices", "settings", "kinds", "sources", "blocks"),
    *("curriculum", "repeat_split", "prespecified", "images"),
)


def canonical_json(content: object) -> str:
    """JSON with sorted keys and no spaces: equal content gives equal text. Raises ValueError for NaN and infinity."""
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
"""The attributes of an image that the bundle stores unchanged."""

"""A compiled study: what a server needs to build any trial set, as frozen dataclasses and as one JSON bundle.

Standard library only: this module ships inside the function that serves participants.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lwise_core.errors import InputError

BUNDLE_FORMAT = 1


@dataclass(frozen=True)
class StudyImage:
    """One picture. `objects` maps a variant's name to the opaque name of its file, which says nothing of the class."""

    split: str
    class_num: int
    im_path: str
    difficulty: float | None
    robust_gt_logit: float | None
    objects: Mapping[str, str]


@dataclass(frozen=True)
class TrialType:
    """A named group of trials inside a block: which variant is shown and which trial settings differ."""

    name: str
    variant: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class ConditionOfBlock:
    """What one condition sees in a block.

    `easiest_fraction` is the share of the images of a class, easiest first, that the block draws from (1 = all).
    """

    trial_types: tuple[TrialType, ...]
    easiest_fraction: float


@dataclass(frozen=True)
class Block:
    """An entry of session_config, its settings resolved.

    `n_per_class` maps a split to the number of trials per class; `conditions` has one entry per condition_idx.
    """

    name: str
    n_per_class: Mapping[str, int]
    n_calibration_trials: int
    settings: Mapping[str, Any]
    conditions: tuple[ConditionOfBlock, ...]


@dataclass(frozen=True)
class Choices:
    """How the classes are offered: their fixed order (class_num), shown names, and what is drawn at random."""

    order: tuple[int, ...]
    shown_names: tuple[str, ...]
    names_random_shuffle: bool
    shuffle_each_trial: bool
    rotate_each_trial: bool
    calibration_stimuli: tuple[str, ...]


@dataclass(frozen=True)
class Study:
    """Everything a trial set depends on besides its id.

    `settings` holds the trial settings common to all trials; `curriculum_blocks` is k of the difficulty curriculum (0 =
    none) and `curriculum_conditions` the conditions that follow it; `pages` maps page names to sanitised HTML.
    """

    study_id: str
    title: str
    seed: int
    n_conditions: int
    randomization_block_size: int
    classes: tuple[str, ...]
    choices: Choices
    settings: Mapping[str, Any]
    blocks: tuple[Block, ...]
    curriculum_blocks: int
    curriculum_conditions: tuple[int, ...]
    images: tuple[StudyImage, ...]
    pages: Mapping[str, str]

    def to_bundle(self) -> str:
        """The bundle: one JSON text with its own SHA-256 inside. Equal studies give equal bytes."""
        content = asdict(self)
        return _canonical({"format": BUNDLE_FORMAT, "sha256": _sha256(content), "study": content}) + "\n"

    def sha256(self) -> str:
        """Content hash: the version of a study that a participant's record refers to."""
        return _sha256(asdict(self))


def load_bundle(path: Path) -> Study:
    """Read a bundle written by `Study.to_bundle`.

    Raises
    ------
    InputError
        If the file is missing, of another format, or was changed after it was compiled.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        content, recorded, bundle_format = document["study"], document["sha256"], document["format"]
        found = _sha256(content)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); make a bundle with `lwise experiments compile`"
        ) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError(f"{path}: not a study bundle; make one with `lwise experiments compile`") from None
    if bundle_format != BUNDLE_FORMAT:
        raise InputError(
            f"{path}: bundle format {bundle_format}; this version reads format {BUNDLE_FORMAT}, compile again"
        )
    if found != recorded:
        raise InputError(f"{path}: was changed after it was compiled (its hash does not fit); compile the study again")
    return _study(content)


def _study(content: dict[str, Any]) -> Study:
    blocks = tuple(_block(block) for block in content["blocks"])
    choices: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in content["choices"].items()
    }
    return Study(
        **{
            **content,
            "classes": tuple(content["classes"]),
            "choices": Choices(**choices),
            "blocks": blocks,
            "curriculum_conditions": tuple(content["curriculum_conditions"]),
            "images": tuple(StudyImage(**image) for image in content["images"]),
        }
    )


def _block(content: dict[str, Any]) -> Block:
    conditions = tuple(
        ConditionOfBlock(
            trial_types=tuple(TrialType(**trial_type) for trial_type in condition["trial_types"]),
            easiest_fraction=condition["easiest_fraction"],
        )
        for condition in content["conditions"]
    )
    return Block(**{**content, "conditions": conditions})


def _canonical(content: object) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _sha256(content: object) -> str:
    # Through JSON once, so that tuples and lists, which the file cannot tell apart, hash alike.
    return hashlib.sha256(_canonical(json.loads(_canonical(content))).encode()).hexdigest()

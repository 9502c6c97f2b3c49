"""The bundle: a compiled study as one JSON file that contains its own SHA-256. Standard library only."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from lwise_core.errors import InputError
from lwise_core.experiments.study import (
    IMAGE_COLUMNS,
    JSON_KEYS,
    Block,
    BlockCondition,
    BonusTier,
    Choices,
    CodeReferences,
    Conditions,
    Curriculum,
    ImageSource,
    PageSettings,
    PrespecifiedTrial,
    PrespecifiedTrialset,
    Returning,
    Screening,
    Slots,
    Study,
    StudyImage,
    TrialKind,
    TrialType,
    VariantProvenance,
    canonical_json,
)

BUNDLE_FORMAT = 2


def to_bundle(study: Study) -> str:
    """A study as the text of a bundle. Equal studies give equal bytes."""
    return f"{_opening(BUNDLE_FORMAT, study.sha256)}{canonical_json(study.content())}}}\n"


def load_bundle(path: Path) -> Study:
    """Read a bundle.

    Raises
    ------
    InputError
        If the file is missing, has another format, or was changed after it was compiled.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text)
        content, sha256, bundle_format = document["study"], document["sha256"], document["format"]
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
    # Hashing the file's own text is many times faster than serialising the content again, and a server starts with it.
    opening = _opening(BUNDLE_FORMAT, sha256)
    study_text = text.removeprefix(opening).removesuffix("}\n")
    if not text.startswith(opening) or hashlib.sha256(study_text.encode()).hexdigest() != sha256:
        raise InputError(
            f"{path}: was changed after it was compiled (its hash does not match); compile the study again"
        )
    for name, key in JSON_KEYS.items():
        if key in content:
            content[name] = content.pop(key)
    if unknown := sorted(content.keys() - {field.name for field in fields(Study)}):
        raise InputError(f"{path}: has {', '.join(unknown)}, which this version does not know; use a newer lwise")
    study = _study(content)
    vars(study)["sha256"] = sha256
    return study


def _opening(bundle_format: int, sha256: str) -> str:
    return f'{{"format":{bundle_format},"sha256":"{sha256}","study":'


_OPTIONAL_PARTS = {"screening": Screening, "codes": CodeReferences, "returning": Returning, "page": PageSettings}


def _study(content: dict[str, Any]) -> Study:
    curriculum = content["curriculum"]
    choices: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in content["choices"].items()
    }
    return Study(
        **{
            **content,
            "conditions": Conditions(**content["conditions"]),
            "slots": Slots(**content["slots"]),
            "platforms": tuple(content["platforms"]),
            "allow_origins": tuple(content.get("allow_origins", ())),
            "provenance": tuple(VariantProvenance(**variant) for variant in content.get("provenance", ())),
            "classes": tuple(content["classes"]),
            "choices": Choices(**choices),
            "kinds": tuple(TrialKind(**kind) for kind in content["kinds"]),
            "sources": tuple(ImageSource(**source) for source in content["sources"]),
            "blocks": tuple(_block(block) for block in content["blocks"]),
            "curriculum": Curriculum(curriculum["n_blocks"], tuple(curriculum["conditions"])),
            "prespecified": tuple(_trialset(trialset) for trialset in content["prespecified"]),
            "bonus_tiers": tuple(BonusTier(**tier) for tier in content["bonus_tiers"]),
            "images": _images(content["images"]),
            **{name: part(**content[name]) for name, part in _OPTIONAL_PARTS.items() if name in content},
        }
    )


def _block(content: dict[str, Any]) -> Block:
    return Block(**{**content, "conditions": tuple(_condition(condition) for condition in content["conditions"])})


def _condition(content: dict[str, Any]) -> BlockCondition:
    types = tuple(TrialType(**trial_type) for trial_type in content["trial_types"])
    deals = tuple(tuple((source, count) for source, count in deal) for deal in content["class_sources"])
    return BlockCondition(**{**content, "trial_types": types, "class_sources": deals})


def _trialset(content: dict[str, Any]) -> PrespecifiedTrialset:
    trials = tuple(PrespecifiedTrial(*trial) for trial in content["trials"])
    return PrespecifiedTrialset(content["condition_idx"], trials)


def _images(columns: dict[str, Any]) -> tuple[StudyImage, ...]:
    objects = [
        {variant: name for variant, name in zip(columns["objects"], names, strict=True) if name is not None}
        for names in zip(*columns["objects"].values(), strict=True)
    ] or [{} for _ in columns["im_path"]]
    rows = zip(*(columns[name] for name in IMAGE_COLUMNS), objects, strict=True)
    return tuple(StudyImage(*row) for row in rows)

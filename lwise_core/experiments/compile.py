"""From a study folder to a compiled study: check everything once, resolve overrides, give pictures opaque names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from pydantic import ValidationError

from lwise_core.dirmap import DirmapRow, class_names, read_dirmap
from lwise_core.errors import InputError
from lwise_core.experiments.config import (
    BlockConfig,
    Curriculum,
    StudyConfig,
    TrialConfig,
    TrialSettings,
    problems,
    read_config,
)
from lwise_core.experiments.study import Block, Choices, ConditionOfBlock, Study, StudyImage, TrialType
from lwise_core.experiments.trialset import build_trialset

PAGES = ("consent", "task", "test", "done")
"""Instruction pages, each an optional Markdown file `instructions/<page>.md`."""

NATURAL = "natural"
_SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class CompiledStudy:
    """A study and, for the server that shows it, the file behind each opaque name."""

    study: Study
    files: Mapping[str, Path]


def compile_study(folder: Path, *, on_progress: Callable[[int, int], None] | None = None) -> CompiledStudy:
    """Read, check and resolve a study folder (`config.yaml`, `dirmap.csv`, `instructions/*.md`).

    One trial set of every condition is built as a check, so that a study that compiles can be run.

    Raises
    ------
    InputError
        Naming the file, the key or the image that cannot be used.
    """
    where = folder / "config.yaml"
    config = read_config(where)
    rows = read_dirmap(folder / "dirmap.csv")
    classes = class_names(rows)
    blocks = tuple(_block(block, config, where) for block in config.session_config)
    curriculum_conditions = tuple(
        condition for condition in range(config.deployment.num_conditions) if _follows_curriculum(config, condition)
    )
    if curriculum_conditions:
        _check_curriculum(config, rows, where)
    variants = sorted({t.variant for block in blocks for c in block.conditions for t in c.trial_types})
    images, files = _images(rows, (folder / config.stimuli.root).resolve(), variants, on_progress)
    study = Study(
        study_id=folder.resolve().name,
        title=config.site.title,
        seed=config.deployment.seed,
        n_conditions=config.deployment.num_conditions,
        randomization_block_size=config.deployment.randomization_block_size or config.deployment.num_conditions,
        classes=tuple(classes),
        choices=_choices(config.trial_config, classes, where),
        settings=_only(TrialSettings, config.trial_config.model_dump()),
        blocks=blocks,
        curriculum_blocks=config.trial_config.curriculum_num_blocks,
        curriculum_conditions=curriculum_conditions,
        images=images,
        pages=_pages(folder / "instructions"),
    )
    for trialset_id in range(study.randomization_block_size):
        build_trialset(study, trialset_id)
    return CompiledStudy(study=study, files=files)


def _block(block: BlockConfig, config: StudyConfig, where: Path) -> Block:
    _validated({**config.trial_config.model_dump(), **block.settings}, f"{where}: block {block.name!r}")
    return Block(
        name=block.name,
        n_per_class={split: getattr(block, f"n_trials_per_class_{split}") for split in _SPLITS},
        n_calibration_trials=block.n_calibration_trials,
        settings=_only(TrialSettings, block.settings),
        conditions=tuple(
            _condition(block, config, condition, where) for condition in range(config.deployment.num_conditions)
        ),
    )


def _condition(block: BlockConfig, config: StudyConfig, condition: int, where: Path) -> ConditionOfBlock:
    types = _types(block, condition)
    if not types:
        raise InputError(
            f"{where}: block {block.name!r} has no trial type for condition {condition}; name at least one"
        )
    trial_types = []
    for name, overrides in types.items():
        place = f"{where}: block {block.name!r}, trial type {name!r}"
        settings = {key: value for key, value in overrides.items() if key != "variant"}
        _validated({**config.trial_config.model_dump(), **block.settings, **settings}, place)
        variant = overrides.get("variant", NATURAL)
        if not isinstance(variant, str):
            raise InputError(f"{place}: variant is {variant!r}; expected the name of a folder of pictures")
        trial_types.append(TrialType(name=name, variant=variant, settings=_only(TrialSettings, settings)))
    return ConditionOfBlock(
        trial_types=tuple(trial_types),
        easiest_fraction=float(_curriculum_key("max_difficulty_selection", block, config, condition)),
    )


def _types(block: BlockConfig, condition: int) -> dict[str, dict[str, Any]]:
    if block.conditional_trial_types is not None:
        return block.conditional_trial_types[condition]
    return block.trial_types if block.trial_types is not None else {"new_stimulus": {}}


def _curriculum_key(key: str, block: BlockConfig, config: StudyConfig, condition: int) -> Any:
    """A curriculum key of the first trial type of the condition, else of the block, else of trial_config."""
    first = next(iter(_types(block, condition).values()), {})
    return first.get(key, block.settings.get(key, getattr(config.trial_config, key)))


def _follows_curriculum(config: StudyConfig, condition: int) -> bool:
    return any(_curriculum_key("difficulty_curriculum", block, config, condition) for block in config.session_config)


def _check_curriculum(config: StudyConfig, rows: Sequence[DirmapRow], where: Path) -> None:
    if config.trial_config.curriculum_num_blocks == 0:
        raise InputError(
            f"{where}: difficulty_curriculum is on, but trial_config.curriculum_num_blocks is 0; expected 1 or more"
        )
    unscored = [row.im_path for row in rows if row.difficulty is None]
    if unscored:
        raise InputError(
            f"{where}: difficulty_curriculum is on, but {unscored[0]!r} has no difficulty; run `lwise score`"
        )


def _validated(settings: Mapping[str, Any], place: str) -> None:
    try:
        TrialConfig.model_validate(dict(settings))
    except ValidationError as error:
        raise InputError(f"{place}: {problems(error)}") from None


def _only(model: type[TrialSettings] | type[Curriculum], settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key in model.model_fields}


def _choices(config: TrialConfig, classes: Sequence[str], where: Path) -> Choices:
    order = config.choice_names_order or list(classes)
    if sorted(order) != sorted(classes):
        raise InputError(
            f"{where}: choice_names_order is {order}; expected each class of dirmap.csv once: {list(classes)}"
        )
    unknown = sorted(set(config.choice_names_aliases) - set(classes))
    if unknown:
        raise InputError(
            f"{where}: choice_names_aliases names {', '.join(unknown)}; the classes are {', '.join(classes)}"
        )
    shown = [config.choice_names_aliases.get(name, name.replace("_", " ")) for name in classes]
    if len(set(shown)) != len(shown):
        raise InputError(f"{where}: two classes are shown under one name ({', '.join(shown)}); give each its own alias")
    return Choices(
        order=tuple(classes.index(name) for name in order),
        shown_names=tuple(shown),
        names_random_shuffle=config.choice_aliases_random_shuffle,
        shuffle_each_trial=config.shuffle_choice_order,
        rotate_each_trial=config.rotate_choice_order,
        calibration_stimuli=tuple(config.calibration_stimuli),
    )


def _images(
    rows: Sequence[DirmapRow],
    root: Path,
    variants: Sequence[str],
    on_progress: Callable[[int, int], None] | None,
) -> tuple[tuple[StudyImage, ...], dict[str, Path]]:
    images, files = [], {}
    for done, row in enumerate(rows, start=1):
        objects = {}
        for variant in variants:
            path = root / variant / row.im_path
            if not path.is_file():
                raise InputError(f"{path}: no such picture; run `lwise enhance` or name another variant in config.yaml")
            objects[variant] = f"{hashlib.sha256(path.read_bytes()).hexdigest()[:32]}{path.suffix}"
            files[objects[variant]] = path
        images.append(StudyImage(row.split, row.class_num, row.im_path, row.difficulty, row.robust_gt_logit, objects))
        if on_progress:
            on_progress(done, len(rows))
    return tuple(images), files


def _pages(folder: Path) -> dict[str, str]:
    # Raw HTML in the Markdown is shown as text and links with scripts are refused, so that a page can run nothing.
    markdown = MarkdownIt("commonmark", {"html": False})
    found = {page: folder / f"{page}.md" for page in PAGES}
    return {page: markdown.render(path.read_text(encoding="utf-8")) for page, path in found.items() if path.is_file()}

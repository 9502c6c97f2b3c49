"""From a study folder to a compiled study: check everything once, resolve overrides, give pictures opaque names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

from lwise_core.dirmap import DirmapRow, class_names, read_dirmap
from lwise_core.errors import InputError
from lwise_core.experiments.conditions import condition_of
from lwise_core.experiments.config import (
    BlockConfig,
    StudyConfig,
    TrialSettings,
    TrialTypeConfig,
    read_config,
)
from lwise_core.experiments.study import Block, Choices, ConditionOfBlock, Study, StudyImage, TrialType
from lwise_core.experiments.trialset import build_trialset

PAGES = ("consent", "task", "test", "done")
"""Instruction pages, each an optional Markdown file `instructions/<page>.md`."""

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
    classes = _classes(rows, folder / "dirmap.csv")
    blocks = tuple(_block(block, config) for block in config.session_config)
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
        choices=_choices(config, classes, where),
        settings=config.trial_config.model_dump(include=set(TrialSettings.model_fields)),
        blocks=blocks,
        curriculum_blocks=config.trial_config.curriculum_num_blocks,
        curriculum_conditions=curriculum_conditions,
        images=images,
        pages=_pages(folder / "instructions"),
    )
    with _naming(where):
        _check_every_condition(study)
    return CompiledStudy(study=study, files=files)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Put the file in front of a message that does not know it."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _check_every_condition(study: Study) -> None:
    # How many images are needed and how many are left depends on the condition alone.
    one_of_each = {condition_of(study, number): number for number in range(study.randomization_block_size)}
    for trialset_id in one_of_each.values():
        build_trialset(study, trialset_id)


def _classes(rows: Sequence[DirmapRow], where: Path) -> list[str]:
    with _naming(where):
        classes = class_names(rows)
    if len(classes) == 1:
        raise InputError(f"{where}: {classes[0]!r} is the only class; expected two or more to tell apart")
    return classes


def _block(block: BlockConfig, config: StudyConfig) -> Block:
    return Block(
        name=block.name,
        n_per_class={split: getattr(block, f"n_trials_per_class_{split}") for split in _SPLITS},
        n_calibration_trials=block.n_calibration_trials,
        settings=block.written_settings,
        conditions=tuple(
            ConditionOfBlock(
                trial_types=tuple(
                    TrialType(name=name, variant=written.variant, settings=written.written_settings)
                    for name, written in _types(block, condition).items()
                ),
                easiest_fraction=_curriculum_key("max_difficulty_selection", block, config, condition),
            )
            for condition in range(config.deployment.num_conditions)
        ),
    )


def _types(block: BlockConfig, condition: int) -> Mapping[str, TrialTypeConfig]:
    if block.conditional_trial_types is not None:
        return block.conditional_trial_types[condition]
    return block.trial_types or {"new_stimulus": TrialTypeConfig()}


def _curriculum_key(key: str, block: BlockConfig, config: StudyConfig, condition: int) -> Any:
    """A curriculum key of the first trial type of the condition, else of the block, else of trial_config."""
    first = next(iter(_types(block, condition).values()))
    place = next((place for place in (first, block) if key in place.model_fields_set), config.trial_config)
    return getattr(place, key)


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


def _choices(study: StudyConfig, classes: Sequence[str], where: Path) -> Choices:
    config = study.trial_config
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
    shapes = sorted(set(shown) & set(config.calibration_stimuli))
    if shapes and any(block.n_calibration_trials for block in study.session_config):
        raise InputError(
            f"{where}: a class is shown as {shapes[0]!r}, which is also the name of a calibration shape; give it "
            "another name in choice_names_aliases"
        )
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
    return {page: markdown.render(_text(path)) for page, path in found.items() if path.is_file()}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a UTF-8 text file ({error.reason} at byte {error.start})") from None

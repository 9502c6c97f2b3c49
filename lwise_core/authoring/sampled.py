"""Compile a study whose trials are sampled from a dirmap: its blocks, kinds of trials, sources and images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lwise_core.authoring.config import (
    BlockConfig,
    StudyConfig,
    TrialConfig,
    TrialTypeConfig,
)
from lwise_core.authoring.config_file import effective
from lwise_core.authoring.stimuli import (
    MAX_IMAGES,
    HostedImages,
    check_urls,
    likely_duplicates,
    revealing_addresses,
)
from lwise_core.authoring.study_parts import (
    CompiledStudy,
    choice_order,
    choices_of,
    common_parts,
    common_settings,
    differences,
    slots,
)
from lwise_core.dirmap import DirmapRow, class_names, read_dirmap
from lwise_core.errors import InputError, raise_if_any
from lwise_core.experiments.interning import InternTable
from lwise_core.experiments.study import (
    CALIBRATION,
    DEFAULT_SOURCE,
    REPEAT,
    Block,
    BlockCondition,
    Curriculum,
    ImageSource,
    Screening,
    Study,
    StudyImage,
    TrialKind,
    TrialType,
)
from lwise_core.file_names import NATURAL
from lwise_core.progress import OnProgress

_SPLITS = ("test", "train", "val")
_NEW_STIMULUS = "new_stimulus"


def compile_sampled(
    config: StudyConfig,
    dirmap: Path,
    *,
    study_id: str,
    where: Path,
    pages: Mapping[str, str],
    on_progress: OnProgress,
) -> CompiledStudy:
    """Compile a study of blocks with its dirmap.

    Parameters
    ----------
    where : the config file, for messages.

    Raises
    ------
    InputError
        Naming every problem of the config file with this dirmap, or of the dirmap.
    """
    rows = _counted_from_zero(read_dirmap(dirmap))
    classes = _classes(rows, dirmap)
    problems: list[str] = []
    if not config.session_config:
        problems.append("session_config: is missing; expected a list of one or more blocks")
    choices = choices_of(
        config.trial_config,
        classes,
        problems,
        shows_shapes=any(block.n_calibration_trials for block in config.session_config),
    )
    problems += _keys_for_two(config, classes)
    curriculum = Curriculum(
        n_blocks=config.trial_config.curriculum_num_blocks,
        conditions=tuple(c for c in range(config.n_conditions) if _follows_curriculum(config, c)),
    )
    shown = _shown_rows(rows, config)
    problems += _curriculum_problems(config, curriculum, shown)
    has_variants = config.stimuli.root is not None or config.stimuli.dataset is not None
    has_urls = not has_variants and "url" in rows[0].extra
    default_source = ImageSource() if has_urls else ImageSource(variant=NATURAL)
    resolver = _BlockResolver(config, curriculum, default_source, len(classes))
    blocks = tuple(resolver.block(number, block) for number, block in enumerate(config.session_config))
    problems += resolver.problems
    if len(shown) > MAX_IMAGES:
        problems.append(
            f"the blocks draw from {len(shown)} images of {dirmap.name}; expected at most {MAX_IMAGES}, so use a "
            "subset of its rows"
        )
    screening = _screening(config, len(classes), problems)
    raise_if_any(where, problems)
    sources = resolver.used_sources(blocks)
    if any(source.variant is None for source in sources):
        raise_if_any(dirmap, check_urls(shown, sources))
    hosted = HostedImages.of(config.stimuli, where.parent)
    images = _images(shown, sources, hosted, on_progress)
    hosted.raise_if_missing()
    study = Study(
        **common_parts(config, n_conditions=config.n_conditions),
        study_id=study_id,
        slots=slots(config.deployment, config.deployment.num_trialsets),
        classes=tuple(classes),
        choices=choices,
        kinds=tuple(resolver.kinds.entries),
        sources=tuple(resolver.sources.entries),
        blocks=blocks,
        curriculum=curriculum,
        prespecified=(),
        images=images,
        pages=pages,
        screening=screening,
        provenance=hosted.provenance(sources),
    )
    warnings = (*_beyond_curriculum(config), *likely_duplicates(images), *revealing_addresses(images, classes))
    return CompiledStudy(study, config, hosted.files, warnings)


class _BlockResolver:
    """Resolves the blocks of the config and collects the kinds and sources of all trials."""

    def __init__(self, config: StudyConfig, curriculum: Curriculum, default: ImageSource, n_classes: int) -> None:
        self.kinds: InternTable[TrialKind] = InternTable()
        self.sources: InternTable[ImageSource] = InternTable()
        self.problems: list[str] = []
        self._config = config
        self._curriculum = curriculum
        self._common = common_settings(config.trial_config)
        self.sources.index_of(default)  # the first one
        self._n_classes = n_classes

    def block(self, number: int, block: BlockConfig) -> Block:
        n_shapes = len(self._config.trial_config.calibration_stimuli)
        overrides = block.written_settings
        shape_duration = {**self._common, **overrides}["calibration_stimulus_duration_msec"]
        return Block(
            name=block.name,
            n_per_class={split: getattr(block, f"n_trials_per_class_{split}") for split in _SPLITS},
            n_calibration_trials=block.n_calibration_trials // n_shapes * n_shapes,
            n_repeats=block.n_repeats_of_one_stim,
            conditions=tuple(self._condition(number, block, c) for c in range(self._config.n_conditions)),
            calibration_kind=self._kind(
                number, block, CALIBRATION, {**overrides, "stimulus_duration_msec": shape_duration}
            ),
            repeat_kind=self._kind(number, block, REPEAT, overrides),
        )

    def used_sources(self, blocks: Sequence[Block]) -> list[ImageSource]:
        """The sources that a trial can have."""
        used: set[int] = set()
        for block in blocks:
            for in_condition in block.conditions:
                own = {trial_type.source for trial_type in in_condition.trial_types}
                used |= {source for source in own if source is not None}
                if None in own or block.n_repeats:
                    used |= {source for deal in in_condition.class_sources for source, _ in deal} or {DEFAULT_SOURCE}
        return [self.sources.entries[index] for index in sorted(used)]

    def _condition(self, number: int, block: BlockConfig, condition: int) -> BlockCondition:
        types = _types(block, condition)
        first = next(iter(types.values()))
        is_easy = condition in self._curriculum.conditions and number < self._curriculum.n_blocks
        fraction = effective("max_difficulty_selection", first, block, self._config.trial_config) if is_easy else None
        is_shuffled = effective("combine_and_shuffle", first, block, self._config.trial_config)
        curriculum = {
            "combine_and_shuffle": is_shuffled,
            "difficulty_curriculum": is_easy,
            "max_difficulty_selection": fraction,
        }
        return BlockCondition(
            trial_types=tuple(
                TrialType(
                    self._kind(
                        number, block, name, {**block.written_settings, **trial_type.written_settings, **curriculum}
                    ),
                    self._own_source(trial_type),
                )
                for name, trial_type in types.items()
            ),
            easiest_fraction=fraction or 1.0,
            combine_and_shuffle=is_shuffled,
            class_sources=self._class_sources(block, condition),
        )

    def _kind(self, number: int, block: BlockConfig, trial_type: str, settings: Mapping[str, Any]) -> int:
        order = choice_order(block, self._config.trial_config)
        kind = TrialKind(number, trial_type, order, differences(self._common, settings))
        return self.kinds.index_of(kind, key=(number, trial_type, order, repr(kind.settings)))

    def _own_source(self, trial_type: TrialTypeConfig) -> int | None:
        if trial_type.variant is None and trial_type.bucket is None:
            return None
        return self.sources.index_of(ImageSource(variant=trial_type.variant, bucket=trial_type.bucket))

    def _class_sources(self, block: BlockConfig, condition: int) -> tuple[tuple[tuple[int, int], ...], ...]:
        written = block.n_classes_per_bucket or block.n_classes_per_variant
        if written is None:
            return ()
        kind = "bucket" if block.n_classes_per_bucket else "variant"
        deals = [written] if isinstance(written, dict) else written
        if self._config.n_conditions > 1 and isinstance(written, list):
            deals = [written[condition]]
        for deal in deals:
            if sum(deal.values()) != self._n_classes:
                problem = (
                    f"block {block.name!r}, n_classes_per_{kind}: deals {sum(deal.values())} classes ({dict(deal)}); "
                    f"expected {self._n_classes}, as many as the data has"
                )
                if problem not in self.problems:
                    self.problems.append(problem)
        return tuple(
            tuple((self.sources.index_of(ImageSource(**{kind: name})), count) for name, count in deal.items())
            for deal in deals
        )


def _types(block: BlockConfig, condition: int) -> Mapping[str, TrialTypeConfig]:
    if block.conditional_trial_types is not None:
        return block.conditional_trial_types[condition]
    return block.trial_types or {_NEW_STIMULUS: TrialTypeConfig()}


def _follows_curriculum(config: StudyConfig, condition: int) -> bool:
    return any(
        effective("difficulty_curriculum", next(iter(_types(block, condition).values())), block, config.trial_config)
        for block in config.session_config
    )


def _curriculum_problems(config: StudyConfig, curriculum: Curriculum, rows: Sequence[DirmapRow]) -> list[str]:
    if not curriculum.conditions:
        return []
    if curriculum.n_blocks == 0:
        return ["difficulty_curriculum is on, but trial_config.curriculum_num_blocks is 0; expected 1 or more"]
    problems = []
    for block in config.session_config[: curriculum.n_blocks]:
        missing = [
            condition for condition in curriculum.conditions if _fraction(block, condition, config.trial_config) is None
        ]
        if missing:
            problems.append(
                f"block {block.name!r}: follows the difficulty curriculum in condition "
                f"{', '.join(map(str, missing))}, but has no max_difficulty_selection there; expected a share above 0 "
                "and at most 1"
            )
    splits = _splits(config.session_config[: curriculum.n_blocks])
    ranked = [row for row in rows if row.split in splits]
    unscored = [row.im_path for row in ranked if row.difficulty is None]
    if unscored:
        problems.append(
            f"difficulty_curriculum is on, but {len(unscored)} of {len(ranked)} images have no difficulty, e.g. "
            f"{unscored[0]!r}; run `lwise score`"
        )
    return problems


def _beyond_curriculum(config: StudyConfig) -> list[str]:
    """Warnings about blocks that set difficulty_curriculum but come after the curriculum blocks."""
    n_blocks = config.trial_config.curriculum_num_blocks
    return [
        f"block {block.name!r}: sets difficulty_curriculum, which only applies to the first {n_blocks} blocks "
        "(trial_config.curriculum_num_blocks); it draws from all images"
        for block in config.session_config[n_blocks:]
        if n_blocks and any(_sets_curriculum(block, condition) for condition in range(config.n_conditions))
    ]


def _sets_curriculum(block: BlockConfig, condition: int) -> bool:
    return any(
        effective("difficulty_curriculum", trial_type, block) for trial_type in _types(block, condition).values()
    )


def _fraction(block: BlockConfig, condition: int, trial_config: TrialConfig) -> float | None:
    first = next(iter(_types(block, condition).values()))
    fraction: float | None = effective("max_difficulty_selection", first, block, trial_config)
    return fraction


def _screening(config: StudyConfig, n_classes: int, problems: list[str]) -> Screening | None:
    """The screening rule; if nobody could pass it, that is added to `problems`."""
    rule, names = config.site.screening, [block.name for block in config.session_config]
    if rule is None or not names:
        return None
    name = rule.block or names[0]
    if name not in names:
        problems.append(f"site.screening.block: no block {name!r}; expected one of {', '.join(names)}")
        return None
    block = config.session_config[names.index(name)]
    per_class = sum(getattr(block, f"n_trials_per_class_{split}") for split in _SPLITS)
    if rule.min_correct > per_class * n_classes or rule.min_correct_per_class > per_class:
        problems.append(
            f"site.screening: requires {rule.min_correct} correct answers and {rule.min_correct_per_class} of each "
            f"class, but block {name!r} has {per_class * n_classes} main trials, {per_class} of each class"
        )
    return Screening(names.index(name), rule.min_correct, rule.min_correct_per_class)


def _keys_for_two(config: StudyConfig, classes: Sequence[str]) -> list[str]:
    if len(classes) == 2:
        return []
    return [
        f"{where}: keypress_fj_response is true, but there are {len(classes)} classes; expected two, one for each key"
        for where, place in _places(config)
        if "keypress_fj_response" in place.model_fields_set and place.keypress_fj_response
    ]


def _places(config: StudyConfig) -> Iterable[tuple[str, TrialConfig | BlockConfig | TrialTypeConfig]]:
    yield "trial_config", config.trial_config
    for block in config.session_config:
        yield f"block {block.name!r}", block
        for types in [block.trial_types or {}, *(block.conditional_trial_types or ())]:
            for name, trial_type in types.items():
                yield f"block {block.name!r}, trial type {name}", trial_type


def _counted_from_zero(rows: Sequence[DirmapRow]) -> Sequence[DirmapRow]:
    """The rows with classes renumbered 0, 1, 2 …, since a published subset has the numbers of the whole data set."""
    numbers = sorted({row.class_num for row in rows})
    if numbers == list(range(len(numbers))):
        return rows
    renumbered = {number: new for new, number in enumerate(numbers)}
    return [replace(row, class_num=renumbered[row.class_num]) for row in rows]


def _classes(rows: Sequence[DirmapRow], where: Path) -> list[str]:
    try:
        classes = class_names(rows)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    if len(classes) == 1:
        raise InputError(f"{where}: {classes[0]!r} is the only class; expected two or more")
    return classes


def _shown_rows(rows: Sequence[DirmapRow], config: StudyConfig) -> list[DirmapRow]:
    """The rows of the splits that a block draws from."""
    splits = _splits(config.session_config)
    if any(block.n_repeats_of_one_stim for block in config.session_config):
        splits.add(config.trial_config.repeat_stimulus_split)
    return [row for row in rows if row.split in splits]


def _splits(blocks: Sequence[BlockConfig]) -> set[str]:
    return {split for split in _SPLITS for block in blocks if getattr(block, f"n_trials_per_class_{split}")}


def _images(
    rows: Sequence[DirmapRow], sources: Sequence[ImageSource], hosted: HostedImages, on_progress: OnProgress
) -> tuple[StudyImage, ...]:
    variants = sorted({source.variant for source in sources if source.variant is not None})
    needs_url = any(source.variant is None for source in sources)
    images = []
    for done, row in enumerate(rows, start=1):
        objects = {variant: hosted.name_of(variant, row.im_path) for variant in variants}
        url = row.extra["url"] if needs_url else None
        images.append(
            StudyImage(row.split, row.class_num, row.im_path, row.difficulty, row.robust_gt_logit, url, objects)
        )
        on_progress(done, len(rows))
    return tuple(images)

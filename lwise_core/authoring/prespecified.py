"""Compile a study whose trials are given one by one in trialsets.csv."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from lwise_core.authoring.config import StudyConfig, TrialSettings
from lwise_core.authoring.stimuli import HostedImages, revealing_addresses
from lwise_core.authoring.study_parts import (
    CompiledStudy,
    choice_order,
    choices_of,
    common_parts,
    common_settings,
    differences,
    slots,
    spaced,
)
from lwise_core.authoring.trialsets_csv import TrialRow, read_trialsets
from lwise_core.errors import raise_if_any
from lwise_core.experiments.interning import InternTable
from lwise_core.experiments.study import (
    ChoiceOrder,
    Curriculum,
    ImageSource,
    PrespecifiedTrial,
    PrespecifiedTrialset,
    Screening,
    Study,
    StudyImage,
    TrialKind,
)
from lwise_core.progress import OnProgress


def compile_prespecified(
    config: StudyConfig,
    trialsets: Path,
    *,
    study_id: str,
    where: Path,
    pages: Mapping[str, str],
    on_progress: OnProgress,
) -> CompiledStudy:
    """Compile a study whose trials are given.

    Parameters
    ----------
    where : the config file, for messages.

    Raises
    ------
    InputError
        Naming every problem of the config file with these trials, or of their file.
    """
    rows, warnings = read_trialsets(trialsets)
    classes = _classes(rows, config)
    problems: list[str] = []
    choices = choices_of(config.trial_config, classes, problems, shows_shapes=False)
    by_trialset = _by_trialset(rows)
    n_conditions = config.deployment.num_conditions or 1 + max(row.condition_idx for row in rows)
    problems += _count_problems(config, rows, by_trialset, n_conditions)
    if len(classes) != 2 and any(
        row.settings.keypress_fj_response or config.trial_config.keypress_fj_response for row in rows
    ):
        problems.append(
            f"keypress_fj_response is true, but there are {len(classes)} classes; expected two, one for each key"
        )
    screening = _screening(config, rows, problems)
    raise_if_any(where, problems)
    if config.session_config:
        warnings.append(f"session_config is not used; {trialsets.name} gives the trials")
    builder = _TrialBuilder(config, classes, HostedImages.of(config.stimuli, where.parent))
    trialsets_given = []
    for done, own_rows in enumerate(by_trialset, start=1):
        trialsets_given.append(
            PrespecifiedTrialset(own_rows[0].condition_idx, tuple(builder.trial(row) for row in own_rows))
        )
        on_progress(done, len(by_trialset))
    builder.hosted.raise_if_missing()
    study = Study(
        **common_parts(config, n_conditions=n_conditions),
        study_id=study_id,
        slots=slots(config.deployment, config.deployment.num_trialsets or len(trialsets_given)),
        classes=tuple(classes),
        choices=choices,
        kinds=tuple(builder.kinds.entries),
        sources=tuple(builder.sources.entries),
        blocks=(),
        curriculum=Curriculum(0, ()),
        prespecified=tuple(trialsets_given),
        images=tuple(builder.images.entries),
        pages=pages,
        screening=screening,
        provenance=builder.hosted.provenance(builder.sources.entries),
    )
    warnings += revealing_addresses(study.images, classes)
    return CompiledStudy(study, config, builder.hosted.files, tuple(warnings))


class _TrialBuilder:
    """Turns rows into trials and collects their kinds, sources and images."""

    def __init__(self, config: StudyConfig, classes: Sequence[str], hosted: HostedImages) -> None:
        self.kinds: InternTable[TrialKind] = InternTable()
        self.sources: InternTable[ImageSource] = InternTable()
        self.images: InternTable[StudyImage] = InternTable()
        self.hosted = hosted
        self._trial_config = config.trial_config
        self._common = common_settings(config.trial_config)
        self._resolved: dict[int, tuple[ChoiceOrder, dict[str, Any], str]] = {}
        self._class_num = {spaced(name): number for number, name in enumerate(classes)}

    def trial(self, row: TrialRow) -> PrespecifiedTrial:
        return PrespecifiedTrial(self._kind(row), *self._image_and_source(row))

    def _kind(self, row: TrialRow) -> int:
        # Rows with equal settings share one object; there may be a million rows.
        if id(row.settings) not in self._resolved:
            overrides = row.settings.model_dump(include=set(TrialSettings.model_fields), exclude_unset=True)
            settings = differences(self._common, overrides)
            self._resolved[id(row.settings)] = (
                choice_order(row.settings, self._trial_config),
                settings,
                repr(settings),
            )
        order, settings, key = self._resolved[id(row.settings)]
        kind = TrialKind(row.block, row.trial_type, order, settings)
        return self.kinds.index_of(kind, key=(row.block, row.trial_type, order, key))

    def _image_and_source(self, row: TrialRow) -> tuple[int, int]:
        class_num = self._class_num[spaced(row.class_name)]
        scores = (row.difficulty, row.robust_gt_logit)
        key = (row.url, class_num, row.split, *scores)
        if row.is_external:
            path = urlsplit(row.url).path.lstrip("/")
            image = StudyImage(row.split, class_num, path, *scores, row.url, {})
            return self.images.index_of(image, key), self.sources.index_of(ImageSource())
        variant, *inner = PurePosixPath(row.url).parts
        path = "/".join(inner)
        image = StudyImage(row.split, class_num, path, *scores, None, {variant: self.hosted.name_of(variant, path)})
        return self.images.index_of(image, key), self.sources.index_of(ImageSource(variant=variant))


def _classes(rows: Sequence[TrialRow], config: StudyConfig) -> list[str]:
    """The classes that are offered: those of choice_names_order, else those of the file, in order."""
    used = {spaced(row.class_name): row.class_name for row in rows}
    named = config.trial_config.choice_names_order
    if named is None:
        return list(used.values())
    offered = {spaced(name): used.get(spaced(name), name) for name in named}
    return list({**offered, **used}.values())


def _screening(config: StudyConfig, rows: Sequence[TrialRow], problems: list[str]) -> Screening | None:
    rule = config.site.screening
    if rule is None:
        return None
    blocks = sorted({row.block for row in rows})
    name = str(blocks[0]) if rule.block is None else rule.block
    if name not in map(str, blocks):
        problems.append(f"site.screening.block: no block {name}; expected one of {', '.join(map(str, blocks))}")
        return None
    return Screening(int(name), rule.min_correct, rule.min_correct_per_class)


def _by_trialset(rows: Sequence[TrialRow]) -> list[list[TrialRow]]:
    of_id: dict[int, list[TrialRow]] = {}
    for row in rows:
        of_id.setdefault(row.trialset_id, []).append(row)
    return [of_id[number] for number in sorted(of_id)]


def _count_problems(
    config: StudyConfig, rows: Sequence[TrialRow], by_trialset: Sequence[object], n_conditions: int
) -> list[str]:
    problems = []
    highest = max(row.condition_idx for row in rows)
    if highest >= n_conditions:
        problems.append(
            f"deployment: num_conditions is {n_conditions}, but a trial set has condition_idx {highest}; expected at "
            f"least {highest + 1}"
        )
    cap = config.deployment.num_trialsets
    if cap is not None and cap > len(by_trialset):
        problems.append(f"deployment: num_trialsets is {cap}, but there are only {len(by_trialset)} trial sets")
    return problems

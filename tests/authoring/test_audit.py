"""The audit's counts equal an independent count of the same trial sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from lwise_core.authoring.audit import Spread, TrialGroup, audit
from lwise_core.authoring.compile import CompiledStudy
from lwise_core.experiments.study import Conditions, Slots
from tests.experiments.conftest import CLASSES, trials_of

_N = 40


def test_every_group_of_the_taper_study_has_its_trials(taper: CompiledStudy) -> None:
    expected: dict[TrialGroup, Spread] = {}
    for condition, taught in enumerate(["control", "taper_curriculum"]):
        for block in range(5):
            expected |= _groups(TrialGroup(condition, block, taught, "train", None), CLASSES, each=3)
        expected |= _groups(TrialGroup(condition, 5, "natural", "val", None), CLASSES, each=7)
        for block in (1, 5):
            expected |= _groups(TrialGroup(condition, block, "calibration", None, None), ("circle", "triangle"), each=1)
    assert audit(taper.study, _N).groups == expected


def _groups(whole: TrialGroup, names: Sequence[str], *, each: int) -> dict[TrialGroup, Spread]:
    """The groups of every class and of all classes together."""
    total = each * len(names)
    return {whole: Spread(total, total)} | {whole._replace(class_name=name): Spread(each, each) for name in names}


def test_a_group_missing_from_some_trial_sets_has_least_zero(taper: CompiledStudy) -> None:
    """With one image per class and two trial types, each type is sometimes without the class."""
    block = taper.study.blocks[0]
    both = block.conditions[0].trial_types + block.conditions[1].trial_types
    only = replace(block, n_per_class={"train": 1}, conditions=(replace(block.conditions[0], trial_types=both),) * 2)
    cells = audit(replace(taper.study, blocks=(only,)), 200).groups
    assert {cell.trial_type for cell in cells} == {"control", "taper_curriculum"}
    assert {spread for cell, spread in cells.items() if cell.class_name is not None} == {Spread(0, 1)}
    assert {spread for cell, spread in cells.items() if cell.class_name is None} == {Spread(0, 3)}


def test_exposures_and_runs_are_those_of_a_count_by_hand(taper: CompiledStudy) -> None:
    found = audit(taper.study, _N)
    exposures: Counter[str] = Counter()
    runs: Counter[int] = Counter()
    for number in range(_N):
        trials = trials_of(taper.study, number, main_only=True)
        exposures.update(trial["im_path"] for trial in trials)
        runs[max(len(list(same)) for _, same in groupby(trial["class"] for trial in trials))] += 1
    assert list(found.exposures) == [exposures[image.im_path] for image in taper.study.images]
    assert found.longest_runs == runs
    assert list(found.longest_runs) == sorted(runs)
    assert found.repeated == 0


def test_trials_of_the_repeat_image_are_no_exposures(taper: CompiledStudy) -> None:
    first, *others = taper.study.blocks
    repeating = replace(taper.study, blocks=(replace(first, n_repeats=3), *others), repeat_split="train")
    counts = audit(repeating, 5)
    assert sum(counts.exposures) == sum(audit(taper.study, 5).exposures)
    assert counts.repeated == 0


def test_positions_of_attention_checks_are_counted_per_block(taper: CompiledStudy) -> None:
    found = audit(taper.study, _N).calibration_positions
    assert {block: len(places) for block, places in found.items()} == {1: 11, 5: 23}
    assert all(sum(places) == 2 * _N for places in found.values())


def test_imbalance_is_reported_at_the_end_and_at_its_worst(taper: CompiledStudy) -> None:
    balanced = audit(taper.study, _N)
    assert balanced.imbalance == (0, max(1, balanced.imbalance[1]))
    assert balanced.imbalance[1] <= 2
    alternating = replace(taper.study, conditions=Conditions(2, "alternating", 2))
    assert audit(alternating, 41).imbalance == (1, 1)


def test_only_trial_sets_that_exist_are_counted(taper: CompiledStudy) -> None:
    seen: list[tuple[int, int]] = []
    study = replace(taper.study, slots=Slots(3, reuse=True))
    assert audit(study, _N, on_progress=lambda done, total: seen.append((done, total))).n_trialsets == 3
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_an_image_twice_in_a_block_is_detected(taper: CompiledStudy) -> None:
    """One image in two places of the pool is what a faulty sampler would look like."""
    study = taper.study
    small = replace(
        study,
        conditions=Conditions(1, "blocked", 1),
        blocks=(replace(study.blocks[0], n_per_class={"train": 2}),),
    )
    vars(small)["pools"] = {cell: [pool[0], pool[0]] for cell, pool in small.pools.items()}
    assert audit(small, 5).repeated == 5

"""Sampling: any study gets all its trials, or is rejected beforehand for lack of images."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lwise_core.authoring.compile import compile_study
from lwise_core.errors import InputError
from lwise_core.experiments import feasibility
from lwise_core.experiments.bundle import load_bundle, to_bundle
from lwise_core.experiments.payloads import expanded
from lwise_core.experiments.study import (
    CALIBRATION,
    REPEAT,
    Block,
    BlockCondition,
    Choices,
    Conditions,
    Curriculum,
    ImageSource,
    Slots,
    Study,
    StudyImage,
    TrialKind,
    TrialType,
)
from lwise_core.experiments.trialset import build_trialset
from tests.experiments.conftest import CLASSES, DataSet, blocks_of, trials_of, write_study

# --- any study


@st.composite
def _studies(draw: st.DrawFn) -> Study:
    """Small studies of one condition with or without a curriculum; many of them ask for more images than there are."""
    available = draw(st.fixed_dictionaries({"train": st.integers(0, 12), "val": st.integers(0, 6)}))
    n_classes = draw(st.integers(2, 4))
    shares = st.sampled_from([0.1, 0.25, 0.5, 0.9, 1.0])
    n_blocks = draw(st.integers(1, 5))
    blocks = tuple(
        Block(
            name=f"block_{number}",
            n_per_class=draw(st.fixed_dictionaries({"train": st.integers(0, 4), "val": st.integers(0, 3)})),
            n_calibration_trials=2 * draw(st.integers(0, 2)),
            n_repeats=draw(st.sampled_from([0, 0, 1, 2])),
            conditions=(BlockCondition((TrialType(3 * number, None),), draw(shares), False),),
            calibration_kind=3 * number + 1,
            repeat_kind=3 * number + 2,
        )
        for number in range(n_blocks)
    )
    return Study(
        study_id="any",
        title="",
        seed=draw(st.integers(0, 1000)),
        conditions=Conditions(1, "blocked", 1),
        slots=Slots(None, reuse=False),
        platforms=(),
        classes=tuple(f"class_{number}" for number in range(n_classes)),
        choices=Choices(
            order=tuple(range(n_classes)),
            shown_names=tuple(f"class {number}" for number in range(n_classes)),
            order_shuffled_per_session=False,
            names_shuffled_per_session=False,
            calibration_stimuli=("circle", "triangle"),
        ),
        settings={
            "choice_image_bucket_name": None,
            "choice_url_suffix": "",
            "keypress_fj_response": False,
            "show_feedback": True,
        },
        kinds=tuple(
            TrialKind(number, name, "fixed", {}) for number in range(n_blocks) for name in ("only", CALIBRATION, REPEAT)
        ),
        sources=(ImageSource(variant="natural"),),
        blocks=blocks,
        curriculum=Curriculum(draw(st.integers(1, 3)), draw(st.sampled_from([(), (0,)]))),
        repeat_split=draw(st.sampled_from(["train", "val"])),
        prespecified=(),
        bonus_tiers=(),
        images=tuple(
            StudyImage(split, class_num, f"{split}/{class_num}/{number}", number / 12, None, None, {"natural": "name"})
            for split, count in available.items()
            for class_num in range(n_classes)
            for number in range(count)
        ),
        pages={},
    )


def _has_enough_images(study: Study) -> bool:
    """Counted by hand for one class, since all have the same number of images."""
    n_curriculum = study.curriculum.n_blocks if study.curriculum.conditions else 0
    counts = {split: sum(i.split == split and i.class_num == 0 for i in study.images) for split in ("train", "val")}
    needs_spare = any(block.n_repeats for block in study.blocks)
    if needs_spare and not counts[study.repeat_split]:
        return False
    for split, there in counts.items():
        has_spare = needs_spare and split == study.repeat_split
        left = there - sum(block.n_per_class[split] for block in study.blocks[n_curriculum:]) - has_spare
        if left < 0:
            return False
        for block in study.blocks[:n_curriculum]:
            share = block.conditions[0].easiest_fraction
            with_spare, without = round((left + has_spare) * share), round(left * share)
            # The spare image may be among the easiest, where it is not drawn.
            if block.n_per_class[split] > max(0, min(with_spare - has_spare, without)):
                return False
    return True


@given(study=_studies().filter(_has_enough_images))
def test_any_study_gives_the_same_bytes_after_a_bundle_round_trip(
    study: Study, tmp_path_factory: pytest.TempPathFactory
) -> None:
    bundle = tmp_path_factory.getbasetemp() / "journey.json"
    bundle.write_text(to_bundle(study), encoding="utf-8")
    loaded = load_bundle(bundle)
    assert json.dumps(expanded(loaded, build_trialset(loaded, 5))) == json.dumps(
        expanded(study, build_trialset(study, 5))
    )


@settings(max_examples=300)
@given(study=_studies())
def test_any_study_gets_all_trials_or_is_rejected_for_lack_of_images(study: Study) -> None:
    if not _has_enough_images(study):
        assert feasibility.shortages(study, 0)
        return
    assert feasibility.shortages(study, 0) == []
    for trialset_id in range(3):
        trials = trials_of(study, trialset_id)
        found = Counter((trial["block"], trial["split"], trial["class"]) for trial in trials if not _is_repeat(trial))
        expected: Counter[tuple[int, str | None, str]] = Counter()
        for number, block in enumerate(study.blocks):
            for split, count in block.n_per_class.items():
                expected.update({(number, split, name): count for name in study.classes})
            for shape in ("circle", "triangle"):
                expected.update({(number, None, shape): block.n_calibration_trials // 2})
        assert found == expected
        repeats = Counter(trial["block"] for trial in trials if _is_repeat(trial))
        assert repeats == Counter({number: block.n_repeats for number, block in enumerate(study.blocks)})


@settings(max_examples=200)
@given(study=_studies())
def test_a_study_short_of_images_is_rejected_and_never_cut(study: Study) -> None:
    """A shortage may stay unnoticed by one draw (the spare image was not among the easiest), but no block is cut."""
    total = sum(
        len(study.classes) * sum(block.n_per_class.values()) + block.n_calibration_trials + block.n_repeats
        for block in study.blocks
    )
    for trialset_id in range(3):
        try:
            trialset = build_trialset(study, trialset_id)
        except InputError as error:
            refusal = str(error)
        else:
            assert len(trialset.trials) == total
            continue
        shortages = feasibility.shortages(study, 0)
        assert shortages
        assert refusal == "; ".join(shortages)


def _is_repeat(trial: dict[str, Any]) -> bool:
    return trial["trial_type"] == REPEAT


# --- the easiest share


@pytest.mark.parametrize(
    ("fraction", "repeat", "expected"),
    [
        (0.5, None, [0, 1, 2, 3, 4]),
        (0.25, None, [0, 1]),  # 2.5 is rounded to the even number, as Python and L-WISE do
        (0.35, None, [0, 1, 2, 3]),
        (1.0, None, list(range(10))),
        (0.01, None, []),
        (0.5, 2, [0, 1, 3, 4]),  # 4 of the 9 others; 5 of all 10, one of which is the repeat image
        (0.5, 9, [0, 1, 2, 3]),
        (1.0, 0, list(range(1, 10))),
    ],
)
def test_the_easiest_share_is_a_rounded_count(fraction: float, repeat: int | None, expected: list[int]) -> None:
    assert feasibility.easiest_images(range(10), fraction, repeat=repeat) == expected


@given(
    count=st.integers(1, 60),
    fraction=st.floats(0.01, 1),
    repeat=st.none() | st.integers(0, 59),
)
def test_the_easiest_share_holds_with_and_without_the_repeat_image(
    count: int, fraction: float, repeat: int | None
) -> None:
    ranked = range(count)
    found = feasibility.easiest_images(ranked, fraction, repeat=repeat)
    others = [index for index in ranked if index != repeat]
    assert repeat not in found
    assert found == others[: len(found)]
    assert set(found) <= set(ranked[: round(count * fraction)])
    assert set(found) <= set(others[: round(len(others) * fraction)])
    # Nothing that both ways of counting allow is left out.
    assert found == [i for i in others[: round(len(others) * fraction)] if i in ranked[: round(count * fraction)]]


# --- trial types and settings


def test_trial_types_are_dealt_evenly_within_every_class(data_set: DataSet, tmp_path: Path) -> None:
    types = {name: {"variant": name} for name in ("natural", "eps2", "eps1")}
    config = {"session_config": [{"main": {"n_trials_per_class_train": 10, "trial_types": types}}]}
    study = compile_study(write_study(tmp_path, data_set, config)).study
    favoured = set()
    for trialset_id in range(40):
        trials = trials_of(study, trialset_id)
        for name in CLASSES:
            dealt = Counter(trial["variant"] for trial in trials if trial["class"] == name)
            assert sorted(dealt.values()) == [3, 3, 4]
            favoured.add(max(dealt, key=lambda variant: dealt[variant]))
    assert favoured == set(types)


def test_the_most_specific_setting_wins(data_set: DataSet, tmp_path: Path) -> None:
    config = {
        "session_config": [
            {"default": {"n_trials_per_class_train": 1}},
            {
                "of_block": {
                    "n_trials_per_class_train": 1,
                    "choice_duration_msec": 2000,
                    "n_calibration_trials": 2,
                    "n_repeats_of_one_stim": 1,
                }
            },
            {
                "of_type": {
                    "n_trials_per_class_train": 1,
                    "choice_duration_msec": 2000,
                    "trial_types": {"quick": {"choice_duration_msec": 3000}, "as_the_block": {}},
                }
            },
            {
                "of_type_alone": {
                    "n_trials_per_class_train": 1,
                    "trial_types": {"quick": {"choice_duration_msec": 4000}},
                }
            },
        ],
        "trial_config": {"choice_duration_msec": 1000, "calibration_stimulus_duration_msec": 400},
    }
    study = compile_study(write_study(tmp_path, data_set, config)).study
    trials = [trial for number in range(5) for trial in trials_of(study, number)]
    deadlines = {(trial["block_name"], trial["trial_type"]): trial["choice_duration_msec"] for trial in trials}
    assert deadlines == {
        ("default", "new_stimulus"): 1000,
        ("of_block", "new_stimulus"): 2000,
        ("of_block", "calibration"): 2000,
        ("of_block", "repeat_stimulus"): 2000,
        ("of_type", "quick"): 3000,
        ("of_type", "as_the_block"): 2000,
        ("of_type_alone", "quick"): 4000,
    }
    assert {trial["stimulus_duration_msec"] for trial in trials if trial["calibration"]} == {400}
    assert {trial["stimulus_duration_msec"] for trial in trials if not trial["calibration"]} == {0}


def test_a_block_overrides_the_duration_of_shapes(data_set: DataSet, tmp_path: Path) -> None:
    block = {"n_calibration_trials": 2, "calibration_stimulus_duration_msec": 150, "stimulus_duration_msec": 17}
    config = {"session_config": [{"a": block}], "trial_config": {"calibration_stimulus_duration_msec": 400}}
    study = compile_study(write_study(tmp_path, data_set, config)).study
    assert [trial["stimulus_duration_msec"] for trial in trials_of(study, 0)] == [150, 150]


def test_classes_are_dealt_to_variants_independently_per_block_and_session(data_set: DataSet, tmp_path: Path) -> None:
    block = {"n_trials_per_class_train": 2, "n_classes_per_variant": {"eps4": 1, "eps1": 2}}
    study = compile_study(
        write_study(tmp_path, data_set, {"session_config": [{"one": block}, {"two": dict(block)}]})
    ).study
    strong = set()
    for trialset_id in range(60):
        of_session: list[str] = []
        for trials in blocks_of(study, trialset_id):
            variants = {name: {trial["variant"] for trial in trials if trial["class"] == name} for name in CLASSES}
            assert sorted(variant for shown in variants.values() for variant in shown) == ["eps1", "eps1", "eps4"]
            of_session += [name for name in CLASSES if variants[name] == {"eps4"}]
        strong.add(tuple(of_session))
    assert len(strong) == 9


def test_a_study_of_one_condition_draws_one_of_several_deals(data_set: DataSet, tmp_path: Path) -> None:
    deals: Sequence[dict[str, int]] = [{"eps4": 3}, {"eps2": 2, "eps1": 1}]
    block = {"n_trials_per_class_train": 1, "n_classes_per_variant": list(deals)}
    study = compile_study(write_study(tmp_path, data_set, {"session_config": [{"only": block}]})).study
    drawn = Counter(
        tuple(sorted(Counter(trial["variant"] for trial in trials_of(study, number)).items())) for number in range(100)
    )
    assert set(drawn) == {tuple(sorted(deal.items())) for deal in deals}
    assert min(drawn.values()) > 30


def test_the_repeat_image_does_not_depend_on_the_condition(data_set: DataSet, tmp_path: Path) -> None:
    """Else conditions would differ in it: an easy image for some, any image for others."""
    config = {
        "session_config": [
            {
                "train": {
                    "n_trials_per_class_train": 2,
                    "n_repeats_of_one_stim": 1,
                    "conditional_trial_types": [
                        {"all": {}},
                        {"easy": {"difficulty_curriculum": True, "max_difficulty_selection": 0.2}},
                    ],
                }
            }
        ],
        "trial_config": {"curriculum_num_blocks": 1, "repeat_stimulus_split": "train"},
    }
    study = compile_study(write_study(tmp_path, data_set, config)).study
    only = [replace(study, conditions=Conditions(2, "alternating", 2), seed=seed) for seed in range(30)]
    turned = [replace(s, blocks=tuple(replace(b, conditions=b.conditions[::-1]) for b in s.blocks)) for s in only]
    turned = [replace(s, curriculum=Curriculum(1, (0,))) for s in turned]
    for plain, swapped in zip(only, turned, strict=True):
        repeats = [next(t["im_path"] for t in trials_of(s, 0) if _is_repeat(t)) for s in (plain, swapped)]
        assert repeats[0] == repeats[1]

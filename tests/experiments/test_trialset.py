"""A trial set is a pure function of study and id, and holds exactly what the study asks for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lwise_core.errors import InputError
from lwise_core.experiments.compile import CompiledStudy, compile_study
from lwise_core.experiments.study import Block, Choices, ConditionOfBlock, Study, StudyImage, TrialType, load_bundle
from lwise_core.experiments.trialset import Trial, build_trialset, expanded, participant_view
from tests.experiments.conftest import BUDGETS, CLASSES, DataSet, write_study

_IDS = st.integers(min_value=0, max_value=10**12)
_N_TRAINING_BLOCKS = 5
_CONTROL, _TAPER = 0, 1

_PRINT_TRIALSETS = """
import json, sys
from pathlib import Path
from lwise_core.experiments.study import load_bundle
from lwise_core.experiments.trialset import build_trialset
study = load_bundle(Path(sys.argv[1]))
print(json.dumps([build_trialset(study, number) for number in range(20)]))
"""


def _trials(study: Study, trialset_id: int, *, main_only: bool = True) -> list[Trial]:
    trials = expanded(build_trialset(study, trialset_id))
    return [trial for trial in trials if not (main_only and trial["calibration"])]


def _blocks(study: Study, trialset_id: int) -> list[list[Trial]]:
    trials = _trials(study, trialset_id)
    return [[trial for trial in trials if trial["block"] == number] for number in range(len(study.blocks))]


def _ids_of(study: Study, condition: int, *, count: int) -> list[int]:
    found = (number for number in range(1000) if build_trialset(study, number)["condition_idx"] == condition)
    return [next(found) for _ in range(count)]


# --- a pure function


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_another_process_builds_the_same_bytes_from_the_bundle(
    taper: CompiledStudy, tmp_path: Path, hash_seed: str
) -> None:
    bundle = tmp_path / "bundle.json"
    bundle.write_text(taper.study.to_bundle(), encoding="utf-8")
    here = json.dumps([build_trialset(taper.study, number) for number in range(20)])
    there = subprocess.run(
        [sys.executable, "-c", _PRINT_TRIALSETS, str(bundle)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stdout.strip() == here


def test_other_ids_and_other_seeds_give_other_images(taper: CompiledStudy) -> None:
    reseeded = replace(taper.study, seed=taper.study.seed + 1)
    drawn = [
        tuple(trial["im_path"] for trial in _trials(study, number))
        for study in (taper.study, reseeded)
        for number in range(50)
    ]
    assert len(set(drawn)) == 100


# --- what every trial set of the taper study holds


@given(trialset_id=_IDS)
def test_every_block_holds_every_class_equally_often_from_its_split(taper: CompiledStudy, trialset_id: int) -> None:
    for number, trials in enumerate(_blocks(taper.study, trialset_id)):
        split, per_class = ("train", 3) if number < _N_TRAINING_BLOCKS else ("val", 7)
        assert Counter(trial["class"] for trial in trials) == dict.fromkeys(CLASSES, per_class)
        assert {trial["split"] for trial in trials} == {split}
        assert all(trial["im_path"].startswith(f"{split}/{trial['class']}/") for trial in trials)


@given(trialset_id=_IDS)
def test_only_curriculum_blocks_share_images_and_never_within_a_block(taper: CompiledStudy, trialset_id: int) -> None:
    blocks = [[trial["im_path"] for trial in trials] for trials in _blocks(taper.study, trialset_id)]
    n_curriculum = len(BUDGETS) if build_trialset(taper.study, trialset_id)["condition_idx"] == _TAPER else 0
    assert all(len(set(paths)) == len(paths) for paths in blocks)
    in_curriculum = set().union(*blocks[:n_curriculum])
    later = [path for paths in blocks[n_curriculum:] for path in paths]
    assert len(set(later)) == len(later)
    assert in_curriculum.isdisjoint(later)


def test_the_control_sees_natural_images_and_the_taper_weaker_and_weaker_ones(taper: CompiledStudy) -> None:
    expected = {_CONTROL: ["natural"] * 6, _TAPER: [*BUDGETS, "natural", "natural", "natural"]}
    for condition, variants in expected.items():
        for trialset_id in _ids_of(taper.study, condition, count=10):
            shown = [{trial["variant"] for trial in trials} for trials in _blocks(taper.study, trialset_id)]
            assert shown == [{variant} for variant in variants]


def test_a_picture_is_shown_in_the_variant_that_the_record_names(taper: CompiledStudy) -> None:
    for trialset_id in range(4):
        for trial in _trials(taper.study, trialset_id):
            file = taper.files[trial["stimulus_url"].removeprefix("stimuli/")]
            assert file.as_posix().endswith(f"/{trial['variant']}/{trial['im_path']}")


def test_curriculum_blocks_draw_from_the_easiest_share_of_what_later_blocks_left(taper: CompiledStudy) -> None:
    shares = [0.25, 0.55, 0.85]
    for trialset_id in _ids_of(taper.study, _TAPER, count=10):
        blocks = _blocks(taper.study, trialset_id)
        set_aside = {trial["im_path"] for trials in blocks[len(BUDGETS) :] for trial in trials}
        for trials, share in zip(blocks, shares, strict=False):
            for class_num, name in enumerate(CLASSES):
                left = sorted(
                    image.difficulty or 0.0
                    for image in taper.study.images
                    if (image.split, image.class_num) == ("train", class_num) and image.im_path not in set_aside
                )
                hardest_allowed = left[round(share * len(left)) - 1]
                assert all(trial["difficulty"] <= hardest_allowed for trial in trials if trial["class"] == name)


def test_the_curriculum_grows_harder_and_the_control_does_not(taper: CompiledStudy) -> None:
    def mean_difficulty(condition: int) -> list[float]:
        sets = [_blocks(taper.study, number) for number in _ids_of(taper.study, condition, count=60)]
        return [
            fmean(trial["difficulty"] for blocks in sets for trial in blocks[number])
            for number in range(_N_TRAINING_BLOCKS)
        ]

    curriculum, control = mean_difficulty(_TAPER), mean_difficulty(_CONTROL)
    assert all(later - earlier > 0.1 for earlier, later in pairwise(curriculum[: len(BUDGETS)]))
    assert max(control) - min(control) < 0.1


def test_the_test_gives_no_feedback_and_is_announced(taper: CompiledStudy) -> None:
    for trial in _trials(taper.study, 0, main_only=False):
        is_test = trial["block_name"] == "test"
        assert trial["show_feedback"] is not is_test
        assert trial["show_test_instructions"] is is_test


@given(trialset_id=_IDS)
def test_the_right_choice_is_the_name_of_what_is_shown(taper: CompiledStudy, trialset_id: int) -> None:
    trials = _trials(taper.study, trialset_id, main_only=False)
    assert [trial["index"] for trial in trials] == list(range(len(trials)))
    for trial in trials:
        assert trial["choice_names"][trial["i_correct_choice"]] == trial["stimulus_name"]
        assert len(set(trial["choice_names"])) == len(CLASSES)


def test_attention_checks_show_one_of_two_shapes_that_took_the_place_of_names(taper: CompiledStudy) -> None:
    for trialset_id in range(20):
        checks = [trial for trial in _trials(taper.study, trialset_id, main_only=False) if trial["calibration"]]
        assert Counter((check["block_name"], check["calibration"]) for check in checks) == {
            (block, shape): 1 for block in ("train_2", "test") for shape in ("circle", "triangle")
        }
        for check in checks:
            assert check["stimulus_url"] is None
            assert {"circle", "triangle"} < set(check["choice_names"])
            assert check["stimulus_name"] == check["calibration"]


def test_trials_and_attention_checks_of_a_block_are_mixed(taper: CompiledStudy) -> None:
    kinds_at: dict[int, set[str]] = {}
    for trialset_id in range(200):
        test = [t for t in _trials(taper.study, trialset_id, main_only=False) if t["block_name"] == "test"]
        for position, trial in enumerate(test):
            kinds_at.setdefault(position, set()).add(trial["class"])
    everything = {*CLASSES, "circle", "triangle"}
    assert kinds_at == dict.fromkeys(range(23), everything)


def test_a_negative_id_is_refused(taper: CompiledStudy) -> None:
    with pytest.raises(InputError, match="trialset_id is -1"):
        build_trialset(taper.study, -1)


# --- what the participant's page gets


@given(trialset_id=_IDS)
def test_the_page_gets_the_answer_only_where_it_gives_feedback(taper: CompiledStudy, trialset_id: int) -> None:
    trialset = build_trialset(taper.study, trialset_id)
    shown = participant_view(trialset)["trials"]
    for trial, record in zip(shown, expanded(trialset), strict=True):
        assert ("i_correct_choice" in trial) is record["show_feedback"]


def test_the_page_can_tell_neither_class_nor_path_nor_variant(data_set: DataSet, tmp_path: Path) -> None:
    config = {
        "session_config": [
            {"train": {"n_trials_per_class_train": 2, "trial_types": {"taught": {"variant": "eps4"}}}},
            {"test": {"n_trials_per_class_val": 2, "show_feedback": False, "n_calibration_trials": 2}},
        ],
        "trial_config": {"choice_names_aliases": dict(zip(CLASSES, "ABC", strict=True))},
    }
    study = compile_study(write_study(tmp_path, data_set, config)).study
    shown = participant_view(build_trialset(study, 0))
    text = json.dumps(shown)
    assert not [word for word in (*CLASSES, "eps4", "natural", "taught", "im_path", "difficulty") if word in text]
    assert all(trial["stimulus_url"].isascii() for trial in shown["trials"] if not trial["calibration"])


def test_the_page_gets_every_setting_of_every_trial(taper: CompiledStudy) -> None:
    trialset = build_trialset(taper.study, 3)
    for shown, record in zip(expanded(participant_view(trialset)), expanded(trialset), strict=True):
        assert {key: shown[key] for key in taper.study.settings} == {key: record[key] for key in taper.study.settings}


# --- how choices are offered


def _session_offers(study: Study, trialset_id: int) -> list[tuple[str, ...]]:
    return [tuple(trial["choice_names"]) for trial in _trials(study, trialset_id)]


@pytest.fixture(scope="module")
def plain(data_set: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """One block of eight trials per class, choices in the order of the classes."""
    config = {"session_config": [{"only": {"n_trials_per_class_val": 8}}]}
    return compile_study(write_study(tmp_path_factory.mktemp("plain"), data_set, config)).study


def _offered(study: Study, **choices: Any) -> Study:
    return replace(study, choices=replace(study.choices, **choices))


def test_choices_keep_the_order_that_the_study_names(plain: Study) -> None:
    study = _offered(plain, order=(2, 0, 1))
    assert {offer for number in range(5) for offer in _session_offers(study, number)} == {
        ("dimidiata", "aversata", "biselata")
    }


def test_a_rotated_ring_keeps_its_neighbours_and_takes_every_turn(plain: Study) -> None:
    study = _offered(plain, rotate_each_trial=True)
    a, b, c = CLASSES
    assert set(_session_offers(study, 0)) == {(a, b, c), (b, c, a), (c, a, b)}


def test_shuffled_choices_take_every_order(plain: Study) -> None:
    study = _offered(plain, shuffle_each_trial=True)
    assert len({offer for number in range(5) for offer in _session_offers(study, number)}) == 6


def test_shuffled_names_are_dealt_once_per_session(plain: Study) -> None:
    study = _offered(plain, shown_names=("A", "B", "C"), names_random_shuffle=True)
    dealt = set()
    for number in range(40):
        name_of = {(trial["class"], trial["stimulus_name"]) for trial in _trials(study, number)}
        assert sorted(name for _, name in name_of) == ["A", "B", "C"]
        dealt.add(frozenset(name_of))
    assert len(dealt) == 6


# --- trial types and settings


def test_trial_types_are_dealt_evenly_within_every_class(data_set: DataSet, tmp_path: Path) -> None:
    types = {name: {"variant": name} for name in ("natural", "eps2", "eps1")}
    config = {"session_config": [{"main": {"n_trials_per_class_train": 10, "trial_types": types}}]}
    study = compile_study(write_study(tmp_path, data_set, config)).study
    favoured = set()
    for trialset_id in range(40):
        for name in CLASSES:
            dealt = Counter(t["variant"] for t in _trials(study, trialset_id) if t["class"] == name)
            assert sorted(dealt.values()) == [3, 3, 4]
            favoured.add(max(dealt, key=lambda variant: dealt[variant]))
    assert favoured == set(types)


def test_the_most_specific_setting_wins(data_set: DataSet, tmp_path: Path) -> None:
    config = {
        "session_config": [
            {"default": {"n_trials_per_class_train": 1}},
            {"of_block": {"n_trials_per_class_train": 1, "choice_duration_msec": 2000, "n_calibration_trials": 1}},
            {
                "of_type": {
                    "n_trials_per_class_train": 1,
                    "choice_duration_msec": 2000,
                    "trial_types": {"quick": {"choice_duration_msec": 3000}},
                }
            },
        ],
        "trial_config": {"choice_duration_msec": 1000, "calibration_stimulus_duration_msec": 400},
    }
    study = compile_study(write_study(tmp_path, data_set, config)).study
    trials = _trials(study, 0, main_only=False)
    deadlines = {(trial["block_name"], trial["trial_type"]): trial["choice_duration_msec"] for trial in trials}
    assert deadlines == {
        ("default", "new_stimulus"): 1000,
        ("of_block", "new_stimulus"): 2000,
        ("of_block", "calibration"): 2000,
        ("of_type", "quick"): 3000,
    }
    assert {trial["stimulus_duration_msec"] for trial in trials if trial["calibration"]} == {400}


# --- any study


@st.composite
def _studies(draw: st.DrawFn) -> Study:
    """Small studies of one condition with or without a curriculum; many of them ask for more images than there are."""
    available = draw(st.fixed_dictionaries({"train": st.integers(0, 12), "val": st.integers(0, 6)}))
    n_classes = draw(st.integers(2, 4))
    shares = st.sampled_from([0.1, 0.25, 0.5, 0.9, 1.0])
    blocks = tuple(
        Block(
            name=f"block_{number}",
            n_per_class=draw(st.fixed_dictionaries({"train": st.integers(0, 4), "val": st.integers(0, 3)})),
            n_calibration_trials=draw(st.integers(0, 3)),
            settings={},
            conditions=(ConditionOfBlock((TrialType("only", "natural", {}),), easiest_fraction=draw(shares)),),
        )
        for number in range(draw(st.integers(1, 5)))
    )
    return Study(
        study_id="any",
        title="",
        seed=draw(st.integers(0, 1000)),
        n_conditions=1,
        randomization_block_size=1,
        classes=tuple(f"class_{number}" for number in range(n_classes)),
        choices=Choices(
            order=tuple(range(n_classes)),
            shown_names=tuple(f"class {number}" for number in range(n_classes)),
            names_random_shuffle=False,
            shuffle_each_trial=False,
            rotate_each_trial=False,
            calibration_stimuli=("circle", "triangle"),
        ),
        settings={"show_feedback": True, "calibration_stimulus_duration_msec": 0},
        blocks=blocks,
        curriculum_blocks=draw(st.integers(1, 3)),
        curriculum_conditions=draw(st.sampled_from([(), (0,)])),
        images=tuple(
            StudyImage(split, class_num, f"{split}/{class_num}/{number}", number / 12, None, {"natural": "name"})
            for split, count in available.items()
            for class_num in range(n_classes)
            for number in range(count)
        ),
        pages={},
    )


def _has_enough_images(study: Study) -> bool:
    n_curriculum = study.curriculum_blocks if study.curriculum_conditions else 0
    for split in ("train", "val"):
        left = sum(image.split == split and image.class_num == 0 for image in study.images)
        left -= sum(block.n_per_class[split] for block in study.blocks[n_curriculum:])
        shares = [(block, block.conditions[0].easiest_fraction) for block in study.blocks[:n_curriculum]]
        if left < 0 or any(block.n_per_class[split] > round(left * share) for block, share in shares):
            return False
    return True


@given(study=_studies().filter(_has_enough_images))
def test_any_study_gives_the_same_bytes_after_its_journey_through_a_bundle(
    study: Study, tmp_path_factory: pytest.TempPathFactory
) -> None:
    bundle = tmp_path_factory.getbasetemp() / "journey.json"
    bundle.write_text(study.to_bundle(), encoding="utf-8")
    assert json.dumps(build_trialset(load_bundle(bundle), 5)) == json.dumps(build_trialset(study, 5))


@settings(max_examples=300)
@given(study=_studies())
def test_any_study_gets_all_its_trials_or_is_refused_for_want_of_images(study: Study) -> None:
    if not _has_enough_images(study):
        with pytest.raises(InputError, match="add images"):
            build_trialset(study, 0)
        return
    found = Counter((trial["block"], trial["split"], trial["class"]) for trial in _trials(study, 0, main_only=False))
    expected: Counter[tuple[int, str | None, str]] = Counter()
    for number, block in enumerate(study.blocks):
        for split, count in block.n_per_class.items():
            expected.update({(number, split, name): count for name in study.classes})
        n_circles = (block.n_calibration_trials + 1) // 2
        expected.update({(number, None, "circle"): n_circles})
        expected.update({(number, None, "triangle"): block.n_calibration_trials - n_circles})
    assert found == expected

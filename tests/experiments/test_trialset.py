"""A trial set is a pure function of study and id, and holds exactly what the study asks for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lwise_core.authoring.compile import CompiledStudy
from lwise_core.errors import InputError
from lwise_core.experiments.bundle import to_bundle
from lwise_core.experiments.conditions import condition_of
from lwise_core.experiments.study import Slots, Study
from lwise_core.experiments.trialset import NoTrialsetLeft, build_trialset
from tests.experiments.conftest import BUDGETS, CLASSES, blocks_of, trials_of

_IDS = st.integers(min_value=0, max_value=10**12)
_N_TRAINING_BLOCKS = 5
_CONTROL, _TAPER = 0, 1

_PRINT_TRIALSETS = """
import json, sys
from pathlib import Path
from lwise_core.experiments.bundle import load_bundle
from lwise_core.experiments.trialset import build_trialset
from lwise_core.experiments.payloads import expanded
study = load_bundle(Path(sys.argv[1]))
print(json.dumps([expanded(study, build_trialset(study, number)) for number in range(20)]))
"""


def _ids_of(study: Study, condition: int, *, count: int) -> Iterator[int]:
    found = (number for number in range(1000) if condition_of(study, number) == condition)
    return islice(found, count)


# --- a pure function


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_another_process_builds_the_same_bytes_from_the_bundle(
    taper: CompiledStudy, tmp_path: Path, hash_seed: str
) -> None:
    bundle = tmp_path / "bundle.json"
    bundle.write_text(to_bundle(taper.study), encoding="utf-8")
    here = json.dumps([trials_of(taper.study, number) for number in range(20)])
    there = subprocess.run(
        [sys.executable, "-c", _PRINT_TRIALSETS, str(bundle)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stdout.strip() == here


def test_the_order_of_building_does_not_matter(taper: CompiledStudy) -> None:
    forwards = [build_trialset(taper.study, number) for number in range(10)]
    backwards = [build_trialset(taper.study, number) for number in reversed(range(10))]
    assert forwards == backwards[::-1]


def test_other_ids_and_other_seeds_give_other_images(taper: CompiledStudy) -> None:
    reseeded = replace(taper.study, seed=taper.study.seed + 1)
    drawn = [
        tuple(trial["im_path"] for trial in trials_of(study, number, main_only=True))
        for study in (taper.study, reseeded)
        for number in range(50)
    ]
    assert len(set(drawn)) == 100


def test_pages_and_titles_do_not_affect_the_trials(taper: CompiledStudy) -> None:
    reworded = replace(taper.study, title="Other", pages={}, study_id="other_2", platforms=("prolific",))
    assert [build_trialset(reworded, number) for number in range(10)] == [
        build_trialset(taper.study, number) for number in range(10)
    ]


def test_a_negative_id_is_rejected(taper: CompiledStudy) -> None:
    with pytest.raises(InputError, match="trialset_id is -1"):
        build_trialset(taper.study, -1)


def test_an_id_beyond_the_last_trial_set_is_rejected(taper: CompiledStudy) -> None:
    study = replace(taper.study, slots=Slots(5, reuse=True))
    assert build_trialset(study, 4) == build_trialset(taper.study, 4)
    with pytest.raises(NoTrialsetLeft, match="trialset_id is 5; this study has 5 trial sets, 0 to 4"):
        build_trialset(study, 5)


# --- what every trial set of the taper study holds


@given(trialset_id=_IDS)
def test_every_block_holds_every_class_equally_often_from_its_split(taper: CompiledStudy, trialset_id: int) -> None:
    for number, trials in enumerate(blocks_of(taper.study, trialset_id)):
        split, per_class = ("train", 3) if number < _N_TRAINING_BLOCKS else ("val", 7)
        assert Counter(trial["class"] for trial in trials) == dict.fromkeys(CLASSES, per_class)
        assert {trial["split"] for trial in trials} == {split}
        assert all(trial["im_path"].startswith(f"{split}/{trial['class']}/") for trial in trials)


@given(trialset_id=_IDS)
def test_only_curriculum_blocks_share_images_and_never_within_a_block(taper: CompiledStudy, trialset_id: int) -> None:
    blocks = [[trial["im_path"] for trial in trials] for trials in blocks_of(taper.study, trialset_id)]
    n_curriculum = len(BUDGETS) if condition_of(taper.study, trialset_id) == _TAPER else 0
    assert all(len(set(paths)) == len(paths) for paths in blocks)
    in_curriculum = set().union(*blocks[:n_curriculum])
    later = [path for paths in blocks[n_curriculum:] for path in paths]
    assert len(set(later)) == len(later)
    assert in_curriculum.isdisjoint(later)


def test_the_control_sees_natural_images_and_the_taper_decreasing_epsilon(taper: CompiledStudy) -> None:
    expected = {_CONTROL: ["natural"] * 6, _TAPER: [*BUDGETS, "natural", "natural", "natural"]}
    for condition, variants in expected.items():
        for trialset_id in _ids_of(taper.study, condition, count=10):
            shown = [{trial["variant"] for trial in trials} for trials in blocks_of(taper.study, trialset_id)]
            assert shown == [{variant} for variant in variants]


def test_an_image_is_shown_in_the_recorded_variant(taper: CompiledStudy) -> None:
    for trialset_id in range(4):
        for trial in trials_of(taper.study, trialset_id, main_only=True):
            file = taper.files[trial["stimulus_image_url"].removeprefix("stimuli/")]
            assert file.as_posix().endswith(f"/{trial['variant']}/{trial['im_path']}")


def test_curriculum_blocks_draw_from_the_easiest_share_of_what_later_blocks_left(taper: CompiledStudy) -> None:
    shares = [0.25, 0.55, 0.85]
    for trialset_id in _ids_of(taper.study, _TAPER, count=10):
        blocks = blocks_of(taper.study, trialset_id)
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


def test_difficulty_increases_in_the_curriculum_and_not_in_the_control(taper: CompiledStudy) -> None:
    def mean_difficulty(condition: int) -> list[float]:
        sets = [blocks_of(taper.study, number) for number in _ids_of(taper.study, condition, count=60)]
        return [
            fmean(trial["difficulty"] for blocks in sets for trial in blocks[number])
            for number in range(_N_TRAINING_BLOCKS)
        ]

    curriculum, control = mean_difficulty(_TAPER), mean_difficulty(_CONTROL)
    assert all(later - earlier > 0.1 for earlier, later in pairwise(curriculum[: len(BUDGETS)]))
    assert max(control) - min(control) < 0.1


def test_the_test_has_no_feedback_and_an_instruction_page(taper: CompiledStudy) -> None:
    for trial in trials_of(taper.study, 0):
        is_test = trial["block_name"] == "test"
        assert trial["show_feedback"] is not is_test
        assert trial["show_test_instructions"] is is_test


@given(trialset_id=_IDS)
def test_the_correct_choice_is_the_name_of_what_is_shown(taper: CompiledStudy, trialset_id: int) -> None:
    trials = trials_of(taper.study, trialset_id)
    assert [trial["index"] for trial in trials] == list(range(len(trials)))
    for trial in trials:
        assert trial["stimulus_name"] == trial["class"]
        assert trial["choice_names"][trial["i_correct_choice"]] == trial["stimulus_name"]
        assert len(set(trial["choice_names"])) == len(CLASSES)


def test_attention_checks_show_shapes_that_replace_two_names(taper: CompiledStudy) -> None:
    for trialset_id in range(20):
        checks = [trial for trial in trials_of(taper.study, trialset_id) if trial["calibration"]]
        assert Counter((check["block_name"], check["class"]) for check in checks) == {
            (block, shape): 1 for block in ("train_2", "test") for shape in ("circle", "triangle")
        }
        for check in checks:
            assert check["stimulus_image_url"] is None
            assert check["trial_type"] == "calibration"
            assert {"circle", "triangle"} < set(check["choice_names"])
            assert check["stimulus_name"] == check["class"]


def test_trials_and_attention_checks_of_a_block_are_mixed(taper: CompiledStudy) -> None:
    kinds_at: dict[int, set[str]] = {}
    for trialset_id in range(200):
        test = [trial for trial in trials_of(taper.study, trialset_id) if trial["block_name"] == "test"]
        for position, trial in enumerate(test):
            kinds_at.setdefault(position, set()).add(trial["class"])
    everything = {*CLASSES, "circle", "triangle"}
    assert kinds_at == dict.fromkeys(range(23), everything)

"""The published studies of L-WISE load as they are and give every participant what the paper says.

The files are not part of the repository; without them these tests are skipped.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from lwise_core.authoring.compile import CompiledStudy, compile_study
from lwise_core.experiments.conditions import condition_of
from lwise_core.experiments.payloads import participant_view
from lwise_core.experiments.study import Study
from lwise_core.experiments.trialset import build_trialset
from tests.experiments.conftest import trials_of

LWISE = Path(__file__).parents[3] / "shared" / "data" / "lwise"

pytestmark = pytest.mark.skipif(not LWISE.is_dir(), reason=f"no published studies in {LWISE}")

Trials = Sequence[Mapping[str, Any]]

_PER_CONDITION = 6
_MOTHS = tuple(
    f"{number}_Animalia_Arthropoda_Insecta_Lepidoptera_Geometridae_Idaea_{species}"
    for number, species in (("01233", "aversata"), ("01234", "biselata"), ("01239", "seriata"), ("01240", "tacturata"))
)
_TURTLES = ("leatherback_turtle", "loggerhead")
_ANIMAL_RING = (
    "insect, spider, crab, fish, frog, turtle, snake, lizard, bird, rodent, monkey, dog, bear, big cat, house cat, "
    "antelope"
)
_ANIMALS = tuple(name.replace(" ", "_") for name in _ANIMAL_RING.split(", "))


@cache
def _compiled(name: str) -> CompiledStudy:
    return compile_study(LWISE / name)


def _ids(study: Study) -> list[int]:
    """Some trial sets of every condition."""
    left = dict.fromkeys(range(study.conditions.count), _PER_CONDITION)
    ids = []
    for trialset_id in range(1000):
        condition = condition_of(study, trialset_id)
        if left[condition]:
            left[condition] -= 1
            ids.append(trialset_id)
    assert not any(left.values())
    return ids


def _main(trials: Trials) -> list[Mapping[str, Any]]:
    return [trial for trial in trials if trial["trial_type"] not in ("calibration", "repeat_stimulus")]


def _counts(trials: Trials, *keys: str) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(trial[key] for key in keys) for trial in trials)


def _row_of(name: str) -> dict[str, dict[str, str]]:
    with (LWISE / name / "dataset_dirmap.csv").open(encoding="utf-8", newline="") as file:
        return {row["im_path"]: row for row in csv.DictReader(file)}


# --- all of them


@pytest.mark.parametrize(
    ("name", "warnings"),
    [
        ("idaea4_learn_10", ["trial_config: repeat_trial_type has no effect and may be omitted"]),
        ("imagenet_animals_main_10", ["block 'main': warmup_trial_type has no effect and may be omitted"]),
        ("turtlequal_10", []),
        ("example_custom_experiment_0", []),
    ],
)
def test_a_published_study_loads_unchanged(name: str, warnings: list[str]) -> None:
    """Besides keys without effect there is one warning: addresses reveal the class."""
    compiled = _compiled(name)
    *others, telling = compiled.warnings
    assert others == warnings
    assert "images have an address that contains their class" in telling
    assert compiled.files == {}
    assert compiled.study.study_id == name


@pytest.mark.parametrize("name", ["idaea4_learn_10", "imagenet_animals_main_10", "turtlequal_10"])
def test_no_image_is_repeated_unexpectedly(name: str) -> None:
    """The checks of L-WISE: outside of repeat, calibration and curriculum trials no address and no file name twice."""
    study = _compiled(name).study
    for trialset_id in _ids(study):
        trials = trials_of(study, trialset_id)
        images = [trial for trial in _main(trials) if not trial["difficulty_curriculum"]]
        urls = [trial["stimulus_image_url"] for trial in images]
        assert len(set(urls)) == len(urls)
        assert len({url.rpartition("/")[2] for url in urls}) == len(urls)
        for block in range(len(study.blocks)):
            made = [trial["im_path"] for trial in _main(trials) if trial["source_block"] == block]
            assert len(set(made)) == len(made)
        easy = {trial["im_path"] for trial in _main(trials) if trial["difficulty_curriculum"]}
        assert easy.isdisjoint(trial["im_path"] for trial in images)


@pytest.mark.parametrize("name", ["idaea4_learn_10", "imagenet_animals_main_10", "turtlequal_10"])
def test_images_are_those_of_the_dirmap_in_the_trial_type_s_bucket(name: str) -> None:
    study, row_of = _compiled(name).study, _row_of(name)
    for trialset_id in _ids(study):
        for trial in trials_of(study, trialset_id):
            if trial["calibration"]:
                continue
            row = row_of[trial["im_path"]]
            assert (trial["class"], trial["split"]) == (row["class"], row["split"])
            url = row["url"]
            if trial["variant"] is not None:
                url = f"https://{trial['variant']}.s3.amazonaws.com/{row['im_path']}"
            assert trial["stimulus_image_url"] == url


# --- moths: seven conditions

_TRAIN, _TEST = range(8), range(8, 10)
_TYPE_OF_CONDITION = (
    "natural",
    "natural",
    "curriculum_sampling",
    "curriculum_sampling_shuffle",
    "enhancement_taper",
    "enhancement_taper_shuffle",
    "enhancement_taper_curriculum_sampling",
)
_SHARES = (0.1, 0.25, 0.4, 0.55, 0.7, 0.85)
_NATURAL = "morgan-idaea4-natural"
_TAPER = (
    *(f"morgan-idaea4-{eps}-0dot5-{steps}-logit-diverge" for eps, steps in ((8, 16), (4, 8), (2, 4), (1, 2))),
    "morgan-idaea4-0dot5-0dot5-1-logit-diverge",
    "morgan-idaea4-0dot25-0dot5-1-logit-diverge",
    *[_NATURAL] * 4,
)
_CURRICULUM, _SHUFFLED, _TAPERED = (2, 3, 6), (3, 5), (4, 5, 6)


def _moth_sessions() -> list[tuple[int, list[dict[str, Any]]]]:
    study = _compiled("idaea4_learn_10").study
    return [(condition_of(study, number), trials_of(study, number)) for number in _ids(study)]


def test_moths_have_seven_conditions_of_176_trials() -> None:
    """10 blocks: 8 x 16 and 2 x 20 main trials, 20 attention checks, 7 + 6 repeats."""
    sessions = _moth_sessions()
    assert Counter(condition for condition, _ in sessions) == dict.fromkeys(range(7), _PER_CONDITION)
    assert {len(trials) for _, trials in sessions} == {8 * 16 + 2 * 20 + 20 + 13}


def test_moths_are_shown_equally_often_in_every_block() -> None:
    for condition, trials in _moth_sessions():
        expected = {}
        for name in _MOTHS:
            for block in (*_TRAIN, *_TEST):
                split, count = ("train", 4) if block in _TRAIN else ("val", 5)
                trial_type = "natural" if condition < 2 else _TYPE_OF_CONDITION[condition]
                expected[block, name, split, trial_type] = count
        assert _counts(_main(trials), "block", "class", "split", "trial_type") == expected


def test_moths_have_two_attention_checks_in_every_block_and_a_repeat_image_from_train_2_on() -> None:
    for _, trials in _moth_sessions():
        checks = [trial for trial in trials if trial["calibration"]]
        assert _counts(checks, "block", "class") == {
            (block, shape): 1 for block in range(10) for shape in ("circle", "triangle")
        }
        repeats = [trial for trial in trials if trial["trial_type"] == "repeat_stimulus"]
        assert _counts(repeats, "block") == {**{(block,): 1 for block in range(1, 8)}, (8,): 3, (9,): 3}
        ((url, split),) = {(trial["stimulus_image_url"], trial["split"]) for trial in repeats}
        assert split == "train"
        assert url.startswith(f"https://{_NATURAL}.s3.amazonaws.com/train/")
        assert repeats[0]["im_path"] not in {trial["im_path"] for trial in _main(trials)}


def test_moths_of_the_test_are_none_of_the_training() -> None:
    for _, trials in _moth_sessions():
        trained = {trial["im_path"] for trial in trials if trial["block"] in _TRAIN and not trial["calibration"]}
        tested = {trial["im_path"] for trial in _main(trials) if trial["block"] in _TEST}
        assert len(tested) == 40
        assert tested.isdisjoint(trained)


def test_moths_of_the_taper_have_decreasing_epsilon() -> None:
    for condition, trials in _moth_sessions():
        of_block: dict[int, set[str]] = defaultdict(set)
        for trial in _main(trials):
            of_block[trial["source_block"]].add(trial["variant"])
        expected = _TAPER if condition in _TAPERED else (_NATURAL,) * 10
        assert [of_block[block] for block in range(10)] == [{bucket} for bucket in expected]


def test_moths_of_the_curriculum_are_the_easiest_ones() -> None:
    """Of the images that train_7 and train_8 have left, with and without the repeat image."""
    row_of = _row_of("idaea4_learn_10")
    for condition, trials in _moth_sessions():
        main = _main(trials)
        marked = {trial["source_block"] for trial in main if trial["difficulty_curriculum"]}
        assert marked == (set(range(6)) if condition in _CURRICULUM else set())
        aside = {trial["im_path"] for trial in main if trial["source_block"] > 5}
        (repeat,) = {trial["im_path"] for trial in trials if trial["trial_type"] == "repeat_stimulus"}
        for name in _MOTHS:
            left = {
                path: float(row["difficulty"])
                for path, row in row_of.items()
                if row["class"] == name and row["split"] == "train" and path not in aside
            }
            for pool in (left, {path: value for path, value in left.items() if path != repeat}):
                ranked = sorted(pool.values())
                for trial in main:
                    if trial["class"] == name and trial["source_block"] in marked:
                        share = _SHARES[trial["source_block"]]
                        assert trial["max_difficulty_selection"] == share
                        assert trial["difficulty"] <= ranked[round(share * len(ranked)) - 1]


def test_moths_of_the_shuffled_conditions_lose_the_order_of_the_training_and_nothing_else() -> None:
    """Trials of train_1 to train_6 come in any of these blocks, a sixth of them in their own (here 0.19 of 1152)."""
    own = []
    for condition, trials in _moth_sessions():
        main = _main(trials)
        assert _counts(main, "block") == _counts(main, "source_block")
        moved = {trial["source_block"] for trial in trials if trial["block"] != trial["source_block"]}
        if condition not in _SHUFFLED:
            assert moved == set()
            continue
        assert moved == set(range(6))
        own += [trial["block"] == trial["source_block"] for trial in main if trial["source_block"] < 6]
    assert len(own) == 2 * _PER_CONDITION * 96
    assert 0.12 < sum(own) / len(own) < 0.22


def test_moths_have_four_names_in_fixed_positions() -> None:
    names = {}
    for number, (_, trials) in enumerate(_moth_sessions()):
        dealt = {(trial["class"], trial["stimulus_name"]) for trial in trials if not trial["calibration"]}
        assert sorted(name for _, name in dealt) == ["Ajax", "Eris", "Leda", "Tyro"]
        names[number] = frozenset(dealt)
        offers = {tuple(trial["choice_names"]) for trial in trials if not trial["calibration"]}
        assert offers == {("Leda", "Tyro", "Eris", "Ajax")}
    assert len(set(names.values())) > 12


def test_moths_of_the_test_are_shown_without_feedback_and_for_a_bonus() -> None:
    for _, trials in _moth_sessions():
        for trial in trials:
            is_test = trial["source_block"] in _TEST
            assert trial["show_feedback"] is not is_test
            assert trial["show_test_instructions"] is is_test
            assert trial["bonus_usd_if_correct"] == (0.01 if is_test else 0)
            assert (trial["stimulus_duration_msec"], trial["stimulus_width_degrees"]) == (0, 12)


def test_a_trial_set_of_moths_is_small() -> None:
    """Measured over the ids 0 to 20: at most 31.1 KB as JSON and 5.6 KB compressed."""
    study = _compiled("idaea4_learn_10").study
    for trialset_id in range(21):
        view = participant_view(study, build_trialset(study, trialset_id))
        text = json.dumps(view, separators=(",", ":")).encode()
        assert len(text) <= 40 * 1024
        assert len(gzip.compress(text)) <= 8 * 1024


# --- animals: one condition, eight trial types


def _animal_sessions() -> list[list[dict[str, Any]]]:
    study = _compiled("imagenet_animals_main_10").study
    assert study.conditions.count == 1
    return [trials_of(study, number) for number in _ids(study)]


_ENHANCED = {
    "natural": "morgan-imagenet16",
    "enhanced_logit_5": "morgan-imagenet16-5-0dot5-10-logit",
    "enhanced_logit_10": "morgan-imagenet16-10-0dot5-20-logit",
    "enhanced_logit_15": "morgan-imagenet16-15-0dot5-30-logit",
    "enhanced_logit_20": "morgan-imagenet16-20-0dot5-40-logit",
    "enhanced_auto_lr": "morgan-imagenet16-auto-lr",
    "enhanced_clahe_2": "morgan-imagenet16-clahe-2",
    "enhanced_msrcr": "morgan-imagenet16-msrcr",
}


def test_animals_are_shown_equally_often_in_every_version() -> None:
    for trials in _animal_sessions():
        assert len(trials) == 32 + 32 + 256 + 30
        expected = {(block, name, "val", "new_stimulus"): 2 for block in (0, 1) for name in _ANIMALS}
        expected |= {(2, name, "val", trial_type): 2 for name in _ANIMALS for trial_type in _ENHANCED}
        assert _counts(_main(trials), "block", "class", "split", "trial_type") == expected
        for trial in _main(trials):
            assert trial["variant"] == (_ENHANCED[trial["trial_type"]] if trial["block"] == 2 else None)


def test_animals_have_thirty_attention_checks_in_the_main_block() -> None:
    for trials in _animal_sessions():
        checks = [trial for trial in trials if trial["calibration"]]
        assert _counts(checks, "block", "class") == {(2, "circle"): 15, (2, "triangle"): 15}
        assert {trial["stimulus_duration_msec"] for trial in checks} == {200}


def test_animals_are_shown_briefly_and_longer_in_the_screening() -> None:
    for trials in _animal_sessions():
        main = _main(trials)
        durations = {(trial["block_name"], trial["stimulus_duration_msec"]) for trial in main}
        assert durations == {("screening", 200), ("warmup", 17), ("main", 17)}
        bonuses = {(trial["block_name"], trial["bonus_usd_if_correct"]) for trial in main}
        assert bonuses == {("screening", 0), ("warmup", 0.02), ("main", 0.02)}
        assert {trial["block_name"] for trial in trials if trial["show_test_instructions"]} == {"warmup"}


def test_animals_are_on_a_rotated_ring() -> None:
    ring = tuple(_ANIMAL_RING.split(", "))
    turns: Counter[int] = Counter()
    for trials in _animal_sessions():
        for trial in _main(trials):
            turn = ring.index(trial["choice_names"][0])
            assert tuple(trial["choice_names"]) == ring[turn:] + ring[:turn]
            turns[turn] += 1
    assert set(turns) == set(range(16))


# --- turtles: a qualification, and trials given one by one


def test_turtles_are_taught_in_two_blocks_and_tested_without_feedback() -> None:
    study = _compiled("turtlequal_10").study
    for trialset_id in _ids(study):
        trials = trials_of(study, trialset_id)
        expected = {(block, name, "val", "natural"): 4 for block in range(3) for name in _TURTLES}
        assert _counts(trials, "block", "class", "split", "trial_type") == expected
        for trial in trials:
            is_test = trial["block_name"] == "test"
            assert trial["show_feedback"] is not is_test
            assert trial["show_test_instructions"] is is_test
            assert trial["bonus_usd_if_correct"] == (0.01 if is_test else 0)
            assert trial["variant"] == "morgan-turtlequal-natural"
            assert trial["choice_names"] == ["A", "B"]


def test_prespecified_trials_are_shown_as_in_the_file() -> None:
    study = _compiled("example_custom_experiment_0").study
    with (LWISE / "example_custom_experiment_0" / "trialsets.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert study.slots.count == 1 + max(int(row["trialset_id"]) for row in rows)
    for trialset_id in range(study.slots.count):
        trials = trials_of(study, trialset_id)
        given = [row for row in rows if row["trialset_id"] == str(trialset_id)]
        assert len(trials) == len(given) > 0
        for trial, row in zip(trials, given, strict=True):
            assert trial["stimulus_image_url"] == row["url"]
            assert (trial["class"], trial["trial_type"]) == (row["class"], row["trial_type"])
            assert (trial["block"], trial["condition_idx"]) == (int(row["block"]), int(row["condition_idx"]))
            assert trial["show_fixation"] is (row["show_fixation"] == "1")
            assert trial["show_feedback"] is True
        assert len({(trial["class"], trial["stimulus_name"]) for trial in trials}) == len({r["class"] for r in given})

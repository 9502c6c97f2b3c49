"""How choices are offered: their order, and which class has which name."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lwise_core.authoring.compile import compile_study
from lwise_core.experiments.study import ChoiceOrder, Study
from tests.experiments.conftest import CLASSES, DataSet, trials_of, write_study


@pytest.fixture(scope="module")
def plain(data_set: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """One block of eight trials per class and eight attention checks, choices in the order of the classes."""
    config = {"session_config": [{"only": {"n_trials_per_class_val": 8, "n_calibration_trials": 8}}]}
    return compile_study(write_study(tmp_path_factory.mktemp("plain"), data_set, config)).study


def _offered(study: Study, *, order_of_places: ChoiceOrder = "fixed", **choices: Any) -> Study:
    kinds = tuple(replace(kind, choice_order=order_of_places) for kind in study.kinds)
    return replace(study, kinds=kinds, choices=replace(study.choices, **choices))


def _offers(study: Study, trialset_id: int, *, checks: bool = False) -> list[tuple[str, ...]]:
    return [
        tuple(trial["choice_names"]) for trial in trials_of(study, trialset_id) if trial["calibration"] == int(checks)
    ]


# --- order


def test_choices_keep_the_order_that_the_study_names(plain: Study) -> None:
    study = _offered(plain, order=(2, 0, 1))
    assert {offer for number in range(5) for offer in _offers(study, number)} == {("dimidiata", "aversata", "biselata")}


def test_a_rotated_ring_keeps_its_neighbours_and_takes_every_rotation(plain: Study) -> None:
    study = _offered(plain, order_of_places="rotated")
    a, b, c = CLASSES
    assert set(_offers(study, 0)) == {(a, b, c), (b, c, a), (c, a, b)}


def test_shuffled_choices_take_every_order(plain: Study) -> None:
    study = _offered(plain, order_of_places="shuffled")
    assert len({offer for number in range(5) for offer in _offers(study, number)}) == 6


def test_the_session_order_is_shuffled_once_if_set(plain: Study) -> None:
    study = _offered(plain, order_shuffled_per_session=True)
    orders = [set(_offers(study, number)) for number in range(60)]
    assert all(len(of_session) == 1 for of_session in orders)
    assert len(set().union(*orders)) == 6


def test_a_session_order_that_is_rotated_keeps_its_neighbours(plain: Study) -> None:
    study = _offered(plain, order_of_places="rotated", order_shuffled_per_session=True)
    for number in range(20):
        starts = [(offer, offer.index(CLASSES[0])) for offer in _offers(study, number)]
        assert len({start for _, start in starts}) > 1
        assert len({offer[start:] + offer[:start] for offer, start in starts}) == 1


def test_a_block_overrides_the_order_of_choices(data_set: DataSet, tmp_path: Path) -> None:
    config = {
        "session_config": [
            {"as_the_study": {"n_trials_per_class_train": 6}},
            {"fixed": {"n_trials_per_class_train": 6, "shuffle_choice_order": False}},
            {"rotated": {"n_trials_per_class_train": 6, "shuffle_choice_order": False, "rotate_choice_order": True}},
        ],
        "trial_config": {"shuffle_choice_order": True},
    }
    study = compile_study(write_study(tmp_path, data_set, config)).study
    orders: dict[str, set[tuple[str, ...]]] = {}
    for number in range(5):
        for trial in trials_of(study, number):
            orders.setdefault(trial["block_name"], set()).add(tuple(trial["choice_names"]))
    assert {name: len(found) for name, found in orders.items()} == {"as_the_study": 6, "fixed": 1, "rotated": 3}


def test_the_repeat_image_has_the_same_order_of_choices(data_set: DataSet, tmp_path: Path) -> None:
    config = {
        "session_config": [
            {"fixed": {"n_repeats_of_one_stim": 20}},
            {"rotated": {"n_repeats_of_one_stim": 20, "rotate_choice_order": True}},
            {"shuffled": {"n_repeats_of_one_stim": 40, "shuffle_choice_order": True}},
        ]
    }
    study = compile_study(write_study(tmp_path, data_set, config)).study
    offers = {(trial["block_name"], *trial["choice_names"]) for trial in trials_of(study, 0)}
    assert Counter(block for block, *_ in offers) == {"fixed": 1, "rotated": 3, "shuffled": 6}


# --- names


def test_shuffled_names_are_dealt_once_per_session(plain: Study) -> None:
    study = _offered(plain, shown_names=("A", "B", "C"), names_shuffled_per_session=True)
    dealt = set()
    for number in range(60):
        name_of = {(trial["class"], trial["stimulus_name"]) for trial in trials_of(study, number, main_only=True)}
        assert sorted(name for _, name in name_of) == ["A", "B", "C"]
        dealt.add(frozenset(name_of))
    assert len(dealt) == 6


def test_shuffled_aliases_keep_their_positions(plain: Study) -> None:
    """L-WISE deals the aliases, in their original positions, to the shuffled classes."""
    study = _offered(plain, order=(2, 0, 1), shown_names=("A", "B", "C"), names_shuffled_per_session=True)
    assert {offer for number in range(20) for offer in _offers(study, number)} == {("C", "A", "B")}


def test_a_class_without_an_alias_keeps_its_own_name(data_set: DataSet, tmp_path: Path) -> None:
    config = {
        "session_config": [{"only": {"n_trials_per_class_train": 2}}],
        "trial_config": {"choice_names_aliases": {"biselata": "Tyro"}},
    }
    study = compile_study(write_study(tmp_path, data_set, config)).study
    assert {(trial["class"], trial["stimulus_name"]) for trial in trials_of(study, 0)} == {
        ("aversata", "aversata"),
        ("biselata", "Tyro"),
        ("dimidiata", "dimidiata"),
    }


def test_without_aliases_every_class_keeps_its_name(data_set: DataSet, tmp_path: Path) -> None:
    """L-WISE then shuffles the order of the choices; an image of one class is never called by another's name."""
    config = {
        "session_config": [{"only": {"n_trials_per_class_train": 2}}],
        "trial_config": {"choice_aliases_random_shuffle": True},
    }
    study = compile_study(write_study(tmp_path, data_set, config)).study
    sessions = [trials_of(study, number) for number in range(60)]
    assert all(trial["stimulus_name"] == trial["class"] for trials in sessions for trial in trials)
    orders = [{tuple(trial["choice_names"]) for trial in trials} for trials in sessions]
    assert all(len(of_session) == 1 for of_session in orders)
    assert len(set().union(*orders)) == 6


def test_an_underscore_is_shown_as_a_space(tmp_path: Path, data_set: DataSet) -> None:
    rows = [replace(row, class_name=f"Idaea_{row.class_name}") for row in data_set.rows]
    config = {
        "session_config": [{"only": {"n_trials_per_class_train": 2}}],
        "trial_config": {"choice_names_order": ["Idaea dimidiata", "Idaea_aversata", "Idaea biselata"]},
    }
    study = compile_study(write_study(tmp_path, DataSet(data_set.root, rows), config)).study
    for trial in trials_of(study, 0):
        assert trial["choice_names"] == ["Idaea dimidiata", "Idaea aversata", "Idaea biselata"]
        assert trial["stimulus_name"] == trial["class"].replace("_", " ")


# --- attention checks


@pytest.mark.parametrize("order", ["fixed", "rotated", "shuffled"])
def test_shapes_replace_two_random_names_and_leave_the_others_in_place(plain: Study, order: ChoiceOrder) -> None:
    study = _offered(plain, order_of_places=order)
    legal = {"fixed": {CLASSES}, "rotated": {CLASSES[turn:] + CLASSES[:turn] for turn in range(3)}}.get(order)
    places = set()
    for number in range(20):
        for offer in _offers(study, number, checks=True):
            places.add((offer.index("circle"), offer.index("triangle")))
            (rest,) = ((place, name) for place, name in enumerate(offer) if name in CLASSES)
            assert legal is None or any(whole[rest[0]] == rest[1] for whole in legal)
    assert len(places) == 6


def test_with_two_classes_an_attention_check_offers_only_shapes(data_set: DataSet, tmp_path: Path) -> None:
    rows = [row for row in data_set.rows if row.class_num < 2]
    config = {"session_config": [{"only": {"n_trials_per_class_train": 1, "n_calibration_trials": 40}}]}
    study = compile_study(write_study(tmp_path, DataSet(data_set.root, rows), config)).study
    offers = Counter((trial["class"], *trial["choice_names"]) for trial in trials_of(study, 0) if trial["calibration"])
    assert set(offers) == {(shape, *pair) for shape in ("circle", "triangle") for pair in _PAIRS}


_PAIRS = (("circle", "triangle"), ("triangle", "circle"))

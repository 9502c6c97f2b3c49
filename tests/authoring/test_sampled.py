"""A study of blocks and its dirmap, compiled: each setting reaches its block, kind, source or image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lwise_core.authoring import sampled
from lwise_core.authoring.compile import compile_study
from lwise_core.errors import InputError
from lwise_core.experiments.study import Screening, Study
from lwise_core.experiments.trialset import build_trialset
from tests.experiments.conftest import CLASSES, DataSet, scored_rows, write_study, write_url_study

_URL_ROWS = scored_rows(CLASSES, {"train": 4}, bucket="moths")


def _study(folder: Path, data_set: DataSet, *blocks: dict[str, Any], **sections: Any) -> Study:
    session = [{f"block_{number}": block} for number, block in enumerate(blocks)]
    return compile_study(write_study(folder, data_set, {"session_config": session, **sections})).study


def test_an_odd_number_of_attention_checks_is_rounded_down(data_set: DataSet, tmp_path: Path) -> None:
    study = _study(tmp_path, data_set, {"n_calibration_trials": 5})
    assert [block.n_calibration_trials for block in study.blocks] == [4]


def test_blocks_after_the_curriculum_draw_from_all_images(data_set: DataSet, tmp_path: Path) -> None:
    block = {"n_trials_per_class_train": 2, "difficulty_curriculum": True, "max_difficulty_selection": 0.5}
    study = _study(tmp_path, data_set, block, block, trial_config={"curriculum_num_blocks": 1})
    assert [block.conditions[0].easiest_fraction for block in study.blocks] == [0.5, 1.0]
    kinds = [study.kinds[block.conditions[0].trial_types[0].kind] for block in study.blocks]
    settings = [{**study.settings, **kind.settings} for kind in kinds]
    assert [one["difficulty_curriculum"] for one in settings] == [True, False]
    assert [one["max_difficulty_selection"] for one in settings] == [0.5, None]


def test_the_repeat_image_needs_the_default_variant_of_its_block(data_set: DataSet, tmp_path: Path) -> None:
    """Every trial type has a variant of its own, but the repeat image is shown as the block shows its class."""
    types = {"trial_types": {"taught": {"variant": "eps4"}}}
    block = {"n_trials_per_class_train": 1, "n_repeats_of_one_stim": 1, **types}
    study = _study(tmp_path, data_set, block, trial_config={"repeat_stimulus_split": "train"})
    assert {variant for image in study.images for variant in image.objects} == {"eps4", "natural"}
    trials = build_trialset(study, 0).trials
    repeats = [trial for trial in trials if study.kinds[trial.kind].trial_type == "repeat_stimulus"]
    assert [study.sources[trial.source or 0].variant for trial in repeats] == ["natural"]


@pytest.mark.parametrize("rule", [{"min_correct": 1, "min_correct_per_class": 3}, {"min_correct": 7}])
def test_a_screening_rule_that_nobody_can_pass_is_rejected(
    data_set: DataSet, tmp_path: Path, rule: dict[str, int]
) -> None:
    with pytest.raises(InputError, match=r"site\.screening: requires .* has 6 main trials, 2 of each class"):
        _study(tmp_path, data_set, {"n_trials_per_class_train": 2}, site={"screening": rule})


def test_a_screening_rule_that_needs_every_answer_is_accepted(data_set: DataSet, tmp_path: Path) -> None:
    rule = {"min_correct": 6, "min_correct_per_class": 2}
    study = _study(tmp_path, data_set, {"n_trials_per_class_train": 2}, site={"screening": rule})
    assert study.screening == Screening(0, 6, 2)


def test_the_number_of_images_is_limited(data_set: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    n_images = sum(row.split == "train" for row in data_set.rows)
    monkeypatch.setattr(sampled, "MAX_IMAGES", n_images)
    assert len(_study(tmp_path / "a", data_set, {"n_trials_per_class_train": 2}).images) == n_images
    monkeypatch.setattr(sampled, "MAX_IMAGES", n_images - 1)
    with pytest.raises(InputError, match=rf"draw from {n_images} images .* expected at most {n_images - 1}"):
        _study(tmp_path / "b", data_set, {"n_trials_per_class_train": 2})


def test_class_numbers_of_a_subset_are_renumbered_in_order(tmp_path: Path) -> None:
    rows = [replace(row, class_num=3 * row.class_num + 5) for row in _URL_ROWS]
    folder = write_url_study(tmp_path, rows, {"session_config": [{"only": {"n_trials_per_class_train": 1}}]})
    study = compile_study(folder).study
    assert study.classes == CLASSES
    assert all(f"/{study.classes[image.class_num]}/" in image.im_path for image in study.images)


@pytest.mark.parametrize("aliases", [{}, dict(zip(CLASSES, "ABC", strict=True))], ids=["names", "aliases"])
def test_a_random_shuffle_moves_aliases_and_without_them_the_order(
    data_set: DataSet, tmp_path: Path, aliases: dict[str, str]
) -> None:
    config = {"choice_aliases_random_shuffle": True, "choice_names_aliases": aliases}
    choices = _study(tmp_path, data_set, {"n_trials_per_class_train": 1}, trial_config=config).choices
    assert choices.names_shuffled_per_session is bool(aliases)
    assert choices.order_shuffled_per_session is not bool(aliases)


def test_a_list_of_deals_has_one_for_each_condition(data_set: DataSet, tmp_path: Path) -> None:
    deals = [{"eps4": 3}, {"eps2": 1, "eps1": 2}]
    block = {"n_trials_per_class_train": 1, "n_classes_per_variant": deals}
    study = _study(tmp_path, data_set, block, deployment={"num_conditions": 2})
    named = [
        [{study.sources[source].variant: count for source, count in deal} for deal in in_condition.class_sources]
        for in_condition in study.blocks[0].conditions
    ]
    assert named == [[deals[0]], [deals[1]]]


def test_a_curriculum_needs_difficulties_even_if_logits_are_known(tmp_path: Path) -> None:
    rows = [replace(row, difficulty=None) for row in _URL_ROWS]
    block = {"n_trials_per_class_train": 1, "difficulty_curriculum": True, "max_difficulty_selection": 0.5}
    config = {"session_config": [{"only": block}], "trial_config": {"curriculum_num_blocks": 1}}
    with pytest.raises(InputError, match="12 of 12 images have no difficulty"):
        compile_study(write_url_study(tmp_path, rows, config))

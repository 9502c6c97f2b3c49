"""The researcher's view of a trial set has everything; the participant's has no answers to give away."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lwise_core.authoring.compile import CompiledStudy, compile_study
from lwise_core.experiments.payloads import expanded, external_origins, icon_urls, participant_view
from lwise_core.experiments.study import ImageSource, Study
from lwise_core.experiments.trialset import build_trialset
from tests.experiments.conftest import CLASSES, DataSet, scored_rows, trials_of, write_study, write_url_study

_IDS = st.integers(min_value=0, max_value=10**12)


def shown_trials(view: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The trials as the participant's page puts them together from its compact form."""
    trials = []
    for values in view["rows"]:
        row = dict(zip(view["columns"], values, strict=True))
        settings = {**view["settings"], **view["kinds"][row["kind"]]}
        url = None if row["folder"] is None else view["folders"][row["folder"]] + row["file"]
        offer = view["offers"][row["offer"]]
        trials.append(
            {
                **settings,
                "block": row["block"],
                "stimulus_image_url": url,
                "shape": row["shape"],
                "choice_names": offer["choice_names"],
                "choice_image_urls": offer.get("choice_image_urls"),
                "i_correct_choice": row["i_correct_choice"],
            }
        )
    return trials


# --- what the page must not know


@given(trialset_id=_IDS)
def test_the_page_gets_the_answer_only_where_it_gives_feedback(taper: CompiledStudy, trialset_id: int) -> None:
    trialset = build_trialset(taper.study, trialset_id)
    records = expanded(taper.study, trialset)
    assert {record["show_feedback"] for record in records} == {True, False}
    for shown, record in zip(shown_trials(participant_view(taper.study, trialset)), records, strict=True):
        assert shown["i_correct_choice"] == (record["i_correct_choice"] if record["show_feedback"] else None)


def test_the_page_gets_no_class_path_or_variant(data_set: DataSet, tmp_path: Path) -> None:
    config = {
        "session_config": [
            {"train": {"n_trials_per_class_train": 2, "trial_types": {"taught": {"variant": "eps4"}}}},
            {"test": {"n_trials_per_class_val": 2, "show_feedback": False, "n_calibration_trials": 2}},
        ],
        "trial_config": {"choice_names_aliases": dict(zip(CLASSES, "ABC", strict=True))},
    }
    study = compile_study(write_study(tmp_path, data_set, config)).study
    text = json.dumps(participant_view(study, build_trialset(study, 0)))
    assert not [word for word in (*CLASSES, "eps4", "natural", "taught", "im_path", "difficulty") if word in text]


def test_the_page_cannot_distinguish_types_that_look_alike(data_set: DataSet, tmp_path: Path) -> None:
    """Two trial types that differ only in the variant are one kind of trial to the page."""
    types = {
        "plain": {"variant": "natural"},
        "taught": {"variant": "eps4"},
        "quick": {"choice_duration_msec": 800},
        "quicker": {"choice_duration_msec": 700},
    }
    config = {"session_config": [{"only": {"n_trials_per_class_train": 6, "trial_types": types}}]}
    study = compile_study(write_study(tmp_path, data_set, config)).study
    view = participant_view(study, build_trialset(study, 0))
    assert sorted(view["kinds"], key=str) == [{"choice_duration_msec": 700}, {"choice_duration_msec": 800}, {}]
    assert view["folders"] == ["stimuli/"]


# --- what the page must know


@given(trialset_id=_IDS)
def test_the_page_gets_every_setting_and_image(taper: CompiledStudy, trialset_id: int) -> None:
    trialset = build_trialset(taper.study, trialset_id)
    view = participant_view(taper.study, trialset)
    assert view["trialset_id"] == trialset_id
    for shown, record in zip(shown_trials(view), expanded(taper.study, trialset), strict=True):
        same = set(view["settings"]) | {"block", "stimulus_image_url", "choice_names", "choice_image_urls"}
        assert {key: shown[key] for key in same} == {key: record[key] for key in same}
        assert shown["shape"] == (record["class"] if record["calibration"] else None)


def test_the_page_gets_every_duration(taper: CompiledStudy) -> None:
    view = participant_view(taper.study, build_trialset(taper.study, 0))
    assert {key for key in taper.study.settings if key.endswith("_msec")} <= set(view["settings"])
    assert not {"difficulty_curriculum", "max_difficulty_selection", "combine_and_shuffle"} & set(view["settings"])


# --- icons of the choices


def _icon_settings(**other: Any) -> dict[str, Any]:
    return {
        "choice_image_bucket_name": "media",
        "choice_url_suffix": "_icon.png",
        "keypress_fj_response": False,
        **other,
    }


@pytest.mark.parametrize(
    ("settings", "names", "expected"),
    [
        ({}, ("house cat", "dog", "big cat"), ["house_cat_icon", "dog_icon", "big_cat_icon"]),
        ({}, ("circle", "dog", "triangle"), ["circle_icon", "dog_icon", "triangle_icon"]),
        ({"keypress_fj_response": True}, ("A", "B"), ["A_icon", "B_icon"]),
        ({"keypress_fj_response": True}, ("A", "circle"), ["A_icon", "circle_icon"]),
    ],
)
def test_a_choice_has_the_icon_of_its_shown_name(
    settings: dict[str, Any], names: tuple[str, ...], expected: list[str]
) -> None:
    urls = [f"https://media.s3.amazonaws.com/{name}.png" for name in expected]
    assert list(icon_urls(_icon_settings(**settings), names, is_calibration=False) or ()) == urls


def test_a_shape_answered_by_key_has_the_icon_with_its_key() -> None:
    shapes = ("triangle", "circle")
    by_key, by_mouse = (_icon_settings(keypress_fj_response=is_by_key) for is_by_key in (True, False))
    urls = [f"https://media.s3.amazonaws.com/{name}.png" for name in ("triangle_F_icon", "circle_J_icon")]
    assert list(icon_urls(by_key, shapes, is_calibration=True) or ()) == urls
    assert "_F" not in "".join(icon_urls(by_mouse, shapes, is_calibration=True) or ())


def test_without_an_icon_bucket_the_page_draws_the_choices() -> None:
    assert icon_urls(_icon_settings(choice_image_bucket_name=None), ("A", "B"), is_calibration=False) is None


def test_a_trial_type_can_have_its_own_icons(tmp_path: Path) -> None:
    types = {"icons": {"choice_url_suffix": "_icon.png"}, "words": {"choice_url_suffix": "_text.png"}}
    config = {
        "session_config": [{"only": {"n_trials_per_class_train": 2, "trial_types": types}}],
        "trial_config": {"choice_image_bucket_name": "media"},
    }
    study = compile_study(write_url_study(tmp_path, _at("natural", 2), config)).study
    trialset = build_trialset(study, 0)
    for shown, record in zip(shown_trials(participant_view(study, trialset)), expanded(study, trialset), strict=True):
        suffix = types[record["trial_type"]]["choice_url_suffix"]
        urls = [f"https://media.s3.amazonaws.com/{name}{suffix}" for name in CLASSES]
        assert shown["choice_image_urls"] == record["choice_image_urls"] == urls


# --- images in S3 buckets


def _at(bucket: str, count: int) -> list[Any]:
    return scored_rows(CLASSES, {"train": count}, bucket=bucket)


@pytest.fixture(scope="module")
def buckets(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Two trial types, of which one is shown from another bucket."""
    types = {"plain": {}, "taught": {"bucket": "moths-eps8"}}
    config = {
        "session_config": [{"only": {"n_trials_per_class_train": 4, "trial_types": types}}],
        "trial_config": {"choice_image_bucket_name": "moths-media"},
    }
    return compile_study(write_url_study(tmp_path_factory.mktemp("buckets"), _at("moths-natural", 6), config)).study


def test_a_bucket_replaces_the_one_in_the_address_and_keeps_the_path(buckets: Study) -> None:
    hosts = {"plain": "moths-natural", "taught": "moths-eps8"}
    variants = {"plain": None, "taught": "moths-eps8"}
    trials = [trial for number in range(5) for trial in trials_of(buckets, number)]
    assert {trial["trial_type"] for trial in trials} == set(hosts)
    for trial in trials:
        host = hosts[trial["trial_type"]]
        assert trial["stimulus_image_url"] == f"https://{host}.s3.amazonaws.com/{trial['im_path']}"
        assert trial["variant"] == variants[trial["trial_type"]]


def test_external_origins_covers_all_images(buckets: Study, taper: CompiledStudy) -> None:
    assert external_origins(buckets) == [
        f"https://{bucket}.s3.amazonaws.com" for bucket in ("moths-eps8", "moths-media", "moths-natural")
    ]
    assert external_origins(taper.study) == []


def test_external_origins_has_the_icons_of_trial_types_and_no_images_that_no_source_shows(buckets: Study) -> None:
    icons = tuple(
        replace(kind, settings={**kind.settings, "choice_image_bucket_name": "moths-icons"}) for kind in buckets.kinds
    )
    hosted = replace(buckets, kinds=icons, sources=(ImageSource(variant="natural"),))
    assert external_origins(hosted) == [f"https://{name}.s3.amazonaws.com" for name in ("moths-icons", "moths-media")]

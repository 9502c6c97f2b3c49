"""Trial sets given row by row: every row is shown as written, in order, with its overrides."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lwise_core.authoring.compile import CompiledStudy, compile_study
from lwise_core.authoring.config import TrialConfig
from lwise_core.errors import InputError
from lwise_core.experiments.bundle import load_bundle, to_bundle
from lwise_core.experiments.payloads import expanded, participant_view
from lwise_core.experiments.study import Study
from lwise_core.experiments.trialset import NoTrialsetLeft, build_trialset
from tests.experiments.conftest import DataSet, trials_of
from tests.experiments.test_payloads import shown_trials

CLASSES = ("house_cat", "dog", "big_cat", "leatherback_turtle")
REQUIRED = ("trialset_id", "condition_idx", "block", "class", "url")

OVERRIDES: Mapping[str, Mapping[str, Any]] = {
    "show_fixation": {"1": True, "0": False, "true": True, "FALSE": False},
    "show_feedback": {"1": True, "0": False},
    "keep_stimulus_on": {"1": True, "0": False},
    "stimulus_duration_msec": {"0": 0, "17": 17, "200.5": 200.5},
    "bonus_usd_if_correct": {"0": 0, "0.02": 0.02},
    "reward_duration_msec": {"null": None, "0": 0, "500": 500},
    "query_string": {"Which one?": "Which one?", "0": "0"},
    "choice_duration_msec": {"900": 900},
}
"""Column -> text of a cell -> what it means. An empty cell overrides nothing."""

_ORDERS = ("shuffle_choice_order", "rotate_choice_order")


def write_given(folder: Path, rows: Sequence[Mapping[str, Any]], config: Mapping[str, Any] | None = None) -> Path:
    """A study folder of given trials; all rows have the same columns."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump({"trial_config": {}, **(config or {})}), encoding="utf-8")
    with (folder / "trialsets.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def row(number: int = 0, class_name: str = "dog", **other: Any) -> dict[str, Any]:
    url = f"https://animals-natural.s3.amazonaws.com/val/{class_name}/{number}.png"
    return {"trialset_id": 0, "condition_idx": 0, "block": 0, "class": class_name, "url": url, **other}


def test_num_trialsets_limits_the_trial_sets_of_the_file(tmp_path: Path) -> None:
    rows = [row(number, trialset_id=number) for number in range(3)]
    study = compile_study(write_given(tmp_path / "s_1", rows, {"deployment": {"num_trialsets": 2}})).study
    assert study.slots.count == 2


def test_trial_sets_may_come_in_any_order_in_the_file(tmp_path: Path) -> None:
    rows = [row(number, trialset_id=number, condition_idx=number) for number in (2, 0, 1)]
    study = compile_study(write_given(tmp_path / "s_1", rows)).study
    assert [trialset.condition_idx for trialset in study.prespecified] == [0, 1, 2]


def test_a_condition_beyond_num_conditions_is_rejected(tmp_path: Path) -> None:
    rows = [row(number, trialset_id=number, condition_idx=number) for number in range(3)]
    with pytest.raises(InputError, match=r"num_conditions is 2, but a trial set has condition_idx 2; .* least 3"):
        compile_study(write_given(tmp_path / "s_1", rows, {"deployment": {"num_conditions": 2}}))


# --- any file


@dataclass(frozen=True)
class Given:
    """A file of trial sets as its author wrote it, and the config beside it."""

    rows: Sequence[Mapping[str, str]]
    config: Mapping[str, Any]

    @property
    def trial_config(self) -> Mapping[str, Any]:
        return self.config["trial_config"]


@st.composite
def _given_studies(draw: st.DrawFn) -> Given:
    classes = draw(st.permutations(CLASSES))[: draw(st.integers(2, 4))]
    columns = draw(st.lists(st.sampled_from([*OVERRIDES, *_ORDERS]), unique=True))
    optional = draw(st.lists(st.sampled_from(["trial_type", "split", "difficulty", "remarks"]), unique=True))
    condition_of = draw(st.lists(st.integers(0, 2), min_size=1, max_size=4))
    # The rows of a trial set need not be adjacent; rows with every class and set come first.
    least = [*((0, name) for name in classes), *((number, classes[0]) for number in range(len(condition_of)))]
    any_rows = st.tuples(st.integers(0, len(condition_of) - 1), st.sampled_from(classes))
    cells = {
        **{column: st.sampled_from(["", *OVERRIDES[column]]) for column in columns if column in OVERRIDES},
        **{column: st.sampled_from(["", "1", "0"]) for column in columns if column in _ORDERS},
        "trial_type": st.sampled_from(["", "A", "B"]),
        "split": st.sampled_from(["", "val"]),
        "difficulty": st.sampled_from(["", "0.25"]),
        "remarks": st.sampled_from(["", "nice"]),
    }
    rows = []
    for number, class_name in [*least, *draw(st.lists(any_rows, max_size=12))]:
        variable = {column: draw(cells[column]) for column in (*columns, *optional)}
        image = draw(st.integers(0, 5))
        rows.append(
            {
                "trialset_id": str(number),
                "condition_idx": str(condition_of[number]),
                "block": str(draw(st.integers(0, 2))),
                "class": class_name,
                "url": f"https://{class_name.replace('_', '-')}.s3.amazonaws.com/{class_name}/{image}.png",
                **variable,
            }
        )
    config: dict[str, Any] = {
        "trial_config": {
            **draw(st.fixed_dictionaries({}, optional={key: st.booleans() for key in ("show_feedback", *_ORDERS)})),
            **draw(st.sampled_from([{}, {"stimulus_duration_msec": 99}])),
        }
    }
    if draw(st.booleans()):
        config["trial_config"]["choice_names_order"] = draw(st.permutations(classes))
    if draw(st.booleans()):
        aliases = dict(zip(classes, ("Leda", "Tyro", "Eris", "Ajax"), strict=False))
        config["trial_config"] |= {
            "choice_names_aliases": aliases,
            "choice_aliases_random_shuffle": draw(st.booleans()),
        }
    return Given(rows, config)


def _built(written: Given, tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = write_given(tmp_path_factory.getbasetemp() / "given" / "animals_1", written.rows, written.config)
    bundle = folder / "bundle.json"
    bundle.write_text(to_bundle(compile_study(folder).study), encoding="utf-8")
    return load_bundle(bundle)


@settings(max_examples=100)
@given(written=_given_studies())
def test_every_row_is_shown_in_order_with_its_overrides(
    tmp_path_factory: pytest.TempPathFactory, written: Given
) -> None:
    study = _built(written, tmp_path_factory)
    defaults = TrialConfig().model_dump()
    assert study.slots.count == len({row["trialset_id"] for row in written.rows})
    for trialset_id in range(study.slots.count or 0):
        rows = [row for row in written.rows if row["trialset_id"] == str(trialset_id)]
        trials = trials_of(study, trialset_id)
        assert len(trials) == len(rows)
        for trial, given_row in zip(trials, rows, strict=True):
            assert trial["stimulus_image_url"] == given_row["url"]
            assert trial["class"] == given_row["class"]
            assert trial["block"] == trial["source_block"] == int(given_row["block"])
            assert trial["condition_idx"] == int(given_row["condition_idx"])
            assert trial["trial_type"] == (given_row.get("trial_type") or "new_stimulus")
            assert trial["split"] == (given_row.get("split") or None)
            assert trial["difficulty"] == (0.25 if given_row.get("difficulty") else None)
            for column, meanings in OVERRIDES.items():
                cell = given_row.get(column, "")
                meant = meanings[cell] if cell else written.trial_config.get(column, defaults[column])
                assert (trial[column], isinstance(trial[column], bool)) == (meant, isinstance(meant, bool))


@settings(max_examples=60)
@given(written=_given_studies())
def test_choices_of_given_trials_follow_the_rules_of_all_trials(
    tmp_path_factory: pytest.TempPathFactory, written: Given
) -> None:
    study = _built(written, tmp_path_factory)
    order = written.trial_config.get("choice_names_order") or list(dict.fromkeys(r["class"] for r in written.rows))
    aliases = written.trial_config.get("choice_names_aliases", {})
    names = [aliases.get(name, name.replace("_", " ")) for name in order]
    turned = [[*names[turn:], *names[:turn]] for turn in range(len(names))]
    for trialset_id in range(study.slots.count or 0):
        rows = [row for row in written.rows if row["trialset_id"] == str(trialset_id)]
        trials = trials_of(study, trialset_id)
        name_of = {(trial["class"], trial["stimulus_name"]) for trial in trials}
        assert len({name for name, _ in name_of}) == len({name for _, name in name_of}) == len(name_of)
        for trial, given_row in zip(trials, rows, strict=True):
            assert sorted(trial["choice_names"]) == sorted(names)
            assert trial["choice_names"][trial["i_correct_choice"]] == trial["stimulus_name"]
            if not written.trial_config.get("choice_aliases_random_shuffle"):
                assert trial["stimulus_name"] == aliases.get(trial["class"], trial["class"].replace("_", " "))
            shuffled, rotated = (
                given_row[key] == "1" if given_row.get(key) else written.trial_config.get(key, False) for key in _ORDERS
            )
            assert shuffled or trial["choice_names"] in (turned if rotated else [names])


@settings(max_examples=60)
@given(written=_given_studies())
def test_the_page_of_prespecified_trials_gets_no_answers_without_feedback(
    tmp_path_factory: pytest.TempPathFactory, written: Given
) -> None:
    study = _built(written, tmp_path_factory)
    for trialset_id in range(study.slots.count or 0):
        trialset = build_trialset(study, trialset_id)
        page = shown_trials(participant_view(study, trialset))
        for shown, record in zip(page, expanded(study, trialset), strict=True):
            same = {*OVERRIDES, "block", "stimulus_image_url", "choice_names"}
            assert {key: shown[key] for key in same} == {key: record[key] for key in same}
            assert shown["i_correct_choice"] == (record["i_correct_choice"] if record["show_feedback"] else None)
            assert {"class", "trial_type", "difficulty", "split"}.isdisjoint(shown)


# --- hosted images


def test_a_prespecified_trial_can_show_a_hosted_image(data_set: DataSet, tmp_path: Path) -> None:
    paths = {"aversata": "eps4/train/aversata/003.png", "biselata": "natural/val/biselata/001.png"}
    rows = [row(class_name=name, url=path) for name, path in paths.items()]
    compiled = compile_study(write_given(tmp_path / "s_1", rows, {"stimuli": {"root": str(data_set.root)}}))
    for trial in trials_of(compiled.study, 0):
        path = paths[trial["class"]]
        assert (trial["variant"], trial["im_path"]) == tuple(path.split("/", 1))
        file = compiled.files[trial["stimulus_image_url"].removeprefix("stimuli/")]
        assert file == data_set.root / path
        assert "aversata" not in trial["stimulus_image_url"]


def test_a_missing_image_is_named(data_set: DataSet, tmp_path: Path) -> None:
    rows = [row(url="eps4/train/aversata/999.png"), row(class_name="cat", url="eps4/train/biselata/000.png")]
    folder = write_given(tmp_path / "s_1", rows, {"stimuli": {"root": str(data_set.root)}})
    with pytest.raises(InputError, match=r"eps4/train/aversata/999\.png: no such image"):
        compile_study(folder)


# --- how many there are


def _two_sets() -> list[dict[str, Any]]:
    return [row(n, name, trialset_id=n) for n in range(2) for name in ("dog", "big_cat")]


def test_the_number_of_trial_sets_is_that_of_the_file(tmp_path: Path) -> None:
    study = compile_study(write_given(tmp_path / "s_1", _two_sets())).study
    assert study.slots.count == 2
    with pytest.raises(NoTrialsetLeft, match="this study has 2 trial sets, 0 to 1"):
        build_trialset(study, 2)


@pytest.mark.parametrize("policy", ["refuse", "reuse"])
def test_num_trialsets_cannot_exceed_the_file(tmp_path: Path, policy: str) -> None:
    deployment = {"num_trialsets": 4, "when_trialsets_run_out": policy}
    with pytest.raises(InputError, match=r"num_trialsets is 4, but there are only 2 trial sets"):
        compile_study(write_given(tmp_path / "s_1", _two_sets(), {"deployment": deployment}))


def test_the_number_of_given_trial_sets_need_not_be_even(tmp_path: Path) -> None:
    rows = [{**r, "trialset_id": n, "condition_idx": n % 2} for n in range(3) for r in _two_sets()[:2]]
    study = compile_study(
        write_given(tmp_path / "s_1", rows, {"deployment": {"num_conditions": 2, "num_trialsets": 3}})
    )
    assert study.study.slots.count == 3


def test_session_config_beside_trialsets_csv_gives_a_warning(tmp_path: Path) -> None:
    config = {"session_config": [{"train": {"n_trials_per_class_train": 99}}]}
    compiled = compile_study(write_given(tmp_path / "s_1", _two_sets(), config))
    assert compiled.study.blocks == ()
    assert "session_config is not used; trialsets.csv gives the trials" in compiled.warnings


def _compiled(
    tmp_path: Path, rows: Sequence[Mapping[str, Any]], config: Mapping[str, Any] | None = None
) -> CompiledStudy:
    return compile_study(write_given(tmp_path / "s_1", rows, config))


def test_a_class_without_rows_can_be_offered(tmp_path: Path) -> None:
    config = {"trial_config": {"choice_names_order": ["big cat", "dog", "house cat"]}}
    study = _compiled(tmp_path, _two_sets(), config).study
    assert trials_of(study, 0)[0]["choice_names"] == ["big cat", "dog", "house cat"]


def test_without_aliases_prespecified_classes_keep_their_names(tmp_path: Path) -> None:
    rows = [row(n, name, trialset_id=n) for n in range(30) for name in CLASSES]
    study = _compiled(tmp_path, rows, {"trial_config": {"choice_aliases_random_shuffle": True}}).study
    sessions = [trials_of(study, number) for number in range(30)]
    assert all(trial["stimulus_name"] == trial["class"].replace("_", " ") for trials in sessions for trial in trials)
    assert len({tuple(trials[0]["choice_names"]) for trials in sessions}) > 10


# --- invalid files


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"trialset_id": "-1"}, "line 3: trialset_id is '-1'; expected a whole number from 0"),
        ({"trialset_id": "first"}, "line 3: trialset_id is 'first'"),
        ({"trialset_id": "2"}, "trialset_id 1 has no rows; trial sets are numbered from 0 without gaps"),
        ({"block": "1.5"}, "line 3: block is '1.5'"),
        ({"block": ""}, "line 3: block is ''"),
        ({"condition_idx": "1"}, "trialset_id 0 has rows of several conditions"),
        ({"class": ""}, "line 3: class is ''; expected a name"),
        ({"class": "dog "}, "line 3: class is 'dog '; expected a name without surrounding spaces"),
        ({"url": ""}, "line 3: url is ''; expected an address, or <variant>/<path>"),
        ({"url": "picture.png"}, "line 3: url is 'picture.png'; expected an address, or <variant>/<path>"),
        ({"url": "natural/../../secret.png"}, "line 3: url is 'natural/../../secret.png'; expected a relative path"),
        ({"url": "ftp://host/a.png"}, "line 3: url is 'ftp://host/a.png'; expected an address"),
        ({"url": "https://me:word@host/a.png"}, "line 3: url contains a user name or password"),
        ({"show_fixation": "maybe"}, "line 3: show_fixation: expected true or false (found 'maybe')"),
        ({"stimulus_duration_msec": "-5"}, "line 3: stimulus_duration_msec: expected 0 or more (found '-5')"),
        ({"difficulty": "hard"}, "line 3: difficulty is 'hard'; expected a finite number or nothing"),
    ],
)
def test_an_invalid_row_is_named_with_its_line(tmp_path: Path, change: dict[str, str], expected: str) -> None:
    first = {**row(0), **dict.fromkeys(change, "")}
    with pytest.raises(InputError, match=re.escape(f"trialsets.csv: {expected}")):
        _compiled(tmp_path, [{**first, **row(0)}, {**first, **row(1, "big_cat"), **change}])


def test_a_misspelt_column_is_rejected_and_an_unrelated_one_ignored(tmp_path: Path) -> None:
    rows = [row(0, remarks="x"), row(1, "big_cat", remarks="y")]
    warnings = _compiled(tmp_path, rows).warnings
    assert "trialsets.csv: column remarks is not a setting and is ignored" in warnings
    with pytest.raises(InputError, match=r"unknown column show_fixatoin; did you mean show_fixation\?"):
        _compiled(tmp_path, [row(0, show_fixatoin="1"), row(1, "big_cat", show_fixatoin="0")])


@pytest.mark.parametrize(
    "column",
    REQUIRED,
)
def test_a_missing_required_column_is_named(tmp_path: Path, column: str) -> None:
    rows = [{key: value for key, value in r.items() if key != column} for r in _two_sets()]
    with pytest.raises(InputError, match=rf"trialsets\.csv: column {column} is missing"):
        _compiled(tmp_path, rows)


def test_an_image_has_one_class(tmp_path: Path) -> None:
    url = "https://x.org/1.png"
    with pytest.raises(
        InputError, match=r"https://x\.org/1\.png has the classes 'dog' and 'big_cat'; expected one class"
    ):
        _compiled(tmp_path, [row(0, url=url), row(1, "big_cat", url=url)])


def test_keys_need_two_classes(tmp_path: Path) -> None:
    rows = [row(n, name) for n, name in enumerate(("dog", "big_cat", "house_cat"))]
    with pytest.raises(InputError, match="keypress_fj_response is true, but there are 3 classes; expected two"):
        _compiled(tmp_path, rows, {"trial_config": {"keypress_fj_response": True}})


def test_pandas_floats_are_read_as_flags(tmp_path: Path) -> None:
    rows = [row(0, show_fixation="1.0"), row(1, "big_cat", show_fixation=""), row(2, show_fixation="0.0")]
    trials = trials_of(_compiled(tmp_path, rows).study, 0)
    assert [trial["show_fixation"] for trial in trials] == [True, False, False]


def test_pandas_floats_are_read_as_whole_numbers(tmp_path: Path) -> None:
    rows = [row(n, name, trialset_id="0.0", block="1.0") for n, name in enumerate(("dog", "big_cat"))]
    assert [trial["block"] for trial in trials_of(_compiled(tmp_path, rows).study, 0)] == [1, 1]

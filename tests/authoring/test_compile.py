"""Compile a study folder: an invalid study is rejected with its reason, and nothing is half-written."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lwise_core.authoring.compile import CompiledStudy, compile_study
from lwise_core.cli.main import app
from lwise_core.dirmap import DirmapRow
from lwise_core.errors import InputError
from lwise_core.experiments.bundle import load_bundle, to_bundle
from lwise_core.experiments.study import Conditions, Curriculum, PageSettings, Returning, Slots
from lwise_core.experiments.trialset import build_trialset
from tests.experiments.conftest import (
    BUDGETS,
    CLASSES,
    DataSet,
    scored_rows,
    trials_of,
    write_data_set,
    write_study,
    write_url_study,
)

_ONE_BLOCK = {"session_config": [{"only": {"n_trials_per_class_train": 2}}]}


def _with_trial_config(**settings: Any) -> dict[str, Any]:
    return {**_ONE_BLOCK, "trial_config": settings}


def _cli(*arguments: object) -> None:
    app([str(argument) for argument in arguments], standalone_mode=False)


# --- what a compiled study is


def test_the_template_compiles_to_what_it_describes(taper: CompiledStudy, taper_folder: Path) -> None:
    study = taper.study
    assert (study.study_id, study.title, study.classes) == (taper_folder.name, "Moths", CLASSES)
    assert [block.name for block in study.blocks] == [*(f"train_{number}" for number in range(1, 6)), "test"]
    assert study.conditions == Conditions(2, "blocked", 4)
    assert study.curriculum == Curriculum(len(BUDGETS), (1,))
    assert study.slots == Slots(None, reuse=False)
    assert set(study.pages) == {"consent", "task", "test", "done", "screened_out"}


def test_an_image_is_named_by_its_content(taper: CompiledStudy) -> None:
    names = {name for image in taper.study.images for name in image.objects.values()}
    assert names == set(taper.files)
    for name, path in taper.files.items():
        assert name == f"{hashlib.sha256(path.read_bytes()).hexdigest()[:32]}.png"


def test_only_variants_shown_by_the_study_are_required(data_set: DataSet, tmp_path: Path) -> None:
    study = compile_study(write_study(tmp_path, data_set, _ONE_BLOCK)).study
    assert {variant for image in study.images for variant in image.objects} == {"natural"}


def test_the_most_specific_share_of_easy_images_wins(data_set: DataSet, tmp_path: Path) -> None:
    config = {
        "session_config": [
            {"default": {}},
            {"of_block": {"max_difficulty_selection": 0.5}},
            {"of_type": {"max_difficulty_selection": 0.5, "trial_types": {"easy": {"max_difficulty_selection": 0.1}}}},
        ],
        "trial_config": {
            "max_difficulty_selection": 0.9,
            "difficulty_curriculum": True,
            "curriculum_num_blocks": 3,
        },
    }
    blocks = compile_study(write_study(tmp_path, data_set, config)).study.blocks
    assert [block.conditions[0].easiest_fraction for block in blocks] == [0.9, 0.5, 0.1]


def test_the_same_folder_compiles_to_the_same_version(taper: CompiledStudy, taper_folder: Path) -> None:
    assert to_bundle(compile_study(taper_folder).study) == to_bundle(taper.study)


def test_progress_counts_the_images_of_the_study(data_set: DataSet, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    folder = write_study(tmp_path, data_set, _ONE_BLOCK)
    compile_study(folder, on_progress=lambda done, total: seen.append((done, total)))
    total = sum(row.split == "train" for row in data_set.rows)
    assert seen == [(done, total) for done in range(1, total + 1)]


def test_a_page_cannot_contain_scripts(data_set: DataSet, tmp_path: Path) -> None:
    folder = write_study(tmp_path, data_set, _ONE_BLOCK)
    (folder / "instructions").mkdir()
    page = "# Task\n\n<script>alert(1)</script> [click](javascript:alert(1)) *look*"
    (folder / "instructions" / "task.md").write_text(page, encoding="utf-8")
    html = compile_study(folder).study.pages["task"]
    assert "<h1>Task</h1>" in html
    assert "<em>look</em>" in html
    assert "<script" not in html
    assert "href" not in html


# --- settings that contradict the data set


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            _with_trial_config(choice_names_order=["aversata", "biselata"]),
            "choice_names_order lacks dimidiata; expected every class of the data: aversata, biselata, dimidiata",
        ),
        (
            _with_trial_config(choice_names_order=["aversata", "biselata", "dimidiata", "seriata"]),
            "choice_names_order has seriata; the classes of the data are aversata, biselata, dimidiata",
        ),
        (
            _with_trial_config(choice_names_order=["aversata", "aversata", "biselata", "dimidiata"]),
            "choice_names_order has a class twice",
        ),
        (
            _with_trial_config(choice_names_aliases={"aversata": "A"}, choice_aliases_random_shuffle=True),
            "choice_aliases_random_shuffle is true with aliases for aversata only; expected one for every class",
        ),
        (
            _with_trial_config(keypress_fj_response=True),
            "trial_config: keypress_fj_response is true, but there are 3 classes; expected two, one for each key",
        ),
        (
            {"session_config": [{"only": {"trial_types": {"quick": {"keypress_fj_response": True}}}}]},
            "block 'only', trial type quick: keypress_fj_response is true, but there are 3 classes",
        ),
        (
            {"session_config": [{"only": {"n_classes_per_variant": {"eps4": 2, "natural": 2}}}]},
            "block 'only', n_classes_per_variant: deals 4 classes ({'eps4': 2, 'natural': 2}); expected 3",
        ),
        (
            _with_trial_config(curriculum_num_blocks=1, difficulty_curriculum=True),
            "block 'only': follows the difficulty curriculum in condition 0, but has no max_difficulty_selection there",
        ),
        ({"trial_config": {}}, "session_config: is missing; expected a list of one or more blocks"),
        (_with_trial_config(choice_names_aliases={"avers": "A"}), "choice_names_aliases has avers; the classes are"),
        (_with_trial_config(choice_names_aliases={"aversata": "biselata"}), "two classes have the same shown name"),
        (_with_trial_config(difficulty_curriculum=True), "curriculum_num_blocks is 0; expected 1 or more"),
        (
            {
                "session_config": [{"only": {"n_trials_per_class_train": 2, "n_calibration_trials": 2}}],
                "trial_config": {"choice_names_aliases": {"aversata": "circle"}},
            },
            "a class is shown as 'circle', which is also the name of a calibration shape",
        ),
    ],
    ids=[
        "order-lacks",
        "order-stranger",
        "order-twice",
        "half-aliases",
        "keys",
        "keys-of-type",
        "deal",
        "no-share",
        "no-blocks",
        "unknown-alias",
        "same-name",
        "curriculum",
        "shape",
    ],
)
def test_settings_that_contradict_the_data_set_are_rejected(
    data_set: DataSet, tmp_path: Path, config: Mapping[str, Any], expected: str
) -> None:
    folder = write_study(tmp_path, data_set, config)
    with pytest.raises(InputError, match=re.escape(f"{folder / 'config.yaml'}: ") + "(?s:.*)" + re.escape(expected)):
        compile_study(folder)


def test_a_class_may_be_named_circle_in_a_study_without_shapes(data_set: DataSet, tmp_path: Path) -> None:
    folder = write_study(tmp_path, data_set, _with_trial_config(choice_names_aliases={"aversata": "circle"}))
    assert compile_study(folder).study.choices.shown_names[0] == "circle"


def test_a_curriculum_needs_difficulties(data_set: DataSet, tmp_path: Path) -> None:
    rows = [DirmapRow(row.split, row.class_name, row.class_num, row.im_path) for row in data_set.rows]
    config = _with_trial_config(difficulty_curriculum=True, curriculum_num_blocks=1, max_difficulty_selection=0.5)
    folder = write_study(tmp_path, DataSet(data_set.root, rows), config)
    with pytest.raises(
        InputError, match=r"90 of 90 images have no difficulty, e\.g\. 'train/aversata/000\.png'; run `lwise score`"
    ):
        compile_study(folder)


def test_a_curriculum_needs_difficulties_only_in_its_splits(data_set: DataSet, tmp_path: Path) -> None:
    rows = [row if row.split == "train" else replace(row, difficulty=None) for row in data_set.rows]
    config = {
        "session_config": [
            {
                "train": {
                    "n_trials_per_class_train": 2,
                    "difficulty_curriculum": True,
                    "max_difficulty_selection": 0.5,
                }
            },
            {"test": {"n_trials_per_class_val": 2}},
        ],
        "trial_config": {"curriculum_num_blocks": 1},
    }
    compile_study(write_study(tmp_path, DataSet(data_set.root, rows), config))


@pytest.mark.parametrize("alias", ["", " "])
def test_a_blank_alias_is_rejected(data_set: DataSet, tmp_path: Path, alias: str) -> None:
    folder = write_study(tmp_path, data_set, _with_trial_config(choice_names_aliases={"aversata": alias}))
    with pytest.raises(InputError, match="choice_names_aliases"):
        compile_study(folder)


@pytest.mark.parametrize("condition", [0, 1])
def test_too_few_images_for_one_of_the_conditions(data_set: DataSet, tmp_path: Path, condition: int) -> None:
    types: list[dict[str, Any]] = [{"all": {}}, {"all": {}}]
    types[condition] = {"easy": {"difficulty_curriculum": True, "max_difficulty_selection": 0.1}}
    block = {"n_trials_per_class_train": 4, "conditional_trial_types": types}
    config = {
        "session_config": [{"train_1": block}],
        "trial_config": {"curriculum_num_blocks": 1},
        "deployment": {"num_conditions": 2, "randomization_block_size": 200},
    }
    with pytest.raises(InputError) as refusal:
        compile_study(write_study(tmp_path, data_set, config))
    heading, *lines = str(refusal.value).splitlines()
    assert heading.endswith("config.yaml: 3 problems")
    assert [line.partition("; ")[0] for line in lines] == [
        f"  - condition {condition}: block 'train_1' needs 4 images of class {name!r} from train, "
        "but the easiest 0.1 of the 30 that are left are 3"
        for name in CLASSES
    ]


def test_a_shortage_of_all_conditions_is_named_once(data_set: DataSet, tmp_path: Path) -> None:
    types = [{"a": {}}, {"b": {}}]
    blocks = [
        {"first": {"n_trials_per_class_train": 20, "conditional_trial_types": types}},
        {"second": {"n_trials_per_class_train": 11}},
    ]
    with pytest.raises(InputError) as refusal:
        compile_study(write_study(tmp_path, data_set, {"session_config": blocks}))
    _, *lines = str(refusal.value).splitlines()
    assert [line.partition("; ")[0] for line in lines] == [
        f"  - block 'second' needs 11 images of class {name!r} from train, but 10 are left" for name in CLASSES
    ]


def test_the_repeat_image_needs_a_spare_image(data_set: DataSet, tmp_path: Path) -> None:
    block = {"n_trials_per_class_val": 8, "n_repeats_of_one_stim": 1}
    with pytest.raises(
        InputError, match="n_repeats_of_one_stim: no image of split 'val' remains to be the repeat image"
    ):
        compile_study(write_study(tmp_path / "short", data_set, {"session_config": [{"only": block}]}))
    block["n_trials_per_class_val"] = 7
    compile_study(write_study(tmp_path / "enough", data_set, {"session_config": [{"only": block}]}))


# --- invalid data sets


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda text: text.replace("split,", "spilt,", 1), "column split is missing; found spilt, class"),
        (lambda text: text.replace("train/aversata/000.png", "../secret.png"), "stays inside its folder"),
        (lambda text: text.replace("train/aversata/000.png", "a/../../secret.png"), "stays inside its folder"),
        (lambda text: text.replace("train/aversata/000.png", "/etc/secret.png"), "stays inside its folder"),
        (lambda text: text.replace("train/aversata/000.png", "C:/secret.png"), "stays inside its folder"),
        (lambda text: text.replace("train/aversata/000.png", "train/aversata/001.png"), "duplicate im_path"),
        (lambda text: text.replace("aversata,0,", "aversata,zero,", 1), "class_num is 'zero'"),
        (lambda text: text.replace("aversata,0,", "aversata,7,", 1), "class_num must count the classes from 0"),
        (lambda text: text.replace("aversata,0,", "other,0,", 1), "class_num 0 names both 'other' and 'aversata'"),
        (lambda text: text.splitlines()[0], "has no images"),
        (lambda _: "", "column split, class, class_num, im_path is missing"),
        (lambda text: "\n".join(text.splitlines()[:20]), "'aversata' is the only class"),
    ],
)
def test_an_invalid_dirmap_is_rejected(
    data_set: DataSet, tmp_path: Path, edit: Callable[[str], str], expected: str
) -> None:
    folder = write_study(tmp_path, data_set, _ONE_BLOCK)
    dirmap = folder / "dirmap.csv"
    dirmap.write_text(edit(dirmap.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(InputError, match=f"(?s){re.escape(str(dirmap))}.*{re.escape(expected)}"):
        compile_study(folder)


def test_an_image_missing_from_a_variant_is_named(tmp_path: Path) -> None:
    data_set = write_data_set(tmp_path / "images", per_class={"train": 2})
    missing = data_set.root / "eps2" / "train" / "biselata" / "001.png"
    missing.unlink()
    block = {"n_trials_per_class_train": 1, "trial_types": {"taught": {"variant": "eps2"}}}
    folder = write_study(tmp_path / "study", data_set, {"session_config": [{"only": block}]})
    with pytest.raises(InputError, match=re.escape(f"{missing}: no such image")):
        compile_study(folder)


# --- external images


def test_a_dirmap_with_addresses_needs_no_images(tmp_path: Path) -> None:
    rows = scored_rows(CLASSES, {"train": 3}, bucket="moths-natural")
    compiled = compile_study(write_url_study(tmp_path, rows, _ONE_BLOCK))
    assert compiled.files == {}
    assert {trial["stimulus_image_url"] for trial in trials_of(compiled.study, 0)} < {row.extra["url"] for row in rows}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", "url is ''; expected an address"),
        ("train/a.png", "url is 'train/a.png'; expected an address"),
        ("ftp://host/a.png", "expected an address"),
        ("javascript:alert(1)", "expected an address"),
        ("https:///a.png", "expected an address"),
        ("https://host/../a.png", "expected an address"),
        ("https://host/%2e%2e/a.png", "expected an address"),
        ("https://name:word@host/a.png", "url contains a user name or password"),
        ("https://[host/a.png", "expected an address"),
    ],
)
def test_unsafe_addresses_are_rejected(tmp_path: Path, url: str, expected: str) -> None:
    rows = scored_rows(CLASSES, {"train": 3}, bucket="moths-natural")
    rows[4] = replace(rows[4], extra={"url": url})
    folder = write_url_study(tmp_path, rows, _ONE_BLOCK)
    with pytest.raises(InputError, match=re.escape(f"{folder / 'dirmap.csv'}: {rows[4].im_path}: ") + ".*" + expected):
        compile_study(folder)


def test_a_bucket_replaces_only_s3_buckets(tmp_path: Path) -> None:
    rows = [
        replace(row, extra={"url": f"https://example.org/{row.im_path}"}) for row in scored_rows(CLASSES, {"train": 2})
    ]
    block = {"n_trials_per_class_train": 1, "trial_types": {"taught": {"bucket": "moths-eps8"}}}
    with pytest.raises(
        InputError, match=r"(?s)6 problems.*expected one with \.s3\.amazonaws\.com, so that bucket moths"
    ):
        compile_study(write_url_study(tmp_path, rows, {"session_config": [{"only": block}]}))


# --- words of caution


def test_duplicate_images_give_a_warning(tmp_path: Path) -> None:
    data_set = write_data_set(tmp_path / "images", per_class={"train": 3})
    paths = [data_set.root / "natural" / row.im_path for row in data_set.rows]
    paths[5].write_bytes(paths[0].read_bytes())
    (warning,) = compile_study(write_study(tmp_path / "study", data_set, _ONE_BLOCK)).warnings
    assert "train/aversata/000.png and train/biselata/002.png are the same image" in warning


def test_equal_file_names_give_a_warning(tmp_path: Path) -> None:
    rows = scored_rows(CLASSES, {"train": 2}, bucket="moths-natural")
    warning, _ = compile_study(write_url_study(tmp_path, rows, _ONE_BLOCK)).warnings
    assert "have the same file name, and 1 more groups" in warning


def test_an_address_that_contains_the_class_gives_a_warning(tmp_path: Path) -> None:
    rows = scored_rows(CLASSES, {"train": 2}, bucket="moths-natural")
    *_, warning = compile_study(write_url_study(tmp_path / "telling", rows, _ONE_BLOCK)).warnings
    assert warning.startswith(f"6 of 6 images have an address that contains their class, e.g. {rows[0].extra['url']}")
    silent = [
        replace(row, extra={"url": f"https://moths.s3.amazonaws.com/{number}.png"}) for number, row in enumerate(rows)
    ]
    compiled = compile_study(write_url_study(tmp_path / "silent", silent, _ONE_BLOCK))
    assert not [warning for warning in compiled.warnings if "address" in warning]


def test_a_curriculum_key_in_a_later_block_gives_a_warning(data_set: DataSet, tmp_path: Path) -> None:
    easy = {"n_trials_per_class_train": 1, "difficulty_curriculum": True, "max_difficulty_selection": 0.5}
    config = {"session_config": [{"one": easy}, {"two": dict(easy)}], "trial_config": {"curriculum_num_blocks": 1}}
    (warning,) = compile_study(write_study(tmp_path, data_set, config)).warnings
    assert warning.startswith("block 'two': sets difficulty_curriculum, which only applies to the first 1 blocks")


def test_every_missing_image_is_named(tmp_path: Path) -> None:
    data_set = write_data_set(tmp_path / "images", per_class={"train": 2})
    missing = [data_set.root / "natural" / "train" / name / "001.png" for name in ("aversata", "biselata")]
    for path in missing:
        path.unlink()
    folder = write_study(tmp_path / "study", data_set, {"session_config": [{"only": {"n_trials_per_class_train": 1}}]})
    with pytest.raises(InputError) as refusal:
        compile_study(folder)
    first, *named = str(refusal.value).splitlines()
    assert first == f"{data_set.root}: 2 problems"
    assert [line.partition(": ")[0].strip(" -") for line in named] == [str(path) for path in missing]


def test_a_page_that_is_not_utf_8_is_rejected(data_set: DataSet, tmp_path: Path) -> None:
    folder = write_study(tmp_path, data_set, _ONE_BLOCK)
    (folder / "instructions").mkdir()
    (folder / "instructions" / "consent.md").write_bytes(b"caf\xe9")
    with pytest.raises(InputError, match=r"consent\.md: not a UTF-8 text file"):
        compile_study(folder)


@pytest.mark.parametrize("missing", ["config.yaml", "dirmap.csv"])
def test_a_study_folder_without_its_files(data_set: DataSet, tmp_path: Path, missing: str) -> None:
    folder = write_study(tmp_path, data_set, _ONE_BLOCK)
    (folder / missing).unlink()
    with pytest.raises(InputError, match=re.escape(str(folder / missing))):
        compile_study(folder)


# --- what is written


def test_the_compiled_bundle_is_the_study(taper: CompiledStudy, taper_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "bundles" / "bundle.json"
    _cli("experiments", "compile", taper_folder, "--out", out)
    assert build_trialset(load_bundle(out), 7) == build_trialset(taper.study, 7)


def test_a_failed_compile_leaves_the_existing_bundle_unchanged(
    data_set: DataSet, taper_folder: Path, tmp_path: Path
) -> None:
    broken = write_study(tmp_path / "broken", data_set, {"session_config": [{"a": {"n_trials_per_class_train": 99}}]})
    out = tmp_path / "out" / "bundle.json"
    _cli("experiments", "compile", taper_folder, "--out", out)
    before = out.read_bytes()
    with pytest.raises(InputError, match="needs 99 images"):
        _cli("experiments", "compile", broken, "--out", out)
    assert out.read_bytes() == before
    assert [path.name for path in out.parent.iterdir()] == ["bundle.json"]
    assert sorted(path.name for path in broken.iterdir()) == ["config.yaml", "dirmap.csv"]


# --- what is asked of participants and their pages


def test_a_study_stores_page_and_return_settings(data_set: DataSet, tmp_path: Path) -> None:
    site = {
        "desktop_only": False,
        "min_window_px": 900,
        "calibrate_screen": True,
        "full_screen": True,
        "ask_email": True,
    }
    deployment = {"on_return": "block", "return_within_hours": 1.5}
    study = compile_study(
        write_study(tmp_path / "study", data_set, {**_ONE_BLOCK, "site": site, "deployment": deployment})
    ).study
    assert study.page == PageSettings(False, 900, True, True, True)
    assert study.returning == Returning("block", 1.5)


def test_pages_require_a_desktop_and_600_px_by_default(data_set: DataSet, tmp_path: Path) -> None:
    study = compile_study(write_study(tmp_path / "study", data_set, _ONE_BLOCK)).study
    assert study.page == PageSettings(True, 600, False, False, False)
    assert study.returning == Returning("resume", None)

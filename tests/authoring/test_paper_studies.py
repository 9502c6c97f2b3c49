"""The studies of the paper that come with the project: the same trials as the published files, and pages that are true.

The published files are not part of the repository. Where they are at hand, the trials are compared one by one; the
numbers of trials are always checked, with stand-ins for the dirmaps.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from experiment_site.experiments.moths_0 import draw
from lwise_core.authoring.compile import CompiledStudy, compile_study
from lwise_core.authoring.config_file import read_config
from lwise_core.authoring.data_source import fetch_data_file
from lwise_core.authoring.folder import DATA_SOURCE_FILE, MissingDataError
from lwise_core.dirmap import DirmapRow, read_dirmap, write_dirmap
from lwise_core.experiments.study import Study
from lwise_core.experiments.trialset import build_trialset
from tests.experiments.conftest import scored_rows, trials_of

_REPOSITORY = Path(__file__).parents[2]
_STUDIES = _REPOSITORY / "experiment_site" / "experiments"
_LWISE = _REPOSITORY.parent / "shared" / "data" / "lwise"

_PUBLISHED = {
    "idaea4_10": "idaea4_learn_10",
    "imagenet_animals_10": "imagenet_animals_main_10",
    "turtles_10": "turtlequal_10",
    "custom_example_0": "example_custom_experiment_0",
}
"""Studies whose published files may be available: our name and the published one."""

_TRIALS = {
    "idaea4_10": (7, 201, 128 + 40),
    "ham4_10": (7, 201, 128 + 40),
    "ham4_pilot_0": (2, 187, 120 + 40),
    "mhist_10": (2, 201, 128 + 40),
    "turtles_10": (1, 24, 24),
    "imagenet_animals_10": (1, 350, 32 + 32 + 256),
    "imagenet_animals_guides_10": (1, 318, 32 + 32 + 224),
    "imagenet_animals_losses_10": (1, 386, 32 + 32 + 288),
}
"""Conditions, trials, and trials that show an image other than the repeat image."""

_ALL = [*_TRIALS, "custom_example_0"]


def _copy(study: str, to: Path) -> Path:
    """The study without a data file that somebody may have fetched."""
    return Path(
        shutil.copytree(_STUDIES / study, to / study, ignore=shutil.ignore_patterns("dirmap.csv", "*sets*.csv"))
    )


def _with_published_data(study: str, to: Path) -> CompiledStudy:
    folder = _copy(study, to)
    name = "trialsets.csv" if study == "custom_example_0" else "dataset_dirmap.csv"
    fetch_data_file(folder, copy=_LWISE / _PUBLISHED[study] / name)
    return compile_study(folder)


def _with_stand_in(study: str, to: Path) -> CompiledStudy:
    """The study with a dirmap that has its classes and splits, and enough images for a curriculum."""
    folder = _copy(study, to)
    classes = [
        name.replace(" ", "_")
        for name in read_config(folder / "config.yaml").config.trial_config.choice_names_order or ()
    ]
    write_dirmap(
        folder / "dirmap.csv",
        scored_rows(classes, {"train": 120, "val": 120, "test": 160}, bucket="stand-in"),
    )
    return compile_study(folder)


def _published(study: str, to: Path) -> CompiledStudy:
    """The published files with the seed and the conditions that the study here has."""
    folder = Path(shutil.copytree(_LWISE / _PUBLISHED[study], to / "published"))
    written = yaml.safe_load((_STUDIES / study / "config.yaml").read_text(encoding="utf-8"))
    config = (folder / "config.yaml").read_text(encoding="utf-8")
    deployment = yaml.safe_dump({"deployment": written["deployment"]})
    (folder / "config.yaml").write_text(f"{config}\n\n{deployment}", encoding="utf-8")
    return compile_study(folder)


# --- the same trials as the published files


_IDLE = {"feedback_correct_url", "feedback_incorrect_url"}
"""Settings without effect in this project; the studies here leave them out."""

_FROM_THE_PAGE = {"imagenet_animals_10": {"show_fixation": True}}
"""What the published page does without a key in config.yaml."""


@pytest.mark.parametrize("study", _PUBLISHED)
def test_a_study_has_the_trials_of_the_published_one(study: str, tmp_path: Path) -> None:
    """Every setting of every trial: block, type, class, image and its address, choices, timing, bonus."""
    if not _LWISE.is_dir():
        pytest.skip(f"no published studies in {_LWISE}")
    here, there = _with_published_data(study, tmp_path).study, _published(study, tmp_path).study
    for trialset_id in range(here.slots.count or 21)[:21]:
        expected = [trial | _FROM_THE_PAGE.get(study, {}) for trial in trials_of(there, trialset_id)]
        assert _without_idle(trials_of(here, trialset_id)) == _without_idle(expected)


def _without_idle(trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in trial.items() if key not in _IDLE} for trial in trials]


@pytest.mark.parametrize("study", _PUBLISHED)
def test_a_study_has_the_plan_of_the_published_one(study: str, tmp_path: Path) -> None:
    """Blocks and their counts, conditions, trial types, curriculum, sources, images: also what no draw has shown."""
    if not _LWISE.is_dir():
        pytest.skip(f"no published studies in {_LWISE}")
    here, there = _with_published_data(study, tmp_path).study, _published(study, tmp_path).study
    for part in ("classes", "choices", "sources", "blocks", "curriculum", "prespecified", "images", "conditions"):
        assert getattr(here, part) == getattr(there, part), part
    assert [replace(kind, settings=_effective(here, kind.settings)) for kind in here.kinds] == [
        replace(kind, settings=_effective(there, kind.settings) | _FROM_THE_PAGE.get(study, {})) for kind in there.kinds
    ]
    assert here.repeat_split == there.repeat_split


def _effective(study: Study, settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in {**study.settings, **settings}.items() if key not in _IDLE}


# --- facts of all of them


@pytest.mark.parametrize("study", _TRIALS)
def test_a_study_has_as_many_trials_in_every_condition(study: str, tmp_path: Path) -> None:
    compiled = _with_stand_in(study, tmp_path).study
    n_conditions, n_trials, n_main = _TRIALS[study]
    assert compiled.conditions.count == n_conditions
    seen = set()
    for trialset_id in range(1 if compiled.slots.count == 1 else 4 * n_conditions):
        built = build_trialset(compiled, trialset_id)
        seen.add(built.condition_idx)
        trials = trials_of(compiled, trialset_id)
        assert len(trials) == n_trials
        assert sum(trial["trial_type"] not in ("calibration", "repeat_stimulus") for trial in trials) == n_main
    assert seen == set(range(n_conditions))


@pytest.mark.parametrize("study", ["idaea4_10", "ham4_10", "mhist_10"])
def test_a_learning_study_tapers_to_natural_images(study: str, tmp_path: Path) -> None:
    compiled = _with_stand_in(study, tmp_path).study
    last = compiled.conditions.count - 1
    trials = next(
        trials_of(compiled, number) for number in range(20) if build_trialset(compiled, number).condition_idx == last
    )
    main = [trial for trial in trials if trial["trial_type"] not in ("calibration", "repeat_stimulus")]
    buckets = list(dict.fromkeys(trial["variant"] for trial in main))
    budgets = [re.search(r"-(natural|\d+(?:dot\d+)?-0dot5-\d+)", bucket or "") for bucket in buckets]
    assert [budget and budget[1] for budget in budgets] == [
        *("8-0dot5-16", "4-0dot5-8", "2-0dot5-4", "1-0dot5-2", "0dot5-0dot5-1", "0dot25-0dot5-1", "natural")
    ]


@pytest.mark.parametrize("study", ["imagenet_animals_10", "imagenet_animals_guides_10", "imagenet_animals_losses_10"])
def test_animals_are_shown_equally_often_in_every_version(study: str, tmp_path: Path) -> None:
    compiled = _with_stand_in(study, tmp_path).study
    main = [trial for trial in trials_of(compiled, 0) if trial["block_name"] == "main" and not trial["calibration"]]
    shown = Counter((trial["class"], trial["split"], trial["trial_type"]) for trial in main)
    assert len({trial["variant"] for trial in main}) == len({trial["trial_type"] for trial in main})
    assert set(shown.values()) == {3 if study == "imagenet_animals_losses_10" else 2}
    assert compiled.screening is not None
    assert (compiled.screening.block, compiled.screening.min_correct, compiled.screening.min_correct_per_class) == (
        0,
        24,
        1,
    )


def test_only_the_test_is_without_feedback_and_counts_for_the_bonus(tmp_path: Path) -> None:
    for study in ("idaea4_10", "ham4_10", "ham4_pilot_0", "mhist_10"):
        for trial in trials_of(_with_stand_in(study, tmp_path).study, 0):
            is_test = trial["block_name"].startswith("test")
            assert trial["show_feedback"] is not is_test
            assert (trial["bonus_usd_if_correct"] > 0) is is_test


@pytest.mark.parametrize("study", _ALL)
def test_a_study_without_its_data_file_says_how_to_get_it(study: str, tmp_path: Path) -> None:
    folder = _copy(study, tmp_path)
    for config in folder.glob("config*.yaml"):
        named = folder if config.name == "config.yaml" else config
        with pytest.raises(MissingDataError, match=re.escape(f"`lwise experiments fetch-dirmap {named}`")):
            compile_study(named)


@pytest.mark.parametrize("study", _ALL)
def test_a_study_records_where_its_data_file_lies_and_no_made_up_hash(study: str) -> None:
    """Two files were not available, so their hashes are unknown."""
    sources = yaml.safe_load((_STUDIES / study / DATA_SOURCE_FILE).read_text(encoding="utf-8"))
    for source in sources.values():
        assert source["url"].startswith("https://raw.githubusercontent.com/MorganBDT/L-WISE/")
    unknown = {source["url"].rsplit("/", 2)[1] for source in sources.values() if "sha256" not in source}
    assert unknown <= {"ham4_learn_10", "mhist_learn_10"}


def test_classes_of_a_subset_are_renumbered(tmp_path: Path) -> None:
    """As in the dirmap of the skin lesions: bcc is 1, bkl 2, mel 4, nv 5."""
    numbers = {"bcc": 1, "bkl": 2, "mel": 4, "nv": 5}
    folder = _copy("ham4_10", tmp_path)
    rows = scored_rows(list(numbers), {"val": 120}, bucket="stand-in")
    write_dirmap(folder / "dirmap.csv", [replace(row, class_num=numbers[row.class_name]) for row in rows])
    kept = compile_study(folder).study
    write_dirmap(folder / "dirmap.csv", rows)
    assert kept == compile_study(folder).study
    assert kept.classes == tuple(numbers)


# --- what participants read


@pytest.mark.parametrize("study", [*_ALL, "moths_0"])
def test_every_page_that_a_study_needs_is_there(study: str) -> None:
    config = read_config(_STUDIES / study / "config.yaml").config
    needed = {"consent", "task", "done"}
    if any(block.show_test_instructions for block in config.session_config):
        needed.add("test")
    if config.site.screening is not None:
        needed.add("screened_out")
    assert {path.stem for path in (_STUDIES / study / "instructions").glob("*.md")} == needed


@pytest.mark.parametrize("study", _ALL)
def test_placeholders_in_pages_give_a_warning(study: str, tmp_path: Path) -> None:
    consent = (_STUDIES / study / "instructions" / "consent.md").read_text(encoding="utf-8")
    assert consent.count("**[FILL IN:") >= 5
    if study in _TRIALS:
        assert any(
            "consent.md" in warning and "[FILL IN: …]" in warning
            for warning in _with_stand_in(study, tmp_path).warnings
        )


@pytest.mark.parametrize("study", [study for study in _ALL if study.startswith(("idaea", "ham", "mhist"))])
def test_the_bonus_in_the_pages_matches_the_settings(study: str) -> None:
    steps = read_config(_STUDIES / study / "config.yaml").config.site.bonus
    for page, words in (("consent", "${} for at least {}%"), ("task", "{1}%"), ("test", "{1}%")):
        text = " ".join((_STUDIES / study / "instructions" / f"{page}.md").read_text(encoding="utf-8").split())
        for step in steps:
            assert words.format(f"{step.usd:g}", f"{100 * step.at_least:g}") in text, (page, step)


@pytest.mark.parametrize("study", [study for study in _ALL if study.startswith("imagenet")])
def test_the_maximum_bonus_in_the_pages_is_correct(study: str, tmp_path: Path) -> None:
    trials = trials_of(_with_stand_in(study, tmp_path).study, 0)
    most = sum(trial["bonus_usd_if_correct"] for trial in trials if not trial["calibration"])
    assert f"at most ${most:.2f}" in (_STUDIES / study / "instructions" / "consent.md").read_text(encoding="utf-8")


def test_moths_0_has_no_placeholders() -> None:
    assert compile_study(_STUDIES / "moths_0").warnings == ()


# --- moths_0: complete as it is


def test_moths_0_needs_nothing_but_its_folder() -> None:
    compiled = compile_study(_STUDIES / "moths_0")
    assert compiled.study.conditions.count == 2
    assert compiled.study.codes.completion is None
    assert len(compiled.files) == 3 * 60
    assert sum(path.stat().st_size for path in compiled.files.values()) < 1_000_000


def test_moths_0_shows_caricatures_that_taper_off_to_one_half_of_its_participants() -> None:
    study = compile_study(_STUDIES / "moths_0").study
    for trialset_id in range(4):
        built, trials = build_trialset(study, trialset_id), trials_of(study, trialset_id)
        assert len(trials) == 52
        of_block = [
            {trial["variant"] for trial in trials if trial["block"] == number and not trial["calibration"]}
            for number in range(5)
        ]
        taper = ["caricature_full", "caricature_half", "natural", "natural", "natural"]
        assert of_block == [{variant} for variant in (taper if built.condition_idx else ["natural"] * 5)]


def test_the_script_of_moths_0_draws_its_images() -> None:
    """Up to differences between versions of NumPy, Pillow or libjpeg; caricatures differ more."""
    folder = _STUDIES / "moths_0"
    assert [replace(row, difficulty=None, extra={}) for row in read_dirmap(folder / "dirmap.csv")] == [
        replace(row, extra={}) for row in draw.dirmap_rows()
    ]
    moth = draw.moths()[7]
    kept = {
        variant: np.asarray(Image.open(folder / "variants" / variant / draw.picture_path(moth)), dtype=float)
        for variant in draw.VARIANTS
    }
    for variant, strength in draw.VARIANTS.items():
        drawn = draw.draw_moth(draw.exaggerated(moth, strength), size=draw.SIDE, seed=draw.SEED)
        apart = {other: np.abs(np.asarray(drawn, dtype=float) - pixels).mean() for other, pixels in kept.items()}
        assert min(apart, key=lambda other: apart[other]) == variant
        assert apart[variant] < 6


def test_caricatures_are_confused_less_often() -> None:
    """By an observer who knows the traits."""
    for moth in draw.moths():
        assert moth.ambiguity == pytest.approx(_ambiguity(moth.species, moth.traits))
        assert _ambiguity(moth.species, draw.exaggerated(moth, 0.5).traits) < moth.ambiguity


def _ambiguity(species: str, traits: tuple[float, ...]) -> float:
    likelihood = {one.name: np.exp(-np.sum((np.array(traits) - one.mean) ** 2) / 2) for one in draw.SPECIES}
    return 1 - likelihood[species] / sum(likelihood.values())


def test_moths_0_has_the_ambiguity_as_difficulty() -> None:
    rows: list[DirmapRow] = read_dirmap(_STUDIES / "moths_0" / "dirmap.csv")
    assert [row.difficulty for row in rows] == [pytest.approx(moth.ambiguity, abs=1e-6) for moth in draw.moths()]

"""What is drawn for two small studies stays as it is, from one version of this project to the next.

A study that is under way, or a preregistration that names trial sets, relies on it. Where a change is meant, record
anew with `python -m tests.experiments.test_golden` in the folder of the project and say so in the change: participants
of running studies would get other trials.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from lwise_core.authoring.compile import compile_study
from tests.experiments.conftest import trials_of

FOLDER = Path(__file__).parent / "golden"
RECORDED = FOLDER / "hashes.json"
STUDIES = ("moths_1", "turtles_0")
N_TRIALSETS = 10

_DRAWN = (
    "block",
    "source_block",
    "condition_idx",
    "trial_type",
    "class",
    "split",
    "stimulus_image_url",
    "choice_names",
    "i_correct_choice",
)


def hashes(name: str) -> dict[str, list[str]]:
    """Of each trial set: `drawn` (what depends on random draws) and `everything` (with all settings)."""
    study = compile_study(FOLDER / name).study
    trialsets = [trials_of(study, trialset_id) for trialset_id in range(N_TRIALSETS)]
    return {
        "drawn": [_hash([{key: trial[key] for key in _DRAWN} for trial in trials]) for trials in trialsets],
        "everything": [_hash(trials) for trials in trialsets],
    }


def record() -> None:
    """Take what this version does as what is right."""
    recorded = {name: hashes(name) for name in STUDIES}
    RECORDED.write_text(json.dumps(recorded, indent=2) + "\n", encoding="utf-8")


def _hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("part", ["drawn", "everything"])
def test_trial_sets_equal_the_golden_files(name: str, part: str) -> None:
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))[name][part]
    found = hashes(name)[part]
    changed = [number for number in range(N_TRIALSETS) if found[number] != recorded[number]]
    what = "other images, orders or names are drawn" if part == "drawn" else "trials carry other settings or fields"
    assert not changed, (
        f"{name}, trial sets {changed}: {what} than were recorded in {RECORDED.name}. If that is meant, run "
        "`python -m tests.experiments.test_golden` and say in the change that running studies are affected."
    )


def test_another_seed_is_detected(tmp_path: Path) -> None:
    for file in (FOLDER / "moths_1").iterdir():
        text = file.read_text(encoding="utf-8").replace("seed: 20", "seed: 22")
        (tmp_path / file.name).write_text(text, encoding="utf-8")
    study = compile_study(tmp_path).study
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))["moths_1"]["everything"]
    assert not set(recorded) & {_hash(trials_of(study, trialset_id)) for trialset_id in range(N_TRIALSETS)}


def test_the_recorded_study_has_every_feature() -> None:
    study = compile_study(FOLDER / "moths_1").study
    trials = [trial for number in range(N_TRIALSETS) for trial in trials_of(study, number)]
    assert {trial["condition_idx"] for trial in trials} == {0, 1, 2}
    assert {trial["trial_type"] for trial in trials} == {
        *("natural", "curriculum", "taper", "enhanced", "quick", "new_stimulus", "repeat_stimulus", "calibration")
    }
    buckets = {f"lwise-example-eps{eps}" for eps in (8, 2, 1)}
    assert {trial["variant"] for trial in trials} == {None, *buckets}
    assert {trial["condition_idx"] for trial in trials if trial["block"] != trial["source_block"]} == {1}
    assert {trial["max_difficulty_selection"] for trial in trials} == {None, 0.25, 0.6}
    assert len({tuple(trial["choice_names"]) for trial in trials if trial["block_name"] == "train_1"}) > 10


if __name__ == "__main__":
    record()

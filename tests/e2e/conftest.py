"""Studies for a real Chromium."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from lwise_core.authoring.compile import compile_study
from lwise_core.authoring.study_parts import CompiledStudy
from lwise_core.authoring.template import TaperStudy, write_taper_study
from lwise_core.vision.image_folder import index_image_folder
from lwise_core.vision.score import with_difficulty
from tests.experiments.conftest import write_data_set, write_study


@pytest.fixture
def short_study(photographs: Path, tmp_path: Path) -> Path:
    """A study of 19 trials: three training blocks, two attention checks, six test trials, two attention checks."""
    for variant in ("natural", "eps1"):
        shutil.copytree(photographs, tmp_path / "variants" / variant)
    rows = index_image_folder(photographs).rows
    write_taper_study(
        tmp_path / "study",
        TaperStudy(variants=["eps1"], per_class_train=1, per_class_test=2),
        with_difficulty([replace(row, robust_gt_logit=float(number)) for number, row in enumerate(rows)]),
        title="Colours",
        stimuli_root="../variants",
        seed=0,
    )
    return tmp_path / "study"


_LONG_STUDY = {
    "session_config": [{f"block_{number}": {"n_trials_per_class_train": 2}} for number in range(5)],
    "trial_config": {
        "show_feedback": False,
        "stimulus_duration_msec": 50,
        "pre_choice_lockout_delay_duration_msec": 0,
        "choice_duration_msec": 100_000,
        "intertrial_delay_duration_msec": 0,
    },
    "site": {"title": "Moths"},
}


@pytest.fixture
def long_study(tmp_path: Path) -> CompiledStudy:
    """A study of 30 quick trials without feedback, in five blocks, each trial with a picture of its own."""
    data_set = write_data_set(tmp_path / "images", per_class={"train": 10})
    return compile_study(write_study(tmp_path / "moths_30", data_set, _LONG_STUDY))

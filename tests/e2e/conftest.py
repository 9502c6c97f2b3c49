"""A real Chromium, and studies for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from lwise_core.experiments.authoring.compile import compile_study
from lwise_core.experiments.authoring.resolve import CompiledStudy
from lwise_core.experiments.authoring.template import TaperStudy, write_taper_study
from lwise_core.vision.image_folder import index_image_folder
from lwise_core.vision.score import with_scores
from tests.browser import ARGUMENTS, chromium
from tests.experiments.conftest import write_data_set, write_study


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; without one the test fails where `CI` is set and is skipped elsewhere."""
    executable = chromium()
    if executable is None:
        message = "no Chromium on this machine: run `make test`, which installs one"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    # Chromium refuses its sandbox to root.
    arguments = [*ARGUMENTS, "--no-sandbox"] if os.geteuid() == 0 else ARGUMENTS
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=executable, args=list(arguments))
        yield opened
        opened.close()


@pytest.fixture
def short_study(photographs: Path, tmp_path: Path) -> Path:
    """A study of 19 trials: three training blocks, two attention checks, six test trials, two attention checks."""
    for variant in ("natural", "eps1"):
        shutil.copytree(photographs, tmp_path / "variants" / variant)
    rows = index_image_folder(photographs).rows
    write_taper_study(
        tmp_path / "study",
        TaperStudy(variants=["eps1"], per_class_train=1, per_class_test=2),
        with_scores(rows, [float(number) for number in range(len(rows))]),
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

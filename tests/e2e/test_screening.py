"""The screening in a real browser: a failed screening ends the session, a passed one leads to the completion code."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import Browser, Page, expect

from lwise_core.authoring.compile import compile_study
from lwise_core.dirmap import write_dirmap
from lwise_core.experiments.payloads import expanded
from lwise_core.experiments.trialset import build_trialset
from lwise_core.local.server import open_study, serving
from lwise_core.vision.image_folder import index_image_folder

pytestmark = pytest.mark.browser

_CONFIG = {
    "session_config": [
        {"screening": {"n_trials_per_class_train": 1, "n_calibration_trials": 2}},
        {"test": {"n_trials_per_class_val": 1, "show_test_instructions": True}},
    ],
    "trial_config": {
        "show_feedback": False,
        "pre_choice_lockout_delay_duration_msec": 0,
        "intertrial_delay_duration_msec": 0,
    },
    "deployment": {"completion_code": "env:DONE_CODE", "screen_out_code": "env:OUT_CODE"},
    "site": {"screening": {"min_correct": 2}},
    "stimuli": {"root": "../variants"},
}
_N_SCREENING, _N_TRIALS = 5, 8


@pytest.fixture
def study(photographs: Path, tmp_path: Path) -> Path:
    """Three pictures and two attention checks decide; three more follow."""
    shutil.copytree(photographs, tmp_path / "variants" / "natural")
    folder = tmp_path / "colours_2"
    (folder / "instructions").mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(_CONFIG, sort_keys=False), encoding="utf-8")
    (folder / "instructions" / "test.md").write_text("Now the rest.", encoding="utf-8")
    write_dirmap(folder / "dirmap.csv", index_image_folder(photographs).rows)
    return folder


def _choose(page: Page, trial: dict[str, Any], *, is_right: bool) -> None:
    shown = page.locator(f"[data-trial-index='{trial['index']}']")
    expect(shown).to_have_attribute("data-phase", "choice", timeout=30_000)
    choice = trial["i_correct_choice"] if is_right else (trial["i_correct_choice"] + 1) % 3
    shown.locator("button.choice").nth(choice).click()


def test_the_server_decides_who_passes_the_screening(
    study: Path, tmp_path: Path, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DONE_CODE", "CDONE42")
    monkeypatch.setenv("OUT_CODE", "COUT17")
    compiled = compile_study(study)
    trials = expanded(compiled.study, build_trialset(compiled.study, 0))
    assert (len(trials), sum(trial["block"] == 0 for trial in trials)) == (_N_TRIALS, _N_SCREENING)
    with open_study(compiled, tmp_path / "data") as local, serving(local.app) as address:
        context = browser.new_context(viewport={"width": 1000, "height": 800})
        page = context.new_page()
        link = f"{address}/?PLATFORM=prolific&PID=p&STUDY_ID=s&SESSION_ID="

        page.goto(f"{link}fails")
        page.get_by_test_id("start").click()
        for trial in trials[:_N_SCREENING]:
            _choose(page, trial, is_right=bool(trial["calibration"]))
        for _ in range(2):
            expect(page.get_by_test_id("screened-out")).to_be_visible(timeout=15_000)
            expect(page.get_by_test_id("code")).to_have_text("COUT17")
            page.reload()

        page.goto(f"{link.replace('PID=p', 'PID=q')}passes")
        page.get_by_test_id("start").click()
        for trial in trials[:_N_SCREENING]:
            _choose(page, trial, is_right=True)
        page.get_by_test_id("test-start").click()
        for trial in trials[_N_SCREENING:]:
            _choose(page, trial, is_right=False)
        expect(page.get_by_test_id("done")).to_be_visible(timeout=15_000)
        expect(page.get_by_test_id("code")).to_have_text("CDONE42")
        expect(page.get_by_test_id("return-link")).to_have_attribute(
            "href", "https://app.prolific.com/submissions/complete?cc=CDONE42"
        )
        context.close()

"""A study as L-WISE has them, in a real browser: given trials, pictures and icons in S3 buckets, a fixation cross.

The buckets are the far end of the network: the test answers for them.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from lwise_core.authoring.compile import compile_study
from lwise_core.local.server import open_study, serving
from tests.run_cli import served, succeed

pytestmark = pytest.mark.browser

_CONFIG = """
trial_config:
  choice_names_order: [red moth, green moth, blue moth]
  choice_image_bucket_name: colours-icons
  stimulus_duration_msec: 100
  pre_choice_lockout_delay_duration_msec: 0
  reward_duration_msec: 100
  incorrect_duration_msec: 100
  intertrial_delay_duration_msec: 0
"""
_SHOWN = ("red", "green", "blue", "red")
_FIXATION = ("1", "0", "", "1")


@pytest.fixture
def given(photographs: Path, tmp_path: Path) -> Path:
    """One trial set of four trials; the cross is asked for before the first and the last."""
    folder = tmp_path / "colours_0"
    folder.mkdir()
    (folder / "config.yaml").write_text(_CONFIG, encoding="utf-8")
    rows = [
        f"0,0,0,{colour}_moth,https://colours-natural.s3.amazonaws.com/val/{colour}/00{n}.png,{fixation}"
        for n, (colour, fixation) in enumerate(zip(_SHOWN, _FIXATION, strict=True))
    ]
    header = "trialset_id,condition_idx,block,class,url,show_fixation"
    (folder / "trialsets.csv").write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return folder


def _answer_for_buckets(context: BrowserContext, photographs: Path, *, with_icons: bool) -> list[str]:
    """Serve pictures (with leave to read them) and icons (without); returns the addresses that were asked for."""
    asked: list[str] = []
    icon = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 120, 0)).save(icon, format="PNG")

    def picture(route: Route) -> None:
        asked.append(route.request.url)
        file = photographs / route.request.url.partition(".com/")[2]
        route.fulfill(path=file, headers={"Access-Control-Allow-Origin": "*", "Content-Type": "image/png"})

    def choice(route: Route) -> None:
        asked.append(route.request.url)
        if with_icons:
            route.fulfill(body=icon.getvalue(), content_type="image/png")
        else:
            route.fulfill(status=404)

    context.route("https://colours-natural.s3.amazonaws.com/**", picture)
    context.route("https://colours-icons.s3.amazonaws.com/**", choice)
    return asked


def _take_part(page: Page, link: str) -> None:
    page.goto(link)
    page.get_by_test_id("start").click()
    for index, fixation in enumerate(_FIXATION):
        trial = page.locator(f"[data-trial-index='{index}']")
        if fixation == "1":
            expect(trial).to_have_attribute("data-phase", "fixation", timeout=30_000)
            trial.get_by_test_id("fixation").click()
        expect(trial).to_have_attribute("data-phase", "choice", timeout=30_000)
        trial.locator("button.choice").nth(index % 3).click()


@pytest.mark.parametrize("with_icons", [True, False], ids=["icons", "no icons"])
def test_given_trials_are_shown_as_given_and_late_participants_are_rejected(
    given: Path, photographs: Path, tmp_path: Path, browser: Browser, with_icons: bool
) -> None:
    with served(given, tmp_path / "data") as address:
        context = browser.new_context(viewport={"width": 1000, "height": 800})
        asked = _answer_for_buckets(context, photographs, with_icons=with_icons)
        page = context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        _take_part(page, f"{address}/?PLATFORM=inperson&ASSIGNMENT_ID=first")
        expect(page.get_by_test_id("done")).to_be_visible()
        late = context.new_page()
        late.goto(f"{address}/?PLATFORM=inperson&ASSIGNMENT_ID=second")
        expect(late.get_by_test_id("error")).to_contain_text("All places in this study are taken")
        context.close()
    assert complaints == []
    icons = {f"https://colours-icons.s3.amazonaws.com/{colour}_moth_icon.png" for colour in ("red", "green", "blue")}
    assert icons < set(asked)
    succeed("data", "export", "data", folder=tmp_path)
    with (tmp_path / "data" / "trials.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == [f"{colour}_moth" for colour in _SHOWN]
    assert [row["show_fixation"] for row in rows] == ["True", "False", "False", "True"]
    assert [row["i_choice"] for row in rows] == ["0", "1", "2", "0"]
    assert [row["perf"] for row in rows] == ["1", "1", "1", "1"]
    assert {row["stimulus_image_url"] for row in rows} < set(asked)


def test_choices_show_icons_or_all_names_if_one_is_missing(
    given: Path, photographs: Path, tmp_path: Path, browser: Browser
) -> None:
    with open_study(compile_study(given), tmp_path / "data") as local, serving(local.app) as address:
        for with_icons, n_icons in ((True, 3), (False, 0)):
            context = browser.new_context()
            _answer_for_buckets(context, photographs, with_icons=with_icons)
            page = context.new_page()
            page.goto(f"{address}/?PLATFORM=test&TRIALSET_ID=0&ASSIGNMENT_ID={n_icons}")
            page.get_by_test_id("start").click()
            page.get_by_test_id("fixation").click(timeout=30_000)
            trial = page.locator("[data-trial-index='0'][data-phase='choice']")
            expect(trial.locator("button.choice img")).to_have_count(n_icons)
            expect(trial.locator("button.choice .label")).to_have_count(3 - n_icons)
            assert trial.locator("button.choice").first.get_attribute("aria-label") == "red moth, key 1"
            context.close()

"""What stands on the screen, for few and many choices, in small and large windows: nothing covers anything else."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, expect

from lwise_core.authoring.compile import compile_study
from lwise_core.local.server import open_study, serving
from tests.experiments.conftest import DataSet, scored_rows, write_study

pytestmark = [pytest.mark.browser, pytest.mark.exclusive]

_FEW = ("moth", "dermatofibroma", "a very long name of a category", "Idaea biselata")
_MANY = (
    *(
        "moth",
        "Idaea biselata",
        "golden retriever",
        "dermatofibroma",
        "bee",
        "actinic keratosis",
        "toy terrier",
        "crab",
    ),
    *("loggerhead turtle", "jaguar", "tree frog", "wood duck", "owl", "koala", "ox", "dragonfly"),
)
_SMALL, _USUAL, _LARGE = (600, 600), (1280, 800), (2560, 1440)
_LEAST_FONT_PX = 11
"""The smallest type in which systems set their own labels."""
_WIDTH_DEGREES = 12


def _write_image(path: Path, number: int) -> None:
    """A colour ramp with a frame along its edge, so that one sees where it ends."""
    picture = Image.linear_gradient("L").resize((224, 224)).convert("RGB")
    picture.paste((40 * number % 256, 120, 200 - 10 * number), (60, 60, 164, 164))
    ImageDraw.Draw(picture).rectangle((0, 0, 223, 223), outline=(255, 255, 0), width=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


def _study(folder: Path, n_choices: int, **trial_config: Any) -> Path:
    rows = scored_rows((_FEW if n_choices <= len(_FEW) else _MANY)[:n_choices], {"train": 1})
    for number, row in enumerate(rows):
        _write_image(folder / "images" / "natural" / row.im_path, number)
    block = {"n_trials_per_class_train": 1, "show_feedback": True}
    config = {
        "session_config": [{"only": block}],
        "trial_config": {
            "stimulus_width_degrees": _WIDTH_DEGREES,
            "keep_stimulus_on": True,
            "stimulus_duration_msec": 50,
            "choice_duration_msec": 600_000,
            "query_string": "Which is it?",
            **trial_config,
        },
    }
    return write_study(folder / "study", DataSet(folder / "images", rows), config)


@contextmanager
def _first_trial(study: Path, browser: Browser, window: tuple[int, int]) -> Iterator[Page]:
    with open_study(compile_study(study), study.parent / "data") as local, serving(local.app) as address:
        # Sizes in degrees go by the screen, which is seldom smaller than a small laptop's.
        screen = {"width": max(window[0], 1366), "height": max(window[1], 768)}
        context = browser.new_context(viewport={"width": window[0], "height": window[1]}, screen=screen)
        page = context.new_page()
        page.goto(f"{address}/?PLATFORM=inperson")
        page.get_by_test_id("start").click()
        expect(page.get_by_test_id("choice-0")).to_be_visible()
        yield page
        context.close()


def _boxes(page: Page, selector: str) -> list[Mapping[str, float]]:
    boxes = [place.bounding_box() for place in page.locator(selector).all()]
    assert all(box is not None for box in boxes)
    return [box for box in boxes if box is not None]


def _image_box(page: Page) -> Mapping[str, float]:
    """Where the picture's pixels are: the canvas is as large as the field and transparent elsewhere."""
    box: Mapping[str, float] = page.evaluate(
        """() => {
            const canvas = document.querySelector(".field canvas");
            const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            const [xs, ys] = [new Set(), new Set()];
            for (let i = 3; i < data.length; i += 4) {
                if (data[i] > 0) {
                    xs.add((i >> 2) % width);
                    ys.add(Math.floor((i >> 2) / width));
                }
            }
            const { left, top, width: shown } = canvas.getBoundingClientRect();
            const scale = shown / width;
            const min = (values) => [...values].reduce((a, b) => Math.min(a, b));
            const max = (values) => [...values].reduce((a, b) => Math.max(a, b)) + 1;
            return {
                x: left + scale * min(xs), y: top + scale * min(ys),
                width: scale * (max(xs) - min(xs)), height: scale * (max(ys) - min(ys)),
            };
        }"""
    )
    return box


def _centre(box: Mapping[str, float]) -> tuple[float, float]:
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def _gap(circle: Mapping[str, float], rectangle: Mapping[str, float]) -> float:
    """Free px between a round choice and a picture."""
    x, y = _centre(circle)
    dx = max(rectangle["x"] - x, 0, x - rectangle["x"] - rectangle["width"])
    dy = max(rectangle["y"] - y, 0, y - rectangle["y"] - rectangle["height"])
    return math.hypot(dx, dy) - circle["width"] / 2


@pytest.mark.parametrize("window", [_SMALL, _USUAL, _LARGE], ids=lambda window: "x".join(map(str, window)))
@pytest.mark.parametrize("n_choices", [2, 4, 16])
def test_choices_surround_the_image_and_are_legible(
    n_choices: int, window: tuple[int, int], browser: Browser, tmp_path: Path
) -> None:
    with _first_trial(_study(tmp_path, n_choices), browser, window) as page:
        page.screenshot(path=tmp_path / f"{n_choices}-{window[0]}.png")
        choices, picture = _boxes(page, '[data-testid^="choice-"]'), _image_box(page)
        assert len(choices) == n_choices
        for box in (*choices, picture):
            assert box["x"] >= 0
            assert box["y"] >= 0
            assert box["x"] + box["width"] <= window[0]
            assert box["y"] + box["height"] <= window[1]
        for one, other in itertools.combinations(choices, 2):
            assert math.dist(_centre(one), _centre(other)) >= (one["width"] + other["width"]) / 2
        assert min(_gap(choice, picture) for choice in choices) >= 0
        assert picture["width"] == pytest.approx(picture["height"], abs=1.5)
        fonts = page.locator('[data-testid^="choice-"] .label').evaluate_all(
            "names => names.map((name) => parseFloat(getComputedStyle(name).fontSize))"
        )
        assert len(fonts) == n_choices
        assert min(fonts) >= _LEAST_FONT_PX
        overflowing = page.locator('[data-testid^="choice-"]').evaluate_all(
            "choices => choices.filter((c) => c.scrollWidth > c.clientWidth + 1 || c.scrollHeight > c.clientHeight + 1)"
            ".map((c) => c.textContent)"
        )
        assert overflowing == []
        assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")


def test_two_choices_answered_by_f_and_j_say_so(browser: Browser, tmp_path: Path) -> None:
    with _first_trial(_study(tmp_path, 2, keypress_fj_response=True), browser, _USUAL) as page:
        page.screenshot(path=tmp_path / "fj.png")
        left, right = _boxes(page, '[data-testid^="choice-"]')
        assert left["x"] < right["x"]
        assert [choice.get_attribute("data-key") for choice in page.locator(".choice").all()] == ["F", "J"]
        page.keyboard.press("j")
        expect(page.locator(".trial")).to_have_attribute("data-phase", "feedback")


@pytest.mark.parametrize("window", [_SMALL, _USUAL], ids=lambda window: "x".join(map(str, window)))
def test_feedback_shows_the_image_the_verdict_and_the_correct_name(
    window: tuple[int, int], browser: Browser, tmp_path: Path
) -> None:
    seen = set()
    with _first_trial(_study(tmp_path, 4), browser, window) as page:
        for _ in range(4):
            page.get_by_test_id("choice-0").click()
            expect(page.locator(".trial")).to_have_attribute("data-phase", "feedback")
            verdict = "correct" if page.get_by_test_id("feedback-correct").count() else "incorrect"
            expect(page.get_by_test_id("next")).to_be_visible()
            page.screenshot(path=tmp_path / f"{verdict}-{window[0]}.png")
            seen.add(verdict)
            assert page.locator(".feedback .name").inner_text() in _FEW
            assert _image_box(page)["width"] > 0
            for box in (*_boxes(page, ".feedback"), *_boxes(page, '[data-testid="next"]')):
                assert box["y"] >= 0
                assert box["y"] + box["height"] <= window[1]
            page.get_by_test_id("next").click()
            if seen == {"correct", "incorrect"}:
                break
            expect(page.locator(".trial")).to_have_attribute("data-phase", "choice")
    assert seen == {"correct", "incorrect"}

"""Figures are drawn without warnings for any number of conditions, participants and images; labels do not overlap."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from PIL import Image

from lwise_core.records import figures, image_figures, statistics
from lwise_core.records.selection import analysed_trials, main_trials
from lwise_core.records.variants import read_images, read_variants

from .synthetic import TRIAL_TYPES, Person, learners, study, write_variants

pytestmark = pytest.mark.filterwarnings("error")


def accuracy(people: list[Person]) -> Figure:
    tables = study(people)
    summary = statistics.condition_summary(*tables, seed=0)
    return figures.accuracy_in_test(statistics.participant_accuracy(*tables), summary)


def curves(people: list[Person]) -> Figure:
    return figures.learning_curves(statistics.learning_curve(*study(people), seed=0), chance=0.5)


def times(people: list[Person]) -> Figure:
    tables = study(people)
    curve = statistics.learning_curve(*tables, seed=0, measure="reaction_time_msec")
    return figures.reaction_times(main_trials(analysed_trials(*tables)), curve)


def conditions(accuracies: list[float]) -> list[Person]:
    return [person for index, value in enumerate(accuracies) for person in learners(index, value, n=6)]


def pixels(figure: Figure) -> np.ndarray:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=80)
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def texts(figure: Figure) -> list[str]:
    return [text for text, _ in placed_texts(figure)]


def placed_texts(figure: Figure) -> list[tuple[str, Bbox]]:
    """The visible texts and where they lie, in pixels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    shown = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    return [(text.get_text(), text.get_window_extent(canvas.get_renderer())) for text in shown]


def overlap(first: Bbox, second: Bbox) -> bool:
    return Bbox.intersection(first, second) is not None


CASES = {
    "all right": [Person(name, training="1" * 9, test="1" * 8) for name in "abc"],
    "seven conditions": conditions([0.9] * 7),
    "single participant": [Person("only", training="0101" * 4, test="0110")],
    "single trial": [Person("only", test="1")],
}


class TestPeople:
    @pytest.mark.parametrize("draw", [accuracy, curves, times])
    @pytest.mark.parametrize("people", CASES.values(), ids=CASES)
    def test_drawn_without_a_warning_on_the_page(
        self, draw: Callable[[list[Person]], Figure], people: list[Person]
    ) -> None:
        drawn = pixels(draw(people))
        height, width, _ = drawn.shape
        assert width == round(figures.WIDTH_INCHES * 80)
        assert height > 80
        assert drawn.std() > 0

    @pytest.mark.parametrize("draw", [curves, times])
    def test_study_without_a_test_has_no_test_line(self, draw: Callable[[list[Person]], Figure]) -> None:
        assert "test" not in texts(draw([Person("a", training="0101"), Person("b", training="0111")]))
        assert "test" in texts(draw([Person("a", training="0101", test="01")]))

    @pytest.mark.parametrize("accuracies", [[0.5, 0.5], [0.97, 0.99], [0.03, 0.1], [0.45, 0.5, 0.55, 0.9, 1.0]])
    def test_the_chance_label_covers_no_percentage(self, accuracies: list[float]) -> None:
        placed = placed_texts(accuracy(conditions(accuracies)))
        (chance,) = [box for text, box in placed if text == "chance"]
        percentages = [box for text, box in placed if re.fullmatch(r"\d+\.\d%", text)]
        assert len(percentages) == len(accuracies)
        assert not any(overlap(box, chance) for box in percentages)

    @pytest.mark.parametrize("draw", [curves, times])
    def test_labels_of_close_lines_do_not_overlap(self, draw: Callable[[list[Person]], Figure]) -> None:
        figure = draw(conditions([0.9] * 7))
        placed = dict(placed_texts(figure))
        names = [placed[f"{index} · {trial_type}"] for index, trial_type in enumerate(TRIAL_TYPES)]
        assert not any(overlap(names[a], names[b]) for a in range(7) for b in range(a))
        lines = figure.axes[-1].bbox
        assert all(lines.y0 < (name.y0 + name.y1) / 2 < lines.y1 + 1 and name.x1 < figure.bbox.x1 for name in names)

    def test_dollar_signs_in_labels_are_literal(self) -> None:
        tables = study(conditions([0.6]))
        summary = statistics.condition_summary(*tables, seed=0).assign(label="0 · $\\frac$ for $5")
        pixels(figures.accuracy_in_test(statistics.participant_accuracy(*tables), summary))


class TestLogitGain:
    @pytest.mark.parametrize(
        "gains", [{"ε = 1": [0.5]}, {"ε = 1": [0.5, 0.5]}, {f"ε = {n}": [n, n + 1.0, n - 2] for n in range(7)}]
    )
    def test_drawn_for_one_image_equal_images_and_many_variants(self, gains: dict[str, list[float]]) -> None:
        assert pixels(figures.logit_gain(gains)).std() > 0

    def test_says_the_median(self) -> None:
        assert "+2.50" in texts(figures.logit_gain({"ε = 1": [-1.0, 2.5, 9.0]}))


class TestPictures:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return write_variants(tmp_path, epsilons=(1.0, 4.0))

    def test_rows_run_from_easy_to_hard_with_the_logits_below(self, folder: Path) -> None:
        figure = image_figures.enhanced_images(
            read_images(folder / "dirmap.csv"), read_variants(folder), folder, n_images=2
        )
        captions = [axes.get_xlabel() for axes in figure.axes]
        assert len(captions) == 2 * 3
        assert captions[::3] == ["logit 1.00", "logit 1.00"]
        assert all(caption.startswith("logit ") for caption in captions)
        assert {"natural", "ε = 1", "ε = 4"} <= set(texts(figure))

    def test_shown_is_what_is_stored(self, folder: Path) -> None:
        image = read_images(folder / "dirmap.csv").head(1)
        figure = image_figures.enhanced_images(image, read_variants(folder), folder, n_images=1)
        for axes, variant in zip(figure.axes, ("natural", "eps1", "eps4"), strict=True):
            with Image.open(folder / variant / image["im_path"].iloc[0]) as stored:
                np.testing.assert_allclose(axes.images[0].get_array() * 255, np.asarray(stored), atol=1e-3)

    def test_difference_is_amplified_around_mid_grey_by_the_factor_that_is_named(self, folder: Path) -> None:
        """The variants add 4 and 16 of 255; the largest power of two that keeps 16 / 255 within 0.5 is 4."""
        image = read_images(folder / "dirmap.csv").head(1)
        figure = image_figures.enhanced_images(image, read_variants(folder), folder, n_images=1, difference=True)
        assert "difference × 4" in texts(figure)
        differences = [np.asarray(axes.images[0].get_array()) for axes in figure.axes[3:]]
        assert [float(found.mean()) for found in differences] == pytest.approx(
            [0.5 + 4 * 4 / 255, 0.5 + 4 * 16 / 255], abs=1e-4
        )

    @pytest.mark.parametrize(("n_variants", "n_images"), [(1, 1), (7, 6)])
    def test_drawn_without_a_warning(self, tmp_path: Path, n_variants: int, n_images: int) -> None:
        folder = write_variants(tmp_path, epsilons=tuple(float(n + 1) for n in range(n_variants)), n_per_class=2)
        images, variants = read_images(folder / "dirmap.csv"), read_variants(folder)
        for difference in (False, True):
            figure = image_figures.enhanced_images(images, variants, folder, n_images=n_images, difference=difference)
            assert pixels(figure).std() > 0

    def test_images_missing_from_a_variant_are_not_shown(self, folder: Path) -> None:
        (folder / "eps4" / "train" / "ajax" / "000.png").unlink()
        images, variants = read_images(folder / "dirmap.csv"), read_variants(folder)
        assert len(image_figures.enhanced_images(images, variants, folder, n_images=20).axes) == 7 * 3

    @pytest.mark.parametrize("n_scored", [1, 3, 8])
    def test_difficulty_shows_the_scored_images_and_their_extremes(self, folder: Path, n_scored: int) -> None:
        images = read_images(folder / "dirmap.csv")
        images.loc[n_scored:, "difficulty"] = np.nan
        figure = image_figures.difficulty_histogram(images, folder)
        assert sum(bar.get_height() for bar in figure.axes[0].patches) == n_scored
        assert pixels(figure).std() > 0


def test_chosen_images_spread_over_difficulty_and_alternate_classes() -> None:
    images = pd.DataFrame(
        {
            "im_path": [f"{number}.png" for number in range(40)],
            "class": ["ajax", "eris"] * 20,
            "difficulty": np.linspace(1, 0, 40),
        }
    )
    chosen = image_figures.choose_images(images, 4)
    assert sorted(chosen["class"]) == ["ajax", "ajax", "eris", "eris"]
    assert chosen["difficulty"].is_monotonic_increasing
    np.testing.assert_allclose(chosen["difficulty"], [0.125, 0.375, 0.625, 0.875], atol=0.03)
    assert (
        chosen["im_path"].tolist()
        == image_figures.choose_images(images.sample(frac=1, random_state=1), 4)["im_path"].tolist()
    )

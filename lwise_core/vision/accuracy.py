"""Accuracy of a model per class, and its confusion matrix."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lwise_core import atomic_files
from lwise_core.dirmap import DirmapRow, class_names, write_csv
from lwise_core.vision.score import Score

ACCURACY_FILE = "accuracy.csv"
CONFUSION_FILE = "confusion.csv"
CONFUSION_IMAGE = "confusion.png"

_OTHER = "(other)"
"""All classes of the model that the data set does not have; the brackets distinguish it from a class of that name."""
_MAX_CLASSES_WITH_NUMBERS = 20


@dataclass(frozen=True)
class Confusion:
    """How often each class was predicted for the images of each class.

    Attributes
    ----------
    classes : of the data set, in their order.
    predictions : the same, and `(other)` if the model predicted a class that the data set does not have.
    counts : class -> prediction -> number of images.
    """

    classes: tuple[str, ...]
    predictions: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    @property
    def n_images(self) -> int:
        return sum(map(sum, self.counts))

    @property
    def accuracy(self) -> float:
        """Share of correct predictions, 0 to 1."""
        return sum(self.counts[number][number] for number in range(len(self.classes))) / self.n_images

    def accuracy_of(self, number: int) -> float | None:
        """Share of correct predictions for one class; None if it has no images."""
        n_images = sum(self.counts[number])
        return self.counts[number][number] / n_images if n_images else None


def confusion(rows: Sequence[DirmapRow], scored: Mapping[int, Score]) -> Confusion:
    """Count predictions by class.

    Parameters
    ----------
    scored : by index of the row.
    """
    classes = tuple(class_names(rows))
    pairs = Counter(
        (rows[index].class_name, score.prediction if score.prediction in classes else _OTHER)
        for index, score in scored.items()
    )
    predictions = (*classes, _OTHER) if any(prediction == _OTHER for _, prediction in pairs) else classes
    counts = tuple(tuple(pairs[name, prediction] for prediction in predictions) for name in classes)
    return Confusion(classes, predictions, counts)


def write_report(folder: Path, matrix: Confusion) -> None:
    """Write `accuracy.csv`, `confusion.csv` (a row per true class) and `confusion.png`, replacing older files."""
    per_class = [
        (name, sum(matrix.counts[number]), matrix.counts[number][number], _text(matrix.accuracy_of(number)))
        for number, name in enumerate(matrix.classes)
    ]
    n_correct = sum(correct for _, _, correct, _ in per_class)
    overall = ("", matrix.n_images, n_correct, _text(matrix.accuracy))
    write_csv(folder / ACCURACY_FILE, ("class", "images", "correct", "accuracy"), [*per_class, overall])
    lines = [(name, *counts) for name, counts in zip(matrix.classes, matrix.counts, strict=True)]
    write_csv(folder / CONFUSION_FILE, ("class", *matrix.predictions), lines)
    atomic_files.write_bytes(folder / CONFUSION_IMAGE, _draw(matrix))


def _draw(matrix: Confusion) -> bytes:
    """PNG: rows are true classes, columns predictions, colours the share of the row."""
    from matplotlib.figure import Figure

    shares = [[count / max(1, sum(counts)) for count in counts] for counts in matrix.counts]
    side = min(14.0, 2.5 + 0.5 * len(matrix.predictions))
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label="share of the class's images", shrink=0.8)
    axes.set(xlabel="prediction", ylabel="true class", title=f"accuracy {matrix.accuracy:.1%} (n = {matrix.n_images})")
    if len(matrix.predictions) <= _MAX_CLASSES_WITH_NUMBERS:
        axes.set_xticks(range(len(matrix.predictions)), matrix.predictions, rotation=45, ha="right")
        axes.set_yticks(range(len(matrix.classes)), matrix.classes)
        for number, counts in enumerate(matrix.counts):
            for column, count in enumerate(counts):
                colour = "white" if shares[number][column] > 0.5 else "black"
                axes.text(column, number, str(count), ha="center", va="center", color=colour)
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=120)
    return png.getvalue()


def _text(share: float | None) -> str:
    return "" if share is None else f"{share:.6f}"

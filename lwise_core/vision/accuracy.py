"""How often a model is right, per class, and what it takes for what."""

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
CONFUSION_PICTURE = "confusion.png"

_OTHER = "(other)"
"""All classes of the model that the data set does not have; brackets keep it apart from a class of that name."""
_MOST_CLASSES_WITH_NUMBERS = 20


@dataclass(frozen=True)
class Confusion:
    """How many images of each class were taken for which.

    Attributes
    ----------
    classes : of the data set, in their order.
    predictions : the same, and `(other)` if the model took an image for a class that the data set does not have.
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
        """Share of all images that are taken for what they are, 0 to 1."""
        return sum(self.counts[number][number] for number in range(len(self.classes))) / self.n_images

    def accuracy_of(self, number: int) -> float | None:
        """Of the images of one class; None if there are none."""
        of_class = sum(self.counts[number])
        return self.counts[number][number] / of_class if of_class else None


def confusion(rows: Sequence[DirmapRow], scored: Mapping[int, Score]) -> Confusion:
    """What the scored images, by index of the row, were taken for."""
    classes = tuple(class_names(rows))
    pairs = Counter(
        (rows[index].class_name, score.prediction if score.prediction in classes else _OTHER)
        for index, score in scored.items()
    )
    predictions = (*classes, _OTHER) if any(prediction == _OTHER for _, prediction in pairs) else classes
    counts = tuple(tuple(pairs[name, prediction] for prediction in predictions) for name in classes)
    return Confusion(classes, predictions, counts)


def write_report(folder: Path, found: Confusion) -> None:
    """Write `accuracy.csv`, `confusion.csv` (a line per true class) and `confusion.png`; older ones are replaced."""
    per_class = [
        (name, sum(found.counts[number]), found.counts[number][number], _text(found.accuracy_of(number)))
        for number, name in enumerate(found.classes)
    ]
    right = sum(correct for _, _, correct, _ in per_class)
    overall = ("", found.n_images, right, _text(found.accuracy))
    write_csv(folder / ACCURACY_FILE, ("class", "images", "correct", "accuracy"), [*per_class, overall])
    lines = [(name, *counts) for name, counts in zip(found.classes, found.counts, strict=True)]
    write_csv(folder / CONFUSION_FILE, ("class", *found.predictions), lines)
    atomic_files.write_bytes(folder / CONFUSION_PICTURE, _drawn(found))


def _drawn(found: Confusion) -> bytes:
    """PNG: rows are true classes, columns predictions, colours the share of the row."""
    from matplotlib.figure import Figure

    shares = [[count / max(1, sum(counts)) for count in counts] for counts in found.counts]
    side = min(14.0, 2.5 + 0.5 * len(found.predictions))
    figure = Figure(figsize=(side + 0.8, side), layout="constrained")
    axes = figure.add_subplot()
    picture = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(picture, ax=axes, label="share of the class's images", shrink=0.8)
    axes.set(xlabel="prediction", ylabel="true class", title=f"accuracy {found.accuracy:.1%} (n = {found.n_images})")
    if len(found.predictions) <= _MOST_CLASSES_WITH_NUMBERS:
        axes.set_xticks(range(len(found.predictions)), found.predictions, rotation=45, ha="right")
        axes.set_yticks(range(len(found.classes)), found.classes)
        for number, counts in enumerate(found.counts):
            for at, count in enumerate(counts):
                colour = "white" if shares[number][at] > 0.5 else "black"
                axes.text(at, number, str(count), ha="center", va="center", color=colour)
    written = io.BytesIO()
    figure.savefig(written, format="png", dpi=120)
    return written.getvalue()


def _text(share: float | None) -> str:
    return "" if share is None else f"{share:.6f}"

"""Figures that show images: what enhancement does, and which images are easy and hard.

Knows images and their scores; knows nothing of participants.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from lwise_core.file_names import NATURAL
from lwise_core.records.figures import COLOURS, FAINT, INK, SOFT, WIDTH_INCHES, plain, styled
from lwise_core.records.variants import Variant, open_image, short_names

_TEXT, _SMALL = 8.5, 7.5
_MAX_VARIANTS = 6
_MAX_PIXELS = 480
"""Longer side of an image inside a figure; more would only enlarge the file."""
_LABEL_INCHES, _GAP_INCHES, _CAPTION_INCHES, _HEADER_INCHES = 1.12, 0.07, 0.24, 0.26
_ASPECTS = (0.6, 1.6)
_VISIBLE_PERCENTILE = 99.5
_MAX_GAIN = 64.0

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class _Row:
    """One image of the data set: the natural copy, then every variant, each with its caption."""

    heading: str
    note: str
    images: Sequence[Pixels]
    captions: Sequence[str]


def enhanced_images(
    images: pd.DataFrame, variants: Sequence[Variant], root: Path, *, n_images: int = 6, difference: bool = False
) -> Figure:
    """Natural beside enhanced images at each ε, with the guide model's true-class logit below each.

    Parameters
    ----------
    images : `variants.read_images`. `n_images` of them are shown, easiest first, spread evenly over difficulty and
        alternating between classes; the same table gives the same selection.
    root : the folder of variants. At most six variants are shown, spread over ε.
    difference : below each enhanced image show its amplified difference from the natural one, around mid-grey.
    """
    selected = _spread_over(variants, _MAX_VARIANTS)
    chosen = choose_images(_present(images, [root / NATURAL, *(variant.folder for variant in selected)]), n_images)
    rows = [_row(image, selected, root) for image in chosen.to_dict("records")]
    gain = _visible_gain(rows) if difference else 0.0
    grid = _Grid(n_columns=1 + len(selected), aspect=_aspect(rows))
    figure, lines = grid.figure(len(rows), with_difference=difference)
    for column, title in enumerate([NATURAL, *short_names(selected)]):
        grid.header(figure, column, title)
    for row, top in zip(rows, lines, strict=True):
        grid.label(figure, top, row.heading, row.note)
        for column, (pixels, caption) in enumerate(zip(row.images, row.captions, strict=True)):
            _show(grid.cell(figure, column, top), pixels, caption)
        if difference:
            below = top + grid.height + _CAPTION_INCHES
            grid.label(figure, below, "", f"difference × {gain:g}")
            for column, pixels in enumerate(row.images[1:], start=1):
                _show(grid.cell(figure, column, below), 0.5 + gain * (pixels - row.images[0]), "")
    return figure


def difficulty_histogram(images: pd.DataFrame, root: Path, *, n_images: int = 4) -> Figure:
    """Histogram of difficulty, beside the easiest and hardest natural images.

    Images without a difficulty are omitted; at least one must have it.
    """
    scored = images.dropna(subset=["difficulty"]).sort_values(["difficulty", "im_path"], kind="stable")
    figure = Figure(figsize=(WIDTH_INCHES, 3.1), layout="constrained")
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(1, 1.5), wspace=0.03)[0]
    axes = styled(left.subplots())
    axes.hist(scored["difficulty"], bins=20, range=(0, 1), color=COLOURS[0], alpha=0.75, edgecolor="white")
    middle = float(scored["difficulty"].median())
    axes.axvline(middle, color=INK, linewidth=1, linestyle=(0, (3, 2)))
    axes.annotate(
        f"median {middle:.2f}",
        (middle, 1),
        xycoords=axes.get_xaxis_transform(),
        xytext=(0, 3),
        textcoords="offset points",
        ha="center",
        fontsize=_SMALL,
        color=INK,
    )
    axes.set_xlabel("difficulty (0 easiest, 1 hardest)", fontsize=_TEXT, color=SOFT)
    axes.set_ylabel("images", fontsize=_TEXT, color=SOFT)
    extremes = {"Easiest": scored.head(n_images), "Hardest": scored.tail(n_images)}
    for part, (title, chosen) in zip(np.ravel(right.subfigures(2, 1)), extremes.items(), strict=True):
        part.suptitle(title, x=0.01, ha="left", fontsize=_TEXT, color=INK)
        cells = part.subplots(1, n_images, squeeze=False)[0]
        for cell, image in zip(cells, chosen.to_dict("records"), strict=False):
            _show(cell, _pixels(root / NATURAL / image["im_path"]), _shortened(image["class"], 15))
        for cell in cells[len(chosen) :]:
            cell.axis("off")
    return figure


def choose_images(images: pd.DataFrame, n_images: int) -> pd.DataFrame:
    """`n_images` rows, easiest first, spread evenly over difficulty (else `im_path`), alternating between classes."""
    ordered = images.sort_values(["difficulty", "im_path"], kind="stable", ignore_index=True)
    classes = sorted(ordered["class"].unique())
    chosen: list[int] = []
    n_chosen = min(n_images, len(ordered))
    for number in range(n_chosen):
        target = (number + 0.5) / n_chosen * (len(ordered) - 1)
        free = ordered.index.difference(chosen)
        of_class = free[ordered.loc[free, "class"] == classes[number % len(classes)]]
        candidates = of_class if len(of_class) else free
        chosen.append(int(candidates[np.abs(candidates - target).argmin()]))
    return ordered.loc[sorted(chosen)]


@dataclass(frozen=True)
class _Grid:
    """Lays out images in a grid measured in inches, so that all have the same size."""

    n_columns: int
    aspect: float

    @property
    def width(self) -> float:
        # Few columns would make the images too large.
        return min(1.5, (WIDTH_INCHES - _LABEL_INCHES) / self.n_columns - _GAP_INCHES)

    @property
    def height(self) -> float:
        return self.width * self.aspect

    def figure(self, n_rows: int, *, with_difference: bool) -> tuple[Figure, list[float]]:
        """The empty figure, and the upper edge of each row in inches from the top."""
        per_row = self.height + _CAPTION_INCHES + (self.height + _GAP_INCHES if with_difference else 0) + _GAP_INCHES
        lines = [_HEADER_INCHES + row * per_row for row in range(n_rows)]
        return Figure(figsize=(WIDTH_INCHES, _HEADER_INCHES + n_rows * per_row)), lines

    def cell(self, figure: Figure, column: int, top: float) -> Axes:
        left, bottom = self._left(column), figure.get_figheight() - top - self.height
        size = (self.width / WIDTH_INCHES, self.height / figure.get_figheight())
        return figure.add_axes((left / WIDTH_INCHES, bottom / figure.get_figheight(), *size))

    def header(self, figure: Figure, column: int, text: str) -> None:
        middle = (self._left(column) + self.width / 2) / WIDTH_INCHES
        height = 1 - (_HEADER_INCHES - 0.06) / figure.get_figheight()
        figure.text(middle, height, plain(_shortened(text, 16)), ha="center", fontsize=_TEXT, color=INK, weight="bold")

    def label(self, figure: Figure, top: float, heading: str, note: str) -> None:
        middle = 1 - (top + self.height / 2) / figure.get_figheight()
        step = 0.09 / figure.get_figheight() if heading else 0
        right = (_LABEL_INCHES - 0.1) / WIDTH_INCHES
        alignment: dict[str, Any] = {"ha": "right", "va": "center"}
        figure.text(right, middle + step, plain(_shortened(heading, 17)), fontsize=_SMALL, color=INK, **alignment)
        figure.text(right, middle - step, plain(note), fontsize=_SMALL, color=SOFT, **alignment)

    def _left(self, column: int) -> float:
        return _LABEL_INCHES + column * (self.width + _GAP_INCHES)


def _row(image: dict[str, object], variants: Sequence[Variant], root: Path) -> _Row:
    path = str(image["im_path"])
    natural_logit, captions = float(str(image["robust_gt_logit"])), []
    for variant in variants:
        measured = variant.measured[variant.measured["im_path"] == path]
        enhanced_logit = float(measured["logit_enhanced"].iloc[0]) if len(measured) else math.nan
        if len(measured):
            natural_logit = float(measured["logit_natural"].iloc[0])
        captions.append(_logit(enhanced_logit))
    difficulty = float(str(image["difficulty"]))
    return _Row(
        heading=str(image["class"]),
        note="" if math.isnan(difficulty) else f"difficulty {difficulty:.2f}",
        images=[_pixels(root / NATURAL / path), *(_pixels(variant.folder / path) for variant in variants)],
        captions=[_logit(natural_logit), *captions],
    )


def _show(axes: Axes, pixels: Pixels, caption: str) -> None:
    axes.imshow(np.clip(pixels, 0, 1), interpolation="lanczos", interpolation_stage="rgba")
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(color=FAINT, linewidth=0.5)
    axes.set_xlabel(plain(caption), fontsize=_SMALL, color=INK, labelpad=3)


def _pixels(path: Path) -> Pixels:
    image = open_image(path)
    image.thumbnail((_MAX_PIXELS, _MAX_PIXELS), Image.Resampling.LANCZOS)
    return np.asarray(image, dtype=np.float32) / np.float32(255)


def _present(images: pd.DataFrame, folders: Sequence[Path]) -> pd.DataFrame:
    """The images that exist in every folder."""
    return images.loc[[all((folder / path).is_file() for folder in folders) for path in images["im_path"]]]


def _aspect(rows: Sequence[_Row]) -> float:
    """Height / width of the first image, clamped."""
    if not rows:
        return 1.0
    height, width = rows[0].images[0].shape[:2]
    return float(min(max(height / width, _ASPECTS[0]), _ASPECTS[1]))


def _visible_gain(rows: Sequence[_Row]) -> float:
    """A power of two that keeps all but the largest changes of the strongest variant within the grey scale."""
    changes = [np.abs(row.images[-1] - row.images[0]).ravel() for row in rows if len(row.images) > 1]
    largest = float(np.percentile(np.concatenate(changes), _VISIBLE_PERCENTILE)) if changes else 0.0
    return 2.0 ** math.floor(math.log2(min(_MAX_GAIN, 0.5 / max(largest, 1e-6))))


def _spread_over(variants: Sequence[Variant], n_max: int) -> list[Variant]:
    if len(variants) <= n_max:
        return list(variants)
    return [variants[round(place)] for place in np.linspace(0, len(variants) - 1, n_max)]


def _logit(value: float) -> str:
    return "" if math.isnan(value) else f"logit {value:.2f}"


def _shortened(text: str, max_length: int) -> str:
    return text if len(text) <= max_length else text[: max_length - 1] + "…"

"""The figures of a report, each a function from tables to a matplotlib `Figure`.

Uses only matplotlib's objects, no global state. Knows nothing of HTML or of where figures are used.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, PercentFormatter

WIDTH_INCHES = 7.2
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe & Ito's palette (2008), without yellow, which is faint on white."""
INK, SOFT, FAINT = "#1f2328", "#6b7280", "#d9dce1"
_TITLE, _TEXT, _SMALL = 9.5, 8.5, 7.5
_RT_RANGE_PERCENT = (0.2, 99.8)
_MAX_DOTS_ACROSS = 9
_LINE_HEIGHT = 0.06
"""Height of a small line of text, as a share of the axes' height."""


def accuracy_in_test(people: pd.DataFrame, summary: pd.DataFrame) -> Figure:
    """Every participant's test accuracy, and the mean per condition with its interval.

    `people` is `statistics.participant_accuracy`, `summary` is `statistics.condition_summary`.
    """
    shown = summary.dropna(subset=["test_accuracy"]).reset_index(drop=True)
    figure = Figure(figsize=(WIDTH_INCHES, 0.75 + 0.62 * len(shown)), layout="constrained")
    axes = styled(figure.subplots())
    for row, condition in shown.iterrows():
        own = people.loc[people["condition_idx"] == condition["condition_idx"], "test_accuracy"].to_numpy()
        colour = _colour(condition["condition_idx"])
        axes.scatter(own, row + _spread(own), s=13, color=colour, alpha=0.4, linewidths=0)
        value, low, high = (condition[f"test_accuracy{end}"] for end in ("", "_low", "_high"))
        if not math.isnan(low):
            axes.plot([low, high], [row, row], color=colour, linewidth=2.2, solid_capstyle="butt", zorder=3)
        axes.plot(value, row, "o", color=colour, markersize=7, markeredgecolor="white", zorder=4)
        # A white background keeps the chance line from crossing the digits.
        white = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
        _text(axes, value, row - 0.4, f"{value:.1%}", colour, ha="center", va="bottom", weight="bold", bbox=white)
    _chance_line(axes, shown["chance"].mean(), vertical=True)
    axes.set_yticks(range(len(shown)), [plain(label) for label in shown["label"]], fontsize=_TEXT, color=INK)
    axes.set_ylim(len(shown) - 0.45, -0.65)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlim(-0.02, 1.02)
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel("test accuracy", fontsize=_TEXT, color=SOFT)
    return figure


def learning_curves(curve: pd.DataFrame, *, chance: float) -> Figure:
    """Accuracy over the session per condition with pointwise intervals, and the start of the test.

    `curve` is `statistics.learning_curve` of `perf`.
    """
    figure = Figure(figsize=(WIDTH_INCHES, 3.4), layout="constrained")
    axes = styled(figure.subplots())
    _curves(axes, curve)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    lowest = min(float(curve["value"].min()), float(curve["low"].min()), chance)
    axes.set_ylim(max(-0.02, lowest - 0.08), 1.02)
    _name_lines(axes, curve)
    _chance_line(axes, chance, vertical=False)
    _test_line(axes, curve)
    axes.set_ylabel("accuracy", fontsize=_TEXT, color=SOFT)
    return figure


def reaction_times(main: pd.DataFrame, curve: pd.DataFrame) -> Figure:
    """Left: reaction times of all main trials; right: reaction time over the session.

    `main` has condition_idx and reaction_time_msec; `curve` is `statistics.learning_curve` of the reaction time.
    """
    figure = Figure(figsize=(WIDTH_INCHES, 3.0), layout="constrained")
    left, right = (styled(axes) for axes in figure.subplots(1, 2, width_ratios=(1, 1.45)))
    times = main.dropna(subset=["reaction_time_msec"])
    seconds = times["reaction_time_msec"].to_numpy(dtype=float) / 1000
    shortest, longest = np.percentile(seconds, _RT_RANGE_PERCENT)
    shortest = max(shortest, 0.02)
    edges = np.geomspace(shortest, max(longest, shortest * 1.5), 36)
    for condition, own in times.groupby("condition_idx"):
        own_seconds = own["reaction_time_msec"].to_numpy(dtype=float) / 1000
        counts = np.histogram(own_seconds, edges)[0] / len(own_seconds)
        left.stairs(counts, edges, color=_colour(condition), linewidth=1.4)
        left.stairs(counts, edges, color=_colour(condition), alpha=0.12, fill=True)
        left.axvline(float(np.median(own_seconds)), color=_colour(condition), linewidth=1, linestyle=(0, (3, 2)))
    left.set_xscale("log")
    left.xaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    left.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    left.xaxis.set_minor_formatter(NullFormatter())
    left.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    left.set_ylim(0)
    _title(left, "All main trials (dashed: median)")
    left.set_xlabel("reaction time, s (log scale)", fontsize=_TEXT, color=SOFT)
    left.set_ylabel("share of trials", fontsize=_TEXT, color=SOFT)
    in_seconds = curve.assign(**{name: curve[name] / 1000 for name in ("value", "low", "high")})
    _curves(right, in_seconds)
    right.set_ylim(0, 1.15 * float(in_seconds[["value", "high"]].max().max()))
    _name_lines(right, in_seconds)
    _test_line(right, in_seconds)
    _title(right, "Over the session")
    right.set_ylabel("median reaction time, s", fontsize=_TEXT, color=SOFT)
    return figure


def logit_gain(gains: Mapping[str, Sequence[float]]) -> Figure:
    """Gain in the guide model's true-class logit per variant, in the given order; label -> one value per image."""
    figure = Figure(figsize=(WIDTH_INCHES, 3.0), layout="constrained")
    axes = styled(figure.subplots())
    places = np.arange(len(gains))
    axes.axhline(0, color=SOFT, linewidth=0.8)
    for place, values in zip(places, gains.values(), strict=True):
        gain = np.asarray(values, dtype=float)
        if len(np.unique(gain)) > 1:
            body = axes.violinplot([gain], [place], widths=0.75, showextrema=False)["bodies"]
            for part in body:  # type: ignore[attr-defined]
                part.set(facecolor=COLOURS[0], alpha=0.25, linewidth=0)
        low, middle, high = np.percentile(gain, (25, 50, 75))
        axes.plot([place, place], [low, high], color=COLOURS[0], linewidth=4, solid_capstyle="butt")
        axes.plot(place, middle, "o", color="white", markeredgecolor=COLOURS[0], markersize=5.5, zorder=3)
        _text(axes, place + 0.07, middle, f"{middle:+.2f}", INK, va="center")
    axes.set_xticks(places, [plain(label) for label in gains])
    axes.set_xlim(-0.6, len(gains) - 0.4)
    axes.set_ylabel("gain in true-class logit", fontsize=_TEXT, color=SOFT)
    return figure


def _curves(axes: Axes, curve: pd.DataFrame) -> None:
    """One line and band per condition, broken between training and test."""
    for (condition, _), own in curve.groupby(["condition_idx", "phase"]):
        colour = _colour(condition)
        axes.fill_between(own["trial"], own["low"], own["high"], color=colour, alpha=0.15, linewidth=0)
        axes.plot(own["trial"], own["value"], color=colour, linewidth=1.8, marker="o", markersize=3.2)
    axes.set_xlim(0, float(curve["trial"].max()) * 1.02)
    axes.set_xlabel("main trial", fontsize=_TEXT, color=SOFT)


def _name_lines(axes: Axes, curve: pd.DataFrame) -> None:
    """Label each condition to the right of its line, without overlaps. Set the limits of `axes` before."""
    ends = curve.loc[curve.groupby("condition_idx")["trial"].idxmax()].sort_values(["value", "condition_idx"])
    bottom, top = axes.get_ylim()
    heights = _apart(ends["value"], step=_LINE_HEIGHT * (top - bottom), highest=top)
    for height, end in zip(heights, ends.to_dict("records"), strict=True):
        axes.annotate(
            plain(_shortened(end["label"])),
            (end["trial"], height),
            xytext=(7, 0),
            textcoords="offset points",
            color=_colour(end["condition_idx"]),
            fontsize=_SMALL,
            va="center",
            annotation_clip=False,
        )


def _apart(ascending: Iterable[float], *, step: float, highest: float) -> list[float]:
    """The values moved up, then down from `highest`, until neighbours are at least `step` apart."""
    places: list[float] = []
    for value in ascending:
        places.append(max(value, places[-1] + step) if places else value)
    return [min(place, highest - above * step) for above, place in zip(range(len(places))[::-1], places, strict=True)]


def _test_line(axes: Axes, curve: pd.DataFrame) -> None:
    """Mark the start of the test, if all test trials come after the training."""
    test, training = curve[curve["phase"] == "test"], curve[curve["phase"] == "training"]
    if len(test) == 0 or len(training) == 0 or test["trial"].min() < training["trial"].max():
        return
    start = float(test["first_trial"].min()) - 0.5
    axes.axvline(start, color=SOFT, linewidth=0.9, linestyle=(0, (4, 3)))
    across = axes.get_xaxis_transform()
    for text, offset, align in (("training", -4, "right"), ("test", 4, "left")):
        axes.annotate(
            text,
            (start, 0.02),
            xycoords=across,
            xytext=(offset, 0),
            textcoords="offset points",
            ha=align,
            fontsize=_SMALL,
            color=SOFT,
        )


def _chance_line(axes: Axes, chance: float, *, vertical: bool) -> None:
    if math.isnan(chance):
        return
    style = {"color": SOFT, "linewidth": 0.9, "linestyle": (0, (1, 2))}
    if vertical:
        axes.axvline(chance, **style)  # type: ignore[arg-type]
        axes.annotate(
            "chance",
            (chance, 1),
            xycoords=axes.get_xaxis_transform(),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            fontsize=_SMALL,
            color=SOFT,
        )
    else:
        axes.axhline(chance, **style)  # type: ignore[arg-type]
        axes.annotate(
            "chance",
            (0, chance),
            xycoords=axes.get_yaxis_transform(),
            xytext=(4, 3),
            textcoords="offset points",
            fontsize=_SMALL,
            color=SOFT,
        )


def _spread(values: np.ndarray) -> np.ndarray:
    """Vertical offsets that separate equal values: 0, then alternately below and above."""
    counts: dict[float, int] = {}
    offsets = []
    for value in np.round(values, 3):
        rank = counts.get(value, 0) % _MAX_DOTS_ACROSS
        counts[value] = counts.get(value, 0) + 1
        offsets.append(0.06 * ((rank + 1) // 2) * (1 if rank % 2 else -1))
    return np.array(offsets)


def _colour(condition: int) -> str:
    return COLOURS[int(condition) % len(COLOURS)]


def styled(axes: Axes) -> Axes:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FAINT)
    axes.tick_params(which="both", labelsize=_SMALL, labelcolor=SOFT, color=FAINT)
    return axes


def _title(axes: Axes, text: str) -> None:
    axes.set_title(plain(text), fontsize=_TITLE, color=INK, loc="left", pad=8)


def _text(axes: Axes, x: float, y: float, text: str, colour: str, **style: Any) -> None:
    axes.text(x, y, plain(text), color=colour, fontsize=_SMALL, **style)


def _shortened(label: str, max_length: int = 26) -> str:
    return label if len(label) <= max_length else label[: max_length - 1] + "…"


def plain(text: str) -> str:
    """Literal text: matplotlib would typeset text between dollar signs as mathematics."""
    return text.replace("$", r"\$")

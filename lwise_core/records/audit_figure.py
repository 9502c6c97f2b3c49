"""The figure of an audit: what participants would get.

Knows the counts of `authoring.audit` and matplotlib; nothing of how trial sets are built.
"""

from __future__ import annotations

import io
from collections import Counter
from itertools import accumulate
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from lwise_core import atomic_files
from lwise_core.authoring.audit import Audit
from lwise_core.errors import InputError
from lwise_core.experiments.study import CALIBRATION, REPEAT
from lwise_core.records.figures import COLOURS, FAINT, INK, SOFT, WIDTH_INCHES, plain, styled

_FORMATS = (".png", ".pdf", ".svg")
_DPI = 160
_TITLE, _TEXT, _SMALL = 9.5, 8.5, 7.5
_MOST_NAMES = 16
_HATCHES = ("", "////", "....", "xxxx")
"""Distinguish trial types beyond the seven colours."""


def write_audit_figure(path: Path, audit: Audit) -> None:
    """Write the figure of an audit.

    Raises
    ------
    InputError
        If `path` does not end in .png, .pdf or .svg or cannot be written.
    """
    if path.suffix.lower() not in _FORMATS:
        raise InputError(f"{path}: cannot be written; expected a file name that ends in {', '.join(_FORMATS)}")
    file = io.BytesIO()
    audit_figure(audit).savefig(file, format=path.suffix.lower()[1:], dpi=_DPI, facecolor="white")
    atomic_files.write_bytes(path, file.getvalue())


def audit_figure(audit: Audit) -> Figure:
    """Five panels: the design per condition, balance of conditions, runs of a class, exposures and attention checks."""
    n_conditions = audit.study.conditions.count
    design_height = 1.5 + 0.24 * n_conditions
    figure = Figure(figsize=(WIDTH_INCHES, design_height + 4.6), layout="constrained")
    grid = figure.add_gridspec(3, 2, height_ratios=[design_height, 2.3, 2.3])
    _design(styled(figure.add_subplot(grid[0, :])), audit)
    _conditions(styled(figure.add_subplot(grid[1, 0])), audit)
    _runs(styled(figure.add_subplot(grid[1, 1])), audit)
    _exposures(styled(figure.add_subplot(grid[2, 0])), audit)
    _calibration(styled(figure.add_subplot(grid[2, 1])), audit)
    figure.suptitle(
        plain(f"{audit.study.study_id}: {audit.n_trialsets:,} trial sets"), fontsize=11, color=INK, x=0.01, ha="left"
    )
    return figure


def _design(axes: Axes, audit: Audit) -> None:
    """A bar per condition and block, divided by the trial types of its main trials, with their number."""
    per_cell: dict[tuple[int, int], Counter[str]] = {}
    least: Counter[tuple[int, int]] = Counter()
    for group, spread in audit.groups.items():
        if group.class_name is None and group.trial_type not in (CALIBRATION, REPEAT):
            per_cell.setdefault((group.condition_idx, group.block), Counter())[group.trial_type] += spread.most
            least[group.condition_idx, group.block] += spread.least
    blocks = sorted({block for _, block in per_cell})
    types = list(dict.fromkeys(name for counts in per_cell.values() for name in counts))
    style = {name: (COLOURS[n % len(COLOURS)], _HATCHES[n // len(COLOURS) % 4]) for n, name in enumerate(types)}
    for (condition, block), counts in per_cell.items():
        left, fewest, most = blocks.index(block) - 0.47, least[condition, block], counts.total()
        for name, count in sorted(counts.items(), key=lambda item: types.index(item[0])):
            width = 0.94 * count / most
            colour, hatch = style[name]
            axes.barh(condition, width, 0.86, left, color=colour, alpha=0.75, hatch=hatch, edgecolor="white")
            left += width
        axes.text(
            blocks.index(block),
            condition,
            str(most) if fewest == most else f"{fewest}–{most}",
            fontsize=_SMALL,
            color=INK,
            ha="center",
            va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.8},
        )
    axes.set_title("Main trials per block and condition", fontsize=_TITLE, color=INK, loc="left")
    names = [plain(_short(audit.study.block_name(block), 12)) for block in blocks]
    axes.set_xticks(range(len(blocks)), names, fontsize=_SMALL, rotation=0 if len(blocks) <= 10 else 45)
    axes.set_yticks(range(audit.study.conditions.count))
    axes.set_ylim(audit.study.conditions.count - 0.4, -0.6)
    axes.set_xlim(-0.55, len(blocks) - 0.45)
    axes.set_ylabel("condition", fontsize=_TEXT, color=SOFT)
    axes.tick_params(length=0)
    handles = [
        Patch(facecolor=colour, hatch=hatch, alpha=0.75, edgecolor="white", label=plain(_short(name, 36)))
        for name, (colour, hatch) in list(style.items())[:_MOST_NAMES]
    ]
    axes.legend(
        handles=handles,
        fontsize=_SMALL,
        frameon=False,
        ncols=min(3, len(handles)),
        loc="upper center",
        bbox_to_anchor=(0.5, -0.12 - 0.3 / (1 + audit.study.conditions.count)),
    )


def _conditions(axes: Axes, audit: Audit) -> None:
    """Largest difference in participants between two conditions so far, as participants arrive."""
    n_conditions = audit.study.conditions.count
    arrived = np.zeros((len(audit.arrivals), n_conditions), dtype=int)
    arrived[np.arange(len(audit.arrivals)), list(audit.arrivals)] = 1
    counts = arrived.cumsum(axis=0)
    difference = np.maximum.accumulate(counts.max(axis=1) - counts.min(axis=1))
    axes.step(np.arange(1, len(difference) + 1), difference, where="post", color=COLOURS[0], linewidth=2)
    axes.set_title("Balance of conditions", fontsize=_TITLE, color=INK, loc="left")
    axes.set_xlabel("participants so far", fontsize=_TEXT, color=SOFT)
    axes.set_ylabel("largest difference so far", fontsize=_TEXT, color=SOFT)
    axes.set_ylim(-0.05, max(1.2, 1.15 * difference.max()))
    _whole_numbers(axes)


def _runs(axes: Axes, audit: Audit) -> None:
    lengths = list(audit.longest_runs)
    axes.bar(lengths, [audit.longest_runs[length] for length in lengths], color=COLOURS[2], alpha=0.8, width=0.8)
    axes.set_title("Longest run of one class", fontsize=_TITLE, color=INK, loc="left")
    axes.set_xlabel("main trials in a row", fontsize=_TEXT, color=SOFT)
    axes.set_ylabel("trial sets", fontsize=_TEXT, color=SOFT)
    _whole_numbers(axes)


def _exposures(axes: Axes, audit: Audit) -> None:
    """Histogram of how often each image is shown, per split."""
    splits: dict[str, list[int]] = {}
    for image, count in zip(audit.study.images, audit.exposures, strict=True):
        splits.setdefault(image.split or "all", []).append(count)
    most = max((max(counts) for counts in splits.values()), default=1)
    width = max(1, round(most / 40))
    edges = list(np.arange(-0.5, most + width + 0.5, width))
    for number, (split, counts) in enumerate(sorted(splits.items())):
        label = plain(f"{split} ({len(counts)})")
        axes.hist(counts, edges, histtype="stepfilled", alpha=0.55, color=COLOURS[number], label=label)
    axes.set_title("How often an image is shown", fontsize=_TITLE, color=INK, loc="left")
    axes.set_xlabel("times, over all trial sets", fontsize=_TEXT, color=SOFT)
    axes.set_ylabel("images", fontsize=_TEXT, color=SOFT)
    axes.legend(fontsize=_SMALL, frameon=False, title="split (images)", title_fontsize=_SMALL)
    _whole_numbers(axes)


def _calibration(axes: Axes, audit: Audit) -> None:
    """Cumulative share of a block's attention checks over its trials; the diagonal means evenly spread."""
    axes.set_title("Positions of attention checks", fontsize=_TITLE, color=INK, loc="left")
    for number, (block, counts) in enumerate(audit.calibration_positions.items()):
        share = np.array([0, *accumulate(counts)]) / sum(counts)
        label = plain(_short(audit.study.block_name(block), 14)) if number < _MOST_NAMES else None
        colour = COLOURS[number % len(COLOURS)]
        axes.plot(np.linspace(0, 1, len(share)), share, color=colour, linewidth=1, alpha=0.8, label=label)
    axes.set_xlabel("share of the block's trials", fontsize=_TEXT, color=SOFT)
    axes.set_ylabel("share of its checks", fontsize=_TEXT, color=SOFT)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    if audit.calibration_positions:
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=3, zorder=0)
        axes.legend(fontsize=6, frameon=False, ncols=2, loc="lower right")
    else:
        axes.text(0.5, 0.5, "none", fontsize=_TEXT, color=SOFT, ha="center")


def _whole_numbers(axes: Axes) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True, nbins=7))


def _short(text: str, max_length: int) -> str:
    return text if len(text) <= max_length else text[: max_length - 1] + "…"

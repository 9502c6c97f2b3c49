"""`report.html`: one self-contained file, figures included, that needs no network.

Passes what the other modules compute to the template, without any ids of participants, not even pseudonyms. The same
data and seed give the same bytes.
"""

from __future__ import annotations

import base64
import io
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import pandas as pd

from lwise_core import __version__, atomic_files
from lwise_core.records import statistics
from lwise_core.records.columns import SESSION_COLUMNS, TRIAL_COLUMNS
from lwise_core.records.selection import SIMULATED_PLATFORM, analysed_trials, main_trials, real_sessions
from lwise_core.records.uncertainty import CURVE_RESAMPLES, RESAMPLES
from lwise_core.records.variants import Variant, read_images, read_variants, short_names

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TEMPLATE = "report.html.j2"
_DPI = 200
_SHORT_HASH = 12
_N_IMAGES, _N_DIFFERENCES = 6, 2
_MIN_P = 0.001


@dataclass(frozen=True)
class RenderedFigure:
    """A figure as PNG data URI, with its alternative text."""

    uri: str
    alt: str


@dataclass(frozen=True)
class VariantRow:
    """One variant in the report; NaN and empty where not recorded."""

    name: str
    epsilon: float
    step: float
    steps: float
    objective: str
    model: str
    n_images: int
    median_l2: float
    median_gain: float
    share_raised: float


def write_report(
    out: Path,
    *,
    trials: pd.DataFrame,
    sessions: pd.DataFrame,
    dirmap: Path,
    variants: Path,
    guide_metrics: Mapping[str, Any],
    title: str,
    seed: int,
) -> Path:
    """Write the report to `out` and return it.

    Parameters
    ----------
    trials, sessions : `tables.read_trials` and `tables.read_sessions`.
    dirmap : scored or not; its `im_path` exist in every folder of `variants`.
    guide_metrics : clean_accuracy, robust_accuracy, chance, n_images and attack; the report says which are missing.
    seed : of the bootstrap.

    Raises
    ------
    InputError
        If the dirmap, the natural images or a file of a variant cannot be read.
    """
    images, enhanced = read_images(dirmap), read_variants(variants)
    page = _environment().get_template(_TEMPLATE)
    html = page.render(
        title=title,
        version=__version__,
        seed=seed,
        resamples=RESAMPLES,
        curve_resamples=CURVE_RESAMPLES,
        least_attention=statistics.LEAST_ATTENTION,
        guide=guide_metrics,
        trial_columns=TRIAL_COLUMNS,
        session_columns=SESSION_COLUMNS,
        **_participant_context(trials, sessions, seed),
        **_image_context(images, enhanced, variants),
    )
    atomic_files.write_text(out, html)
    return out


def _participant_context(trials: pd.DataFrame, sessions: pd.DataFrame, seed: int) -> dict[str, Any]:
    participants = real_sessions(sessions)
    is_completed = participants["state"] == "completed"
    incomplete = participants[~is_completed]
    summary = statistics.condition_summary(trials, sessions, seed=seed)
    return {
        "n_started": len(participants),
        "n_completed": int(is_completed.sum()),
        "n_test_sessions": len(sessions) - len(participants),
        "n_simulated": int((participants["platform"] == SIMULATED_PLATFORM).sum()),
        "stopped_after": (incomplete["n_stored"] / incomplete["n_trials"]).astype(float).median(),
        "platforms": participants["platform"].value_counts().sort_index().to_dict(),
        "dates": sorted({started[:10] for started in participants["started_at"]}),
        "conditions": summary.to_dict("records"),
        "contrasts": statistics.condition_contrast(trials, sessions, seed=seed).to_dict("records"),
        "quality": statistics.data_quality(trials, sessions),
        **_participant_figures(trials, sessions, summary, seed),
    }


def _participant_figures(
    trials: pd.DataFrame, sessions: pd.DataFrame, summary: pd.DataFrame, seed: int
) -> dict[str, RenderedFigure | None]:
    from lwise_core.records import figures

    main = main_trials(analysed_trials(trials, sessions))
    rendered: dict[str, RenderedFigure | None] = dict.fromkeys(("accuracy_figure", "learning_figure", "time_figure"))
    if summary["test_accuracy"].notna().any():
        accuracies = statistics.participant_accuracy(trials, sessions)
        rendered["accuracy_figure"] = _rendered(
            figures.accuracy_in_test(accuracies, summary),
            "Test accuracy of every participant, and the mean per condition",
        )
    if len(main):
        curve = statistics.learning_curve(trials, sessions, seed=seed)
        rendered["learning_figure"] = _rendered(
            figures.learning_curves(curve, chance=float(summary["chance"].mean())),
            "Accuracy over the session per condition, with confidence bands",
        )
    if main["reaction_time_msec"].notna().any():
        curve = statistics.learning_curve(trials, sessions, seed=seed, measure="reaction_time_msec")
        rendered["time_figure"] = _rendered(
            figures.reaction_times(main, curve), "Distribution of reaction times, and reaction times over the session"
        )
    return rendered


def _image_context(images: pd.DataFrame, variants: Sequence[Variant], root: Path) -> dict[str, Any]:
    counts = images.groupby(["split", "class"]).size()
    return {
        "n_images": len(images),
        "n_scored": int(images["difficulty"].notna().sum()),
        "classes": sorted(images["class"].unique()),
        "splits": {split: int(count) for split, count in counts.groupby("split").sum().items()},
        "variants": [_variant_row(variant) for variant in variants],
        "hash_digits": _SHORT_HASH,
        "made_with": sorted({_made_with(variant) for variant in variants if variant.provenance}),
        **_image_figures(images, variants, root),
    }


def _image_figures(images: pd.DataFrame, variants: Sequence[Variant], root: Path) -> dict[str, RenderedFigure | None]:
    from lwise_core.records import figures, image_figures

    names = ("enhanced_figure", "difference_figure", "gain_figure", "difficulty_figure")
    rendered: dict[str, RenderedFigure | None] = dict.fromkeys(names)
    if variants:
        rendered["enhanced_figure"] = _rendered(
            image_figures.enhanced_images(images, variants, root, n_images=_N_IMAGES),
            "Natural images beside their enhanced variants, with the guide model's logit below each",
        )
        rendered["difference_figure"] = _rendered(
            image_figures.enhanced_images(images, variants, root, n_images=_N_DIFFERENCES, difference=True),
            "Enhanced images and, below each, the amplified difference from the natural image",
        )
    gains = {
        name: list(variant.logit_gain)
        for name, variant in zip(short_names(variants), variants, strict=True)
        if len(variant.logit_gain)
    }
    if gains:
        rendered["gain_figure"] = _rendered(
            figures.logit_gain(gains), "Distribution of the gain in true-class logit over images, per epsilon"
        )
    if images["difficulty"].notna().any():
        rendered["difficulty_figure"] = _rendered(
            image_figures.difficulty_histogram(images, root),
            "Histogram of difficulty, with the easiest and hardest images",
        )
    return rendered


def _variant_row(variant: Variant) -> VariantRow:
    recorded, gain = variant.provenance, variant.logit_gain
    return VariantRow(
        name=variant.name,
        epsilon=variant.epsilon,
        step=_number(recorded.get("step")),
        steps=_number(recorded.get("steps")),
        objective=str(recorded.get("objective", "")),
        model=str(recorded.get("model_sha256", ""))[:_SHORT_HASH],
        n_images=len(variant.measured),
        median_l2=float(variant.measured["l2"].median()) if len(gain) else math.nan,
        median_gain=float(gain.median()) if len(gain) else math.nan,
        share_raised=float((gain > 0).mean()) if len(gain) else math.nan,
    )


def _made_with(variant: Variant) -> str:
    recorded = variant.provenance
    return f"Made with lwise {recorded.get('package_version', '–')}, seed {recorded.get('seed', '–')}"


def _rendered(figure: Figure, alt: str) -> RenderedFigure:
    file = io.BytesIO()
    with warnings.catch_warnings():
        # matplotlib's font lacks some scripts; class names in them show as boxes, and the report is still written.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(file, format="png", dpi=_DPI, facecolor="white")
    return RenderedFigure(uri="data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii"), alt=alt)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": _percent, "fixed": _fixed, "signed": _signed, "p_value": _p_value}
    return environment


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def _fixed(value: Any, digits: int = 2) -> str:
    """A number with thin spaces between thousands, or a dash if it is missing."""
    # Adding 0.0 turns -0.0 into 0.0, so that rounded zeros have no sign.
    number = round(_number(value), digits) + 0.0
    return "–" if math.isnan(number) else f"{number:,.{digits}f}".replace(",", "\u202f").replace("-", "−")


def _signed(value: Any, digits: int = 2) -> str:
    number = round(_number(value), digits)
    return f"+{_fixed(number, digits)}" if number > 0 else _fixed(number, digits)


def _percent(value: Any, digits: int = 1) -> str:
    return "–" if math.isnan(_number(value)) else f"{_fixed(_number(value) * 100, digits)}\u00a0%"


def _p_value(value: Any) -> str:
    number = _number(value)
    return f"< {_MIN_P}" if number < _MIN_P else _fixed(number, 3)

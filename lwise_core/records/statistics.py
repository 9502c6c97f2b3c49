"""Accuracy, speed and their uncertainty, per condition and between conditions.

The unit of every interval and test is the participant, not the trial: trials of one person are correlated, and treating
them as independent makes intervals several times too narrow. Knows tables; knows nothing of figures.

Included: the main trials of participants who completed, on any platform except `test` (the researcher's own sessions).
Attention checks are summarised separately. A missed deadline counts as an incorrect answer. Training trials are those
with feedback, test trials those without.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from rich import box
from rich.markup import escape
from rich.table import Table

from lwise_core.records.selection import analysed_trials, condition_labels, main_trials, real_sessions
from lwise_core.records.uncertainty import (
    CURVE_RESAMPLES,
    bootstrap_difference,
    bootstrap_interval,
    clustered_logit,
    holm,
)

LEAST_ATTENTION = 0.9
"""Share of correct attention checks that the paper requires to include a participant."""
_MSEC_PER_MINUTE = 60_000

Measure = Literal["perf", "reaction_time_msec"]


def condition_summary(trials: pd.DataFrame, sessions: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """One row per condition, sorted by `condition_idx`.

    For participant p with main trials T_p of a phase (training or test), a_p = Σ_{t ∈ T_p} perf_t / |T_p|. Columns:

    - ``label``: the condition's number and its trial types in training;
    - ``n_started``, ``n_completed``;
    - ``train_accuracy``, ``test_accuracy``: mean of a_p over completed participants, [0, 1]; ``…_low``, ``…_high``: its
      95 % interval from a percentile bootstrap over participants;
    - ``chance``: mean over main trials of 1 / number of choices;
    - ``attention_accuracy``: mean over participants of their share of correct attention checks;
    - ``median_rt_msec``: median over participants of their median reaction time in main trials, ms;
    - ``train_minutes``: median over participants of the time spent in training, see `training_minutes`.

    Undefined values (no completed participant, an interval of one participant, no test) are NaN.
    """
    participants = real_sessions(sessions)
    analysed = analysed_trials(trials, sessions)
    labels = condition_labels(trials, sessions)
    rows = []
    for condition, label in labels.items():
        own_sessions = participants[participants["condition_idx"] == condition]
        own = analysed[analysed["condition_idx"] == condition]
        rows.append(
            {
                "condition_idx": condition,
                "label": label,
                "n_started": len(own_sessions),
                "n_completed": int((own_sessions["state"] == "completed").sum()),
                **_accuracies(own, condition, seed),
                "chance": _chance(own),
                "attention_accuracy": _mean(_per_participant(own[own["calibration"] == 1])),
                "median_rt_msec": _median(_participant_medians(main_trials(own))),
                "train_minutes": _median(training_minutes(own)),
            }
        )
    return pd.DataFrame(rows, columns=list(_SUMMARY_COLUMNS)).astype(_SUMMARY_COLUMNS)


_SUMMARY_COLUMNS = {
    "condition_idx": "int64",
    "label": "object",
    "n_started": "int64",
    "n_completed": "int64",
    "train_accuracy": "float64",
    "train_accuracy_low": "float64",
    "train_accuracy_high": "float64",
    "test_accuracy": "float64",
    "test_accuracy_low": "float64",
    "test_accuracy_high": "float64",
    "chance": "float64",
    "attention_accuracy": "float64",
    "median_rt_msec": "float64",
    "train_minutes": "float64",
}


@dataclass(frozen=True)
class Contrast:
    """Test accuracy of a condition compared with that of the reference, the condition with the lowest number.

    Attributes
    ----------
    difference, low, high : difference of mean accuracies and its 95 % interval, in [-1, 1].
    margin_gain : (accuracy - chance) / (accuracy of the reference - chance) - 1, the paper's relative gain.
    odds_ratio, p_value : of the GEE; `p_holm` is adjusted for the number of contrasts (Holm 1979).
    reason : why there is no p-value; empty if there is one.
    """

    condition_idx: int
    reference_idx: int
    label: str
    reference_label: str
    n_participants: int
    difference: float
    low: float
    high: float
    margin_gain: float
    odds_ratio: float = math.nan
    p_value: float = math.nan
    p_holm: float = math.nan
    reason: str = ""


def condition_contrast(trials: pd.DataFrame, sessions: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Each condition's test accuracy compared with the reference condition's, one row per `Contrast`.

    The difference is mean_p(a_p | condition) - mean_p(a_p | reference), a_p as in `condition_summary`; its interval is
    a percentile bootstrap that resamples participants within each condition. The p-value is from
    `uncertainty.clustered_logit`, with trials clustered by participant. With fewer than two participants in a
    condition, all answers of a condition correct or all incorrect, or no convergence it is NaN and `reason` says why.
    """
    main = main_trials(analysed_trials(trials, sessions))
    test = main[~main["show_feedback"]]
    labels = condition_labels(trials, sessions)
    present = [condition for condition in labels if (test["condition_idx"] == condition).any()]
    contrasts = [
        _contrast(test[test["condition_idx"].isin([present[0], condition])], condition, present[0], labels, seed)
        for condition in present[1:]
    ]
    table = pd.DataFrame([asdict(contrast) for contrast in contrasts], columns=list(Contrast.__dataclass_fields__))
    table["p_holm"] = holm(table["p_value"])
    return table


def learning_curve(
    trials: pd.DataFrame,
    sessions: pd.DataFrame,
    *,
    seed: int,
    measure: Measure = "perf",
    trials_per_bin: int = 8,
) -> pd.DataFrame:
    """Accuracy (or reaction time) over the session, per condition and bin of trials.

    A participant's main trials are numbered 1 … n in order of `obs`; training and test are split separately into
    round(length / trials_per_bin) bins of equal length, so that no bin mixes them. With v_pb the mean of `perf` (or the
    median of the reaction time) of participant p in bin b, the value of the bin is the mean (median) of v_pb over
    participants, its interval a pointwise 95 % percentile bootstrap over participants.

    Returns
    -------
    Columns condition_idx, label, phase (training or test), bin, trial and first_trial (mean and first trial number of
    the bin), value, low, high, n (participants).
    """
    main = _numbered(main_trials(analysed_trials(trials, sessions)), trials_per_bin)
    labels = condition_labels(trials, sessions)
    within, across = ("mean", np.mean) if measure == "perf" else ("median", np.median)
    rows = []
    for (condition, phase, number), group in main.dropna(subset=[measure]).groupby(["condition_idx", "phase", "bin"]):
        per_person = group.groupby("participant")[measure].agg(within).to_numpy(dtype=float)
        key = (int(condition), int(phase == "test"), int(number))
        low, high = bootstrap_interval(per_person, across, seed=(seed, *key), resamples=CURVE_RESAMPLES)
        rows.append(
            {
                "condition_idx": int(condition),
                "label": labels[condition],
                "phase": phase,
                "bin": int(number),
                "trial": float(group["trial"].mean()),
                "first_trial": float(group.groupby("participant")["trial"].min().mean()),
                "value": float(across(per_person)),
                "low": low,
                "high": high,
                "n": len(per_person),
            }
        )
    columns = ["condition_idx", "label", "phase", "bin", "trial", "first_trial", "value", "low", "high", "n"]
    return pd.DataFrame(rows, columns=columns).sort_values(["condition_idx", "trial"], ignore_index=True)


def participant_accuracy(trials: pd.DataFrame, sessions: pd.DataFrame) -> pd.DataFrame:
    """Test accuracy of each completed participant: condition_idx, participant, test_accuracy in [0, 1]."""
    main = main_trials(analysed_trials(trials, sessions))
    test = main[~main["show_feedback"]]
    shares = test.groupby(["condition_idx", "participant"])["perf"].mean().astype(float)
    return shares.rename("test_accuracy").reset_index()


@dataclass(frozen=True)
class DataQuality:
    """Quality of all stored trials of one condition, including those of participants who left; shares in [0, 1].

    Attributes
    ----------
    missed_deadlines : share of main trials without a response before the deadline.
    attention_accuracy : share of correct attention checks.
    n_inattentive : participants with fewer than `LEAST_ATTENTION` of their attention checks correct.
    timing_ok : share of trials with every frame shown on time.
    dropped_frames : mean number per trial.
    """

    label: str
    n_participants: int
    n_trials: int
    missed_deadlines: float
    attention_accuracy: float
    n_inattentive: int
    timing_ok: float
    dropped_frames: float


def data_quality(trials: pd.DataFrame, sessions: pd.DataFrame) -> list[DataQuality]:
    """One `DataQuality` per condition that has stored trials. Descriptive: shares of trials, without intervals."""
    stored = trials[trials["participant"].isin(real_sessions(sessions)["participant"])]
    labels = condition_labels(trials, sessions)
    rows = []
    for condition, group in stored.groupby("condition_idx"):
        checks = group[group["calibration"] == 1]
        rows.append(
            DataQuality(
                label=labels[condition],
                n_participants=int(group["participant"].nunique()),
                n_trials=len(group),
                missed_deadlines=_mean(main_trials(group)["i_choice"].isna()),
                attention_accuracy=_mean(checks["perf"]),
                n_inattentive=int((_per_participant(checks) < LEAST_ATTENTION).sum()),
                timing_ok=_mean(group["timing_ok"]),
                dropped_frames=_mean(group["dropped_frames"]),
            )
        )
    return rows


def summary_table(summary: pd.DataFrame) -> Table:
    """`condition_summary` for the terminal."""
    table = Table(
        title="Conditions",
        caption="done: completed / started; accuracy in %, of the test with 95 % interval",
        box=box.SIMPLE_HEAD,
        show_edge=False,
    )
    # A label may wrap, a number may not: at 80 columns every number must be complete.
    table.add_column("condition", overflow="fold")
    for heading in ("done", "training", "test", "chance", "RT, ms"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in summary.to_dict("records"):
        table.add_row(
            escape(row["label"]),
            f"{row['n_completed']}/{row['n_started']}",
            _or_dash(100 * row["train_accuracy"], "{:.1f}"),
            _or_dash(100 * row["test_accuracy"], "{:.1f}") + _terminal_interval(row, "test_accuracy"),
            _or_dash(100 * row["chance"], "{:.1f}"),
            _or_dash(row["median_rt_msec"], "{:,.0f}"),
        )
    return table


def training_minutes(trials: pd.DataFrame) -> pd.Series:
    """Minutes from the first choice screen of the training to its last response, per participant.

    With r_1 … r_n the response times since page load (`rel_timestamp_response`) of the trials with feedback, including
    attention checks: (RT_1 + Σ_k max(0, r_k - r_{k-1})) / 60 000. Reloading the page resets the clock; the negative
    step counts as 0. Trials without a response are skipped; the next difference spans them.
    """
    training = trials[trials["show_feedback"]].dropna(subset=["rel_timestamp_response"]).sort_values("obs")
    minutes: dict[Hashable, float] = {}
    for participant, own in training.groupby("participant"):
        steps = own["rel_timestamp_response"].diff().clip(lower=0).sum()
        minutes[participant] = float(steps + own["reaction_time_msec"].fillna(0).iloc[0]) / _MSEC_PER_MINUTE
    return pd.Series(minutes, dtype=float)


def _accuracies(own: pd.DataFrame, condition: int, seed: int) -> dict[str, float]:
    main = main_trials(own)
    accuracies: dict[str, float] = {}
    for stream, (name, is_training) in enumerate((("train_accuracy", True), ("test_accuracy", False))):
        per_person = _per_participant(main[main["show_feedback"] == is_training])
        low, high = bootstrap_interval(per_person, seed=(seed, condition, stream))
        accuracies |= {name: _mean(per_person), f"{name}_low": low, f"{name}_high": high}
    return accuracies


def _contrast(test: pd.DataFrame, condition: int, reference: int, labels: dict[int, str], seed: int) -> Contrast:
    """`test` has the test trials of these two conditions."""
    accuracy = {idx: _per_participant(test[test["condition_idx"] == idx]) for idx in (condition, reference)}
    first, second = accuracy[condition], accuracy[reference]
    low, high = bootstrap_difference(first, second, seed=(seed, condition, reference))
    ordered = test.sort_values(["participant", "obs"])
    clustered = clustered_logit(ordered["perf"], ordered["condition_idx"] == condition, ordered["participant"])
    chance = _chance(test)
    margin = second.mean() - chance
    return Contrast(
        condition_idx=condition,
        reference_idx=reference,
        label=labels[condition],
        reference_label=labels[reference],
        n_participants=len(first) + len(second),
        difference=float(first.mean() - second.mean()),
        low=low,
        high=high,
        margin_gain=float((first.mean() - chance) / margin - 1) if margin > 0 else math.nan,
        odds_ratio=clustered.odds_ratio,
        p_value=clustered.p_value,
        reason=clustered.reason,
    )


def _numbered(main: pd.DataFrame, trials_per_bin: int) -> pd.DataFrame:
    """Main trials with their number in the participant's sequence, phase and bin within the phase."""
    numbered = main.sort_values(["participant", "obs"])
    phase = np.where(numbered["show_feedback"], "training", "test")
    numbered = numbered.assign(phase=phase, trial=numbered.groupby("participant").cumcount() + 1)
    within = numbered.groupby(["participant", "phase"]).cumcount()
    length = numbered.groupby(["participant", "phase"])["trial"].transform("size")
    bins = (length / trials_per_bin).round().clip(lower=1)
    return numbered.assign(bin=(within * bins / length).astype("int64"))


def _per_participant(trials: pd.DataFrame) -> pd.Series:
    """Share of correct answers, sorted by participant."""
    return trials.groupby("participant")["perf"].mean().astype(float)


def _participant_medians(main: pd.DataFrame) -> pd.Series:
    return main.dropna(subset=["reaction_time_msec"]).groupby("participant")["reaction_time_msec"].median()


def _chance(trials: pd.DataFrame) -> float:
    return _mean(1 / main_trials(trials)["choice_names"].map(len))


def _mean(values: pd.Series) -> float:
    return float(values.astype(float).mean()) if len(values) else math.nan


def _median(values: pd.Series) -> float:
    return float(values.median()) if len(values) else math.nan


def _terminal_interval(row: dict[str, Any], name: str) -> str:
    low, high = 100 * row[f"{name}_low"], 100 * row[f"{name}_high"]
    return "" if math.isnan(low) else rf" \[{low:.1f}, {high:.1f}]"


def _or_dash(value: float, pattern: str) -> str:
    return "–" if math.isnan(value) else pattern.format(value)

"""Which participants and trials an analysis includes, and the labels of its conditions.

Knows tables; knows nothing of statistics.
"""

from __future__ import annotations

import pandas as pd

from lwise_core.experiments.study import REPEAT, TEST_PLATFORM

SIMULATED_PLATFORM = "simulated"
_LABELLED_TYPES = 2


def condition_labels(trials: pd.DataFrame, sessions: pd.DataFrame) -> dict[int, str]:
    """A label per condition, ordered by number: the number and the trial types of its main training trials."""
    participants = real_sessions(sessions)
    main = main_trials(trials[trials["participant"].isin(participants["participant"])])
    labels = {}
    for condition in sorted({int(idx) for idx in participants["condition_idx"]}):
        own = main[main["condition_idx"] == condition]
        training = own[own["show_feedback"]]
        types = list(dict.fromkeys((training if len(training) else own).sort_values("obs")["trial_type"]))
        more = f" + {len(types) - _LABELLED_TYPES} more" if len(types) > _LABELLED_TYPES else ""
        names = " + ".join(types[:_LABELLED_TYPES]) + more
        labels[condition] = f"{condition} · {names}" if names else str(condition)
    return labels


def real_sessions(sessions: pd.DataFrame) -> pd.DataFrame:
    """All sessions except the researcher's own (platform `test`)."""
    return sessions[sessions["platform"] != TEST_PLATFORM]


def analysed_trials(trials: pd.DataFrame, sessions: pd.DataFrame) -> pd.DataFrame:
    """The trials of participants who completed, attention checks included."""
    participants = real_sessions(sessions)
    completed = participants.loc[participants["state"] == "completed", "participant"]
    return trials[trials["participant"].isin(completed)]


def main_trials(trials: pd.DataFrame) -> pd.DataFrame:
    """All trials except attention checks and those of the repeat image."""
    return trials[(trials["calibration"] == 0) & (trials["trial_type"] != REPEAT)]

"""Which participants and trials an analysis counts, and what its conditions are called.

Knows tables; knows nothing of statistics.
"""

from __future__ import annotations

import pandas as pd

from lwise_core.experiments.study import REPEAT

TEST_PLATFORM = "test"
SIMULATED_PLATFORM = "simulated"
_LABELLED_TYPES = 2


def condition_labels(trials: pd.DataFrame, sessions: pd.DataFrame) -> dict[int, str]:
    """A label per condition, in order of their numbers: the number and the trial types of its main training trials."""
    people = real_sessions(sessions)
    main = main_trials(trials[trials["participant"].isin(people["participant"])])
    labels = {}
    for condition in sorted({int(idx) for idx in people["condition_idx"]}):
        own = main[main["condition_idx"] == condition]
        training = own[own["show_feedback"]]
        types = list(dict.fromkeys((training if len(training) else own).sort_values("obs")["trial_type"]))
        named = " + ".join(types[:_LABELLED_TYPES]) + (
            f" + {len(types) - _LABELLED_TYPES} more" if len(types) > _LABELLED_TYPES else ""
        )
        labels[condition] = f"{condition} · {named}" if named else str(condition)
    return labels


def real_sessions(sessions: pd.DataFrame) -> pd.DataFrame:
    """All sessions but the researcher's own tries (platform `test`)."""
    return sessions[sessions["platform"] != TEST_PLATFORM]


def analysed_trials(trials: pd.DataFrame, sessions: pd.DataFrame) -> pd.DataFrame:
    """The trials of participants who completed, attention checks included."""
    people = real_sessions(sessions)
    return trials[trials["participant"].isin(people.loc[people["state"] == "completed", "participant"])]


def main_trials(trials: pd.DataFrame) -> pd.DataFrame:
    """All trials but the attention checks and those of the image that comes back."""
    return trials[(trials["calibration"] == 0) & (trials["trial_type"] != REPEAT)]

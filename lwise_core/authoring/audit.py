"""Build many trial sets and count what participants would get, before money is spent.

Keeps only counts, so that memory does not grow with the number of trial sets. Knows nothing of how counts are shown.
Standard library only.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lwise_core.experiments.study import CALIBRATION, REPEAT, Study
from lwise_core.experiments.trialset import Trial, Trialset, build_trialset
from lwise_core.progress import OnProgress


class TrialGroup(NamedTuple):
    """Trials that are counted together.

    `block` is the block in which they are shown; `class_name` is None for all classes together.
    """

    condition_idx: int
    block: int
    trial_type: str
    split: str | None
    class_name: str | None


class Spread(NamedTuple):
    """The smallest and largest number of trials of a group in any trial set of its condition."""

    least: int
    most: int


@dataclass(frozen=True)
class Audit:
    """Counts over the trial sets 0 to `n_trialsets` - 1.

    Attributes
    ----------
    arrivals : the condition of each trial set, in the order of the ids.
    groups : number of trials of each group in a trial set.
    exposures : number of main trials per image, in the order of `Study.images`.
    longest_runs : length of the longest run of consecutive main trials of one class -> number of trial sets.
    calibration_positions : per block, how often its trial number 0, 1, 2 … was an attention check.
    repeated : number of trial sets in which a block shows an image in two main trials.
    """

    study: Study
    n_trialsets: int
    arrivals: Sequence[int]
    groups: Mapping[TrialGroup, Spread]
    exposures: Sequence[int]
    longest_runs: Mapping[int, int]
    calibration_positions: Mapping[int, Sequence[int]]
    repeated: int

    @property
    def imbalance(self) -> tuple[int, int]:
        """Largest difference in participants between two conditions: at the end, and at any time."""
        counts = [0] * self.study.conditions.count
        worst = 0
        for condition in self.arrivals:
            counts[condition] += 1
            worst = max(worst, max(counts) - min(counts))
        return max(counts) - min(counts), worst


def audit(study: Study, n: int, *, on_progress: OnProgress = lambda done, total: None) -> Audit:
    """Count over the trial sets 0 to n - 1, or as many as the study has."""
    total = n if study.slots.count is None else min(n, study.slots.count)
    tally = _Tally(study)
    for trialset_id in range(total):
        tally.add(build_trialset(study, trialset_id))
        on_progress(trialset_id + 1, total)
    return tally.audit(total)


class _Tally:
    def __init__(self, study: Study) -> None:
        self._study = study
        self._arrivals: list[int] = []
        self._groups: dict[TrialGroup, list[int]] = defaultdict(lambda: [0, 0, 0])
        self._exposures = [0] * len(study.images)
        self._runs: Counter[int] = Counter()
        self._positions: dict[int, list[int]] = {}
        self._repeated = 0

    def add(self, trialset: Trialset) -> None:
        self._arrivals.append(trialset.condition_idx)
        counts = Counter(group for trial in trialset.trials for group in self._groups_of(trialset, trial))
        for group, count in counts.items():
            n_trialsets, least, most = self._groups[group]
            self._groups[group] = [n_trialsets + 1, min(least, count) if n_trialsets else count, max(most, count)]
        main = [trial for trial in trialset.trials if self._is_main(trial)]
        for trial in main:
            if trial.image is not None:
                self._exposures[trial.image] += 1
        self._runs[_longest_run([self._class_of(trial) for trial in main])] += 1
        self._repeated += len({(trial.block, trial.image) for trial in main}) < len(main)
        self._add_positions(trialset)

    def audit(self, total: int) -> Audit:
        of_condition = Counter(self._arrivals)
        return Audit(
            study=self._study,
            n_trialsets=total,
            arrivals=self._arrivals,
            groups={
                group: Spread(least if n_trialsets == of_condition[group.condition_idx] else 0, most)
                for group, (n_trialsets, least, most) in sorted(
                    self._groups.items(), key=lambda item: _sort_key(item[0])
                )
            },
            exposures=self._exposures,
            longest_runs=dict(sorted(self._runs.items())),
            calibration_positions={block: counts for block, counts in sorted(self._positions.items()) if any(counts)},
            repeated=self._repeated,
        )

    def _groups_of(self, trialset: Trialset, trial: Trial) -> tuple[TrialGroup, TrialGroup]:
        trial_type = self._study.kinds[trial.kind].trial_type
        split = None if trial.image is None else self._study.images[trial.image].split
        group = TrialGroup(trialset.condition_idx, trial.block, trial_type, split, self._class_of(trial))
        return group, group._replace(class_name=None)

    def _class_of(self, trial: Trial) -> str:
        if trial.image is None:
            return trial.stimulus_name
        return self._study.classes[self._study.images[trial.image].class_num]

    def _is_main(self, trial: Trial) -> bool:
        return self._study.kinds[trial.kind].trial_type not in (CALIBRATION, REPEAT)

    def _add_positions(self, trialset: Trialset) -> None:
        position_in: Counter[int] = Counter()
        for trial in trialset.trials:
            counts = self._positions.setdefault(trial.block, [])
            if position_in[trial.block] == len(counts):
                counts.append(0)
            counts[position_in[trial.block]] += trial.image is None
            position_in[trial.block] += 1


def _longest_run(classes: Sequence[str]) -> int:
    longest = length = 0
    for position, name in enumerate(classes):
        length = length + 1 if position and classes[position - 1] == name else 1
        longest = max(longest, length)
    return longest


def _sort_key(group: TrialGroup) -> tuple[object, ...]:
    return (group.block, group.condition_idx, group.trial_type, group.split or "", group.class_name or "")

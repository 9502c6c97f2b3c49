"""The check before money is spent: build many trial sets and count what participants would get.

Counts only, so that memory stays bounded however many trial sets are built. Knows nothing of how counts are shown.
Standard library only.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lwise_core.experiments.study import CALIBRATION, REPEAT, Study
from lwise_core.experiments.trialset import Trial, Trialset, build_trialset


class TrialGroup(NamedTuple):
    """Trials that are counted together.

    `block` is the block in which they are shown; `class_name` None stands for all classes together.
    """

    condition_idx: int
    block: int
    trial_type: str
    split: str | None
    class_name: str | None


class Spread(NamedTuple):
    """The smallest and the largest number of trials of a cell in any trial set of its condition."""

    least: int
    most: int


@dataclass(frozen=True)
class Audit:
    """What `n_trialsets` trial sets, 0, 1, 2 …, hold.

    Attributes
    ----------
    arrivals : the condition of each trial set, in the order of the ids.
    cells : how many trials of each cell a trial set holds.
    exposures : per image, in the order of `Study.images`, in how many main trials it was shown.
    longest_runs : length of the longest run of main trials of one class in a row -> number of trial sets.
    calibration_places : per block, how often its trial number 0, 1, 2 … was an attention check.
    repeated : trial sets in which one block shows an image in two main trials.
    """

    study: Study
    n_trialsets: int
    arrivals: Sequence[int]
    cells: Mapping[TrialGroup, Spread]
    exposures: Sequence[int]
    longest_runs: Mapping[int, int]
    calibration_places: Mapping[int, Sequence[int]]
    repeated: int

    @property
    def imbalance(self) -> tuple[int, int]:
        """Largest difference between the numbers of participants of two conditions: in the end, and at any time."""
        counts = [0] * self.study.conditions.count
        worst = 0
        for condition in self.arrivals:
            counts[condition] += 1
            worst = max(worst, max(counts) - min(counts))
        return max(counts) - min(counts), worst


def audit(study: Study, n: int, *, on_progress: Callable[[int, int], None] = lambda done, total: None) -> Audit:
    """Build the trial sets 0 to n - 1, or as many as the study has, and count."""
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
        self._cells: dict[TrialGroup, list[int]] = defaultdict(lambda: [0, 0, 0])
        self._exposures = [0] * len(study.images)
        self._runs: Counter[int] = Counter()
        self._places: dict[int, list[int]] = {}
        self._repeated = 0

    def add(self, trialset: Trialset) -> None:
        self._arrivals.append(trialset.condition_idx)
        counts = Counter(cell for trial in trialset.trials for cell in self._cells_of(trialset, trial))
        for cell, count in counts.items():
            seen = self._cells[cell]
            self._cells[cell] = [seen[0] + 1, min(seen[1], count) if seen[0] else count, max(seen[2], count)]
        main = [trial for trial in trialset.trials if self._is_main(trial)]
        for trial in main:
            if trial.image is not None:
                self._exposures[trial.image] += 1
        self._runs[_longest_run([self._class_of(trial) for trial in main])] += 1
        self._repeated += len({(trial.block, trial.image) for trial in main}) < len(main)
        self._add_places(trialset)

    def audit(self, total: int) -> Audit:
        of_condition = Counter(self._arrivals)
        return Audit(
            study=self._study,
            n_trialsets=total,
            arrivals=self._arrivals,
            cells={
                cell: Spread(least if seen == of_condition[cell.condition_idx] else 0, most)
                for cell, (seen, least, most) in sorted(self._cells.items(), key=lambda item: _sortable(item[0]))
            },
            exposures=self._exposures,
            longest_runs=dict(sorted(self._runs.items())),
            calibration_places={block: places for block, places in sorted(self._places.items()) if any(places)},
            repeated=self._repeated,
        )

    def _cells_of(self, trialset: Trialset, trial: Trial) -> tuple[TrialGroup, TrialGroup]:
        trial_type = self._study.kinds[trial.kind].trial_type
        split = None if trial.image is None else self._study.images[trial.image].split
        cell = TrialGroup(trialset.condition_idx, trial.block, trial_type, split, self._class_of(trial))
        return cell, cell._replace(class_name=None)

    def _class_of(self, trial: Trial) -> str:
        if trial.image is None:
            return trial.stimulus_name
        return self._study.classes[self._study.images[trial.image].class_num]

    def _is_main(self, trial: Trial) -> bool:
        return self._study.kinds[trial.kind].trial_type not in (CALIBRATION, REPEAT)

    def _add_places(self, trialset: Trialset) -> None:
        place_in: Counter[int] = Counter()
        for trial in trialset.trials:
            places = self._places.setdefault(trial.block, [])
            if place_in[trial.block] == len(places):
                places.append(0)
            places[place_in[trial.block]] += trial.image is None
            place_in[trial.block] += 1


def _longest_run(classes: Sequence[str]) -> int:
    longest = length = 0
    for position, name in enumerate(classes):
        length = length + 1 if position and classes[position - 1] == name else 1
        longest = max(longest, length)
    return longest


def _sortable(cell: TrialGroup) -> tuple[object, ...]:
    return (cell.block, cell.condition_idx, cell.trial_type, cell.split or "", cell.class_name or "")

"""The condition of a trial set, as a pure function of (study, trialset_id)."""

from __future__ import annotations

from lwise_core.experiments.study import Study
from lwise_core.keyed_random import RandomStream


def condition_of(study: Study, trialset_id: int) -> int:
    """The condition_idx of a trial set.

    blocked : each block of `block_size` consecutive ids contains every condition equally often, in random order.
    alternating : 0, 1, 2, … in turn.
    random : drawn independently for each id; counts vary by chance.

    In a prespecified study, trialsets.csv gives the condition.
    """
    if study.prespecified:
        return study.prespecified[trialset_id].condition_idx
    conditions = study.conditions
    if conditions.assignment == "alternating":
        return trialset_id % conditions.count
    if conditions.assignment == "random":
        return RandomStream(study.seed, trialset_id, "condition").below(conditions.count)
    block_number, position = divmod(trialset_id, conditions.block_size)
    repeats = conditions.block_size // conditions.count
    order = RandomStream(study.seed, block_number, "conditions").shuffled(list(range(conditions.count)) * repeats)
    return order[position]

"""Which condition a trial set belongs to: a pure function of (study, trialset_id), for ids without end."""

from __future__ import annotations

from lwise_core.experiments.study import Study
from lwise_core.keyed_random import RandomStream


def condition_of(study: Study, trialset_id: int) -> int:
    """The condition_idx of a trial set.

    blocked : every run of `block_size` ids, counted from 0, holds each condition equally often, shuffled.
    alternating : 0, 1, 2, … in turn.
    random : each id on its own, so that counts differ as chance has it.

    A prespecified study says it in its file.
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

"""Which condition a trial set belongs to: a pure function of (seed, trialset_id), for ids without end."""

from __future__ import annotations

from random import Random

from lwise_core.experiments.study import Study


def condition_of(study: Study, trialset_id: int) -> int:
    """Blocked randomisation: `randomization_block_size` ids in a row hold every condition equally often, shuffled."""
    block_number, position = divmod(trialset_id, study.randomization_block_size)
    repeats = study.randomization_block_size // study.n_conditions
    order = list(range(study.n_conditions)) * repeats
    Random(f"{study.seed}:{block_number}:conditions").shuffle(order)  # noqa: S311 - an experiment's order, no secret
    return order[position]

"""Every condition is dealt equally often, at any time and without end."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from lwise_core.experiments.compile import CompiledStudy
from lwise_core.experiments.conditions import condition_of


@given(
    n_conditions=st.integers(1, 8),
    repeats=st.integers(1, 4),
    seed=st.integers(),
    block=st.integers(0, 10**9),
    n_arrived=st.integers(0, 100),
)
def test_conditions_are_balanced_in_every_block_and_nearly_so_in_between(
    taper: CompiledStudy, n_conditions: int, repeats: int, seed: int, block: int, n_arrived: int
) -> None:
    size = n_conditions * repeats
    study = replace(taper.study, n_conditions=n_conditions, randomization_block_size=size, seed=seed)
    dealt = [condition_of(study, block * size + position) for position in range(max(size, n_arrived))]
    assert Counter(dealt[:size]) == dict.fromkeys(range(n_conditions), repeats)
    so_far = Counter(dealt[:n_arrived])
    counts = [so_far[condition] for condition in range(n_conditions)]
    assert max(counts) - min(counts) <= repeats


def test_the_order_inside_a_block_cannot_be_foreseen_from_the_one_before(taper: CompiledStudy) -> None:
    study = replace(taper.study, n_conditions=3, randomization_block_size=3)
    orders = Counter(tuple(condition_of(study, 3 * block + place) for place in range(3)) for block in range(600))
    assert len(orders) == 6
    assert min(orders.values()) > 60


def test_another_seed_deals_in_another_order(taper: CompiledStudy) -> None:
    orders = {
        tuple(condition_of(replace(taper.study, seed=seed), number) for number in range(100)) for seed in range(20)
    }
    assert len(orders) == 20

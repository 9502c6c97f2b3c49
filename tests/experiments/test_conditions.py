"""Conditions are balanced at any time and for any number of participants."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lwise_core.authoring.compile import CompiledStudy
from lwise_core.experiments.conditions import condition_of
from lwise_core.experiments.study import Conditions, PrespecifiedTrialset, Slots
from lwise_core.experiments.trialset import NoTrialsetLeft, trialset_of_slot


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
    study = replace(taper.study, conditions=Conditions(n_conditions, "blocked", size), seed=seed)
    dealt = [condition_of(study, block * size + position) for position in range(max(size, n_arrived))]
    assert Counter(dealt[:size]) == dict.fromkeys(range(n_conditions), repeats)
    so_far = Counter(dealt[:n_arrived])
    counts = [so_far[condition] for condition in range(n_conditions)]
    assert max(counts) - min(counts) <= repeats


def test_random_conditions_equal_the_recorded_ones(taper: CompiledStudy) -> None:
    """The conditions of running studies must not change."""
    study = replace(taper.study, conditions=Conditions(3, "random", 3), seed=11)
    assert [condition_of(study, number) for number in range(12)] == [0, 1, 1, 0, 0, 0, 0, 1, 1, 0, 1, 1]


def test_orders_of_consecutive_blocks_are_independent(taper: CompiledStudy) -> None:
    study = replace(taper.study, conditions=Conditions(3, "blocked", 3))
    orders = Counter(tuple(condition_of(study, 3 * block + place) for place in range(3)) for block in range(600))
    assert len(orders) == 6
    assert min(orders.values()) > 60


def test_another_seed_deals_in_another_order(taper: CompiledStudy) -> None:
    orders = {
        tuple(condition_of(replace(taper.study, seed=seed), number) for number in range(100)) for seed in range(20)
    }
    assert len(orders) == 20


@given(n_conditions=st.integers(1, 8), trialset_id=st.integers(0, 10**9))
def test_alternating_conditions_come_in_turn(taper: CompiledStudy, n_conditions: int, trialset_id: int) -> None:
    study = replace(taper.study, conditions=Conditions(n_conditions, "alternating", n_conditions))
    assert condition_of(study, 0) == 0
    assert condition_of(study, trialset_id + 1) == (condition_of(study, trialset_id) + 1) % n_conditions


def test_random_conditions_are_independent(taper: CompiledStudy) -> None:
    """Counts differ as chance has it, and a condition says nothing of the next one: 16 pairs, expected 250 each."""
    study = replace(taper.study, conditions=Conditions(4, "random", 4))
    dealt = [condition_of(study, number) for number in range(4000)]
    blocks = {tuple(dealt[start : start + 4]) for start in range(0, 4000, 4)}
    assert any(len(set(block)) < 4 for block in blocks)
    pairs = Counter(pairwise(dealt))
    assert len(pairs) == 16
    assert min(pairs.values()) > 180
    assert max(pairs.values()) < 330


def test_given_trial_sets_name_their_own_condition(taper: CompiledStudy) -> None:
    given_sets = tuple(PrespecifiedTrialset(condition, ()) for condition in (2, 0, 2))
    study = replace(taper.study, prespecified=given_sets)
    assert [condition_of(study, number) for number in range(3)] == [2, 0, 2]


# --- which trial set an arrival gets


def test_without_a_limit_every_arrival_gets_a_new_trial_set(taper: CompiledStudy) -> None:
    assert [trialset_of_slot(taper.study, slot) for slot in (0, 1, 10**9)] == [0, 1, 10**9]


def test_after_the_last_trial_set_arrivals_are_rejected(taper: CompiledStudy) -> None:
    study = replace(taper.study, slots=Slots(3, reuse=False))
    assert [trialset_of_slot(study, slot) for slot in range(3)] == [0, 1, 2]
    with pytest.raises(NoTrialsetLeft, match="all 3 trial sets of this study are taken"):
        trialset_of_slot(study, 3)


def test_after_the_last_trial_set_reuse_starts_again_at_the_first(taper: CompiledStudy) -> None:
    study = replace(taper.study, slots=Slots(3, reuse=True))
    assert [trialset_of_slot(study, slot) for slot in range(7)] == [0, 1, 2, 0, 1, 2, 0]

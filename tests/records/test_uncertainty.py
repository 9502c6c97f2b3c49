"""The participant is the unit of intervals and tests: by hand, by simulation, and compared with other libraries."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from lwise_core.records.uncertainty import bootstrap_difference, bootstrap_interval, clustered_logit, holm

SEED = (1, 2)


def answers(random: np.random.Generator, *, means: tuple[float, float], n: int, length: int) -> tuple[np.ndarray, ...]:
    """Outcome, exposure and cluster of `n` people in each of two groups whose abilities differ within the group."""
    abilities = np.clip(np.concatenate([random.normal(mean, 0.2, n) for mean in means]), 0.05, 0.95)
    outcome = random.random((2 * n, length)) < abilities[:, None]
    people = np.repeat(np.arange(2 * n), length)
    return outcome.ravel().astype(float), (people >= n).astype(float), people


class TestBootstrap:
    def test_same_seed_same_interval_other_seed_another(self) -> None:
        values = np.random.default_rng(0).random(12)
        assert bootstrap_interval(values, seed=SEED) == bootstrap_interval(values, seed=SEED)
        assert bootstrap_interval(values, seed=SEED) != bootstrap_interval(values, seed=(1, 3))

    def test_equal_participants_have_no_width(self) -> None:
        assert bootstrap_interval([0.6] * 9, seed=SEED) == pytest.approx((0.6, 0.6))
        assert bootstrap_difference([0.9] * 4, [0.6] * 9, seed=SEED) == pytest.approx((0.3, 0.3))

    @pytest.mark.parametrize("values", [[], [0.5]])
    def test_fewer_than_two_participants_have_no_interval(self, values: list[float]) -> None:
        assert all(math.isnan(end) for end in bootstrap_interval(values, seed=SEED))
        assert all(math.isnan(end) for end in bootstrap_difference(values, [0.1, 0.9], seed=SEED))

    def test_the_given_statistic_is_used(self) -> None:
        values = [1.0] * 20 + [1000.0]
        assert bootstrap_interval(values, np.median, seed=SEED) == (1.0, 1.0)
        assert bootstrap_interval(values, seed=SEED)[1] > 50

    def test_interval_of_the_mean_agrees_with_the_normal_one_for_large_n(self) -> None:
        values = np.random.default_rng(3).random(400)
        expected = stats.norm.interval(0.95, loc=values.mean(), scale=stats.sem(values))
        assert bootstrap_interval(values, seed=SEED) == pytest.approx(expected, abs=0.002)

    def test_95_percent_intervals_hold_a_known_difference_about_95_percent_of_the_time(self) -> None:
        random = np.random.default_rng(4)
        n_studies, held = 200, 0
        for study in range(n_studies):
            low, high = bootstrap_difference(random.normal(0.75, 0.1, 30), random.normal(0.65, 0.15, 30), seed=(study,))
            held += low <= 0.1 <= high
        assert 0.90 <= held / n_studies <= 0.99


class TestClusteredLogit:
    def test_equals_statsmodels_with_student_t(self) -> None:
        outcome, exposed, people = answers(np.random.default_rng(5), means=(0.5, 0.7), n=9, length=12)
        found = clustered_logit(outcome, exposed, people)
        peer = sm.GEE(
            outcome,
            sm.add_constant(exposed),
            groups=people,
            family=sm.families.Binomial(),
            cov_struct=sm.cov_struct.Exchangeable(),
        ).fit(cov_type="bias_reduced")
        statistic = peer.params[1] / peer.bse[1]
        assert found.odds_ratio == pytest.approx(math.exp(peer.params[1]))
        assert found.p_value == pytest.approx(2 * stats.t.sf(abs(statistic), df=18 - 2))
        assert found.reason == ""

    def test_odds_ratio_by_hand(self) -> None:
        """With as many trials for everyone it is the ratio of the odds: (6/8 : 2/8) / (4/8 : 4/8) = 3."""
        outcome = [1, 1, 0, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 1, 0, 1]
        people = np.repeat(["a", "b", "c", "d"], 4)
        assert clustered_logit(outcome, [0] * 8 + [1] * 8, people).odds_ratio == pytest.approx(3)

    def test_repeated_trials_of_a_person_add_no_evidence(self) -> None:
        outcome, exposed, people = answers(np.random.default_rng(6), means=(0.5, 0.65), n=8, length=10)
        once = clustered_logit(outcome, exposed, people)
        thrice = clustered_logit(*(np.tile(values, 3) for values in (outcome, exposed, people)))
        assert thrice.odds_ratio == pytest.approx(once.odds_ratio)
        assert thrice.p_value == pytest.approx(once.p_value, rel=1e-3)

    def test_false_alarms_are_few_although_people_differ(self) -> None:
        random = np.random.default_rng(7)
        studies = [answers(random, means=(0.6, 0.6), n=12, length=40) for _ in range(100)]
        assert np.mean([clustered_logit(*study).p_value < 0.05 for study in studies]) <= 0.10
        of_trials = [stats.ttest_ind(outcome[exposed == 0], outcome[exposed == 1]) for outcome, exposed, _ in studies]
        assert np.mean([test.pvalue < 0.05 for test in of_trials]) >= 0.2

    def test_one_participant_in_a_condition_gives_the_reason_instead_of_a_number(self) -> None:
        found = clustered_logit([1, 0, 1, 0, 1, 1], [0, 0, 0, 0, 1, 1], ["a", "a", "b", "b", "c", "c"])
        assert math.isnan(found.odds_ratio)
        assert math.isnan(found.p_value)
        assert found.reason == "fewer than two participants in a condition"

    @pytest.mark.parametrize("answer", [0, 1])
    def test_condition_without_variation_gives_the_reason_instead_of_a_number(self, answer: int) -> None:
        found = clustered_logit([1, 0, 1, 0] + [answer] * 4, [0] * 4 + [1] * 4, np.repeat([0, 1, 2, 3], 2))
        assert math.isnan(found.p_value)
        assert found.reason == "all answers of a condition are correct, or all incorrect"


class TestHolm:
    @given(st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), max_size=8))
    @settings(deadline=None, max_examples=40)
    def test_equals_statsmodels_over_the_p_values_that_exist(self, p_values: list[float]) -> None:
        given_values = np.array(p_values, dtype=float)
        exists = np.isfinite(given_values)
        expected = np.full(len(given_values), math.nan)
        if exists.any():
            expected[exists] = multipletests(given_values[exists], method="holm")[1]
        np.testing.assert_allclose(holm(p_values), expected)

"""Inclusion, averages and uncertainty, on studies small enough to compute by hand."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from pandas.testing import assert_frame_equal
from rich.console import Console
from scipy import stats
from statsmodels.stats.multitest import multipletests

from lwise_core.experiments.study import REPEAT
from lwise_core.records.statistics import (
    Measure,
    condition_contrast,
    condition_summary,
    data_quality,
    learning_curve,
    participant_accuracy,
    summary_table,
    training_minutes,
)

from .synthetic import Person, learners, study, trial_records

BY_HAND = [
    Person("a1", condition=0, training="1100", checks="10", test="1000"),
    Person("a2", condition=0, training="1111", checks="11", test="10-1"),
    Person("b1", condition=1, training="11", checks="1", test="1111"),
    Person("b2", condition=1, training="0111", checks="1", test="10"),
]
NOT_COUNTED = [
    Person("quitter", condition=1, training="0-0", state="started"),
    Person("researcher", condition=0, training="0000", checks="00", test="0000", platform="test"),
]
TWO_CONDITIONS = [*learners(0, 0.6, n=10), *learners(1, 0.75, n=10)]
INTERVAL_ENDS = ["train_accuracy_low", "train_accuracy_high", "test_accuracy_low", "test_accuracy_high"]


def doubled(people: list[Person]) -> list[Person]:
    """The same people, each of their main trials given twice."""
    return [replace(person, training=person.training * 2, test=person.test * 2) for person in people]


@pytest.fixture(scope="module")
def summary() -> pd.DataFrame:
    return condition_summary(*study(BY_HAND + NOT_COUNTED), seed=0).set_index("condition_idx")


class TestSummary:
    @pytest.mark.parametrize("state", ["started", "screened_out", "abandoned", "restarted"])
    def test_only_completed_sessions_are_analysed(self, summary: pd.DataFrame, state: str) -> None:
        other = Person("other", condition=0, training="0000", test="0000", state=state)
        found = condition_summary(*study([*BY_HAND, other]), seed=0).set_index("condition_idx")
        assert found["train_accuracy"].tolist() == summary["train_accuracy"].tolist()
        assert found["n_completed"].tolist() == [2, 2]

    def test_accuracy_is_the_mean_of_participants_not_of_trials(self, summary: pd.DataFrame) -> None:
        assert summary["train_accuracy"].tolist() == [(0.5 + 1) / 2, (1 + 0.75) / 2]
        assert summary.loc[1, "test_accuracy"] == (1 + 0.5) / 2

    def test_missed_deadline_counts_as_wrong(self, summary: pd.DataFrame) -> None:
        assert summary.loc[0, "test_accuracy"] == (0.25 + 0.5) / 2

    def test_test_sessions_are_excluded_and_quitters_count_as_started(self, summary: pd.DataFrame) -> None:
        assert summary["n_started"].tolist() == [2, 3]
        assert summary["n_completed"].tolist() == [2, 2]

    def test_chance_attention_and_label(self, summary: pd.DataFrame) -> None:
        assert summary["chance"].tolist() == [0.5, 0.5]
        assert summary["attention_accuracy"].tolist() == [0.75, 1.0]
        assert summary["label"].tolist() == ["0 · control", "1 · taper"]

    def test_attention_is_the_mean_of_participants_not_of_checks(self) -> None:
        people = [Person("a", training="1", checks="10"), Person("b", training="1", checks="1111")]
        assert condition_summary(*study(people), seed=0)["attention_accuracy"].tolist() == [0.75]

    def test_chance_follows_the_number_of_choices(self) -> None:
        trials, sessions = study(BY_HAND)
        trials["choice_names"] = [["a", "b", "c", "d"]] * len(trials)
        assert condition_summary(trials, sessions, seed=0)["chance"].tolist() == [0.25, 0.25]

    def test_reaction_time_is_the_median_of_medians_of_main_trials(self) -> None:
        """Of 600, 700 and 800 ms, and of 600 and 700 ms after a missed deadline; checks (900 ms on) do not count."""
        people = [Person("a", training="111", checks="11"), Person("b", training="11-", checks="11")]
        assert condition_summary(*study(people), seed=0)["median_rt_msec"].tolist() == [(700 + 650) / 2]

    def test_condition_that_nobody_completed_is_a_row_without_numbers(self) -> None:
        summary = condition_summary(*study([Person("quitter", training="11", state="started")]), seed=0)
        assert summary[["n_started", "n_completed"]].to_numpy().tolist() == [[1, 0]]
        assert summary.drop(columns=["condition_idx", "label", "n_started", "n_completed"]).isna().all(axis=None)

    def test_one_participant_has_an_accuracy_without_interval(self) -> None:
        summary = condition_summary(*study([Person("only", training="1100", test="1110")]), seed=0)
        assert summary["test_accuracy"].tolist() == [0.75]
        assert summary[INTERVAL_ENDS].isna().all(axis=None)

    def test_no_sessions_give_no_rows(self) -> None:
        assert len(condition_summary(*study([]), seed=0)) == 0


class TestUncertainty:
    def test_more_trials_of_the_same_people_change_no_interval(self) -> None:
        once, twice = study(TWO_CONDITIONS), study(doubled(TWO_CONDITIONS))
        assert_frame_equal(
            condition_summary(*once, seed=0)[INTERVAL_ENDS], condition_summary(*twice, seed=0)[INTERVAL_ENDS]
        )
        columns = ["difference", "low", "high"]
        assert_frame_equal(condition_contrast(*once, seed=0)[columns], condition_contrast(*twice, seed=0)[columns])

    def test_identical_participants_give_zero_width_intervals(self) -> None:
        people = [Person(name, training="1101", test="1110") for name in "abcde"]
        ends = condition_summary(*study(people), seed=0)[INTERVAL_ENDS]
        assert ends.to_numpy().tolist() == [[0.75] * 4]

    def test_the_seed_decides_and_nothing_else(self) -> None:
        tables = study(TWO_CONDITIONS)
        first = condition_summary(*tables, seed=1)
        assert_frame_equal(first, condition_summary(*tables, seed=1))
        assert (first[INTERVAL_ENDS] != condition_summary(*tables, seed=2)[INTERVAL_ENDS]).any(axis=None)


class TestContrast:
    def test_differences_and_gain_in_margin_by_hand(self) -> None:
        people = [
            Person("a1", condition=0, test="1110"),
            Person("a2", condition=0, test="1101"),
            Person("b1", condition=2, test="1111"),
            Person("b2", condition=2, test="11101111"),
        ]
        contrast = condition_contrast(*study(people), seed=0).iloc[0]
        assert (contrast["label"], contrast["reference_label"]) == ("2 · natural", "0 · natural")
        assert contrast["n_participants"] == 4
        assert contrast["difference"] == pytest.approx((1 + 0.875) / 2 - 0.75)
        # (0.9375 - 0.5) / (0.75 - 0.5) - 1
        assert contrast["margin_gain"] == pytest.approx(0.75)

    def test_no_gain_over_a_reference_that_is_not_above_chance(self) -> None:
        assert math.isnan(condition_contrast(*study(BY_HAND), seed=0).loc[0, "margin_gain"])

    def test_only_test_trials_of_included_participants_matter(self) -> None:
        worse_training = [replace(person, training="0" * len(person.training)) for person in TWO_CONDITIONS]
        columns = ["difference", "low", "high", "odds_ratio", "p_value"]
        assert_frame_equal(
            condition_contrast(*study(TWO_CONDITIONS), seed=0)[columns],
            condition_contrast(*study(worse_training + NOT_COUNTED), seed=0)[columns],
        )

    def test_p_value_is_that_of_a_gee_over_the_test_trials(self) -> None:
        trials, sessions = study(TWO_CONDITIONS)
        contrast = condition_contrast(trials, sessions, seed=0).iloc[0]
        test = trials[~trials["show_feedback"]].sort_values(["participant", "obs"])
        peer = sm.GEE(
            test["perf"].to_numpy(dtype=float),
            sm.add_constant((test["condition_idx"] == 1).to_numpy(dtype=float)),
            groups=test["participant"].to_numpy(dtype=object),
            family=sm.families.Binomial(),
            cov_struct=sm.cov_struct.Exchangeable(),
        ).fit(cov_type="bias_reduced")
        assert contrast["odds_ratio"] == pytest.approx(math.exp(peer.params[1]))
        assert contrast["p_value"] == pytest.approx(2 * stats.t.sf(abs(peer.params[1] / peer.bse[1]), df=18))

    def test_several_contrasts_share_the_reference_and_are_adjusted_for_their_number(self) -> None:
        people = [*TWO_CONDITIONS, *learners(2, 0.8, n=10), Person("single", condition=3, test="1100")]
        contrasts = condition_contrast(*study(people), seed=0)
        assert contrasts["condition_idx"].tolist() == [1, 2, 3]
        assert contrasts["reference_idx"].tolist() == [0, 0, 0]
        expected = multipletests(contrasts["p_value"].iloc[:2], method="holm")[1]
        np.testing.assert_allclose(contrasts["p_holm"], [*expected, math.nan])
        assert contrasts["reason"].tolist() == ["", "", "fewer than two participants in a condition"]

    def test_perfect_condition_has_a_difference_and_a_reason_instead_of_p(self) -> None:
        perfect = [Person(name, condition=1, test="1111") for name in "xyz"]
        contrast = condition_contrast(*study([*learners(0, 0.6, n=5), *perfect]), seed=0).iloc[0]
        assert contrast["low"] > 0
        assert math.isnan(contrast["p_value"])
        assert "all answers of a condition are correct" in contrast["reason"]

    def test_nothing_to_compare_gives_no_rows(self) -> None:
        assert len(condition_contrast(*study(learners(0, 0.6, n=4)), seed=0)) == 0
        assert len(condition_contrast(*study([]), seed=0)) == 0


class TestLearningCurve:
    def test_bins_never_mix_training_and_test_even_where_they_alternate(self) -> None:
        """All training answers wrong and all test answers right: a mixed bin would lie in between."""
        trials, sessions = study([Person(name, training="0" * 11, test="1" * 11) for name in "ab"])
        alternating = trials.sort_values(["participant", "block"]).groupby("participant").cumcount()
        trials["obs"] = (alternating % 11 * 2 + alternating // 11).astype("Int64")
        curve = learning_curve(trials, sessions, seed=0, trials_per_bin=4)
        assert set(curve.loc[curve["phase"] == "training", "value"]) == {0.0}
        assert set(curve.loc[curve["phase"] == "test", "value"]) == {1.0}
        assert curve["phase"].value_counts().to_dict() == {"training": 3, "test": 3}

    def test_bins_by_hand(self) -> None:
        people = [Person("a", training="0011" * 2, checks="00", test="11"), Person("b", training="0111" * 2, test="01")]
        curve = learning_curve(*study(people), seed=0, trials_per_bin=4)
        assert curve["phase"].tolist() == ["training", "training", "test"]
        assert curve["value"].tolist() == [0.625, 0.625, 0.75]
        assert curve["trial"].tolist() == [2.5, 6.5, 9.5]
        assert curve["first_trial"].tolist() == [1, 5, 9]
        assert curve["n"].tolist() == [2, 2, 2]

    def test_the_number_of_bins_is_rounded(self) -> None:
        people = [Person(name, training="1" * 9) for name in "ab"]
        assert learning_curve(*study(people), seed=0, trials_per_bin=4)["first_trial"].tolist() == [1, 6]

    def test_trials_in_any_order_give_the_same_curve(self) -> None:
        trials, sessions = study(TWO_CONDITIONS)
        shuffled = trials.sample(frac=1, random_state=0)
        assert_frame_equal(learning_curve(shuffled, sessions, seed=0), learning_curve(trials, sessions, seed=0))

    def test_reaction_times_are_medians_of_medians(self) -> None:
        """600 … 1000 ms and again: the medians of five trials in a row are 800 ms; a missed deadline has no time."""
        people = [Person("a", training="1" * 10), Person("b", training="11-11" * 2)]
        curve = learning_curve(*study(people), seed=0, measure="reaction_time_msec", trials_per_bin=5)
        assert curve["value"].tolist() == [800, 800]

    def test_participant_without_a_time_in_a_bin_is_not_counted_there(self) -> None:
        people = [Person("a", training="11"), Person("b", training="--")]
        assert learning_curve(*study(people), seed=0, measure="reaction_time_msec")["n"].tolist() == [1]
        assert learning_curve(*study(people), seed=0)["n"].tolist() == [2]

    def test_without_trials_it_is_empty(self) -> None:
        assert len(learning_curve(*study([]), seed=0)) == 0


def test_participant_accuracy_is_that_of_the_test_of_those_who_completed() -> None:
    people = participant_accuracy(*study(BY_HAND + NOT_COUNTED))
    assert dict(zip(people["participant"], people["test_accuracy"], strict=True)) == {
        "a1": 0.25,
        "a2": 0.5,
        "b1": 1.0,
        "b2": 0.5,
    }


class TestRepeatImage:
    """Trials of the repeat image are stored, but no statistic of the main trials counts them."""

    @pytest.fixture(params=[True, False], ids=["training", "test"])
    def tables(self, request: pytest.FixtureRequest) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Every participant sees the repeat image five times, chooses wrongly among ten names, slowly or too late."""
        trials, sessions = study(TWO_CONDITIONS)
        repeats = trials[trials["calibration"] == 0].groupby("participant").head(5).copy()
        repeats = repeats.assign(trial_type=REPEAT, obs=repeats["obs"] + 1000, perf=0, reaction_time_msec=9000.0)
        repeats = repeats.assign(choice_names=[list("abcdefghij")] * len(repeats), show_feedback=request.param)
        repeats[["i_choice", "rel_timestamp_response"]] = pd.NA
        return pd.concat([trials, repeats], ignore_index=True).astype(trials.dtypes.to_dict()), sessions

    def test_summary_contrast_and_accuracies_are_those_without_it(
        self, tables: tuple[pd.DataFrame, pd.DataFrame]
    ) -> None:
        without = study(TWO_CONDITIONS)
        assert_frame_equal(condition_summary(*tables, seed=0), condition_summary(*without, seed=0))
        assert_frame_equal(condition_contrast(*tables, seed=0), condition_contrast(*without, seed=0))
        assert_frame_equal(participant_accuracy(*tables), participant_accuracy(*without))

    @pytest.mark.parametrize("measure", ["perf", "reaction_time_msec"])
    def test_learning_curve_is_that_without_it(
        self, tables: tuple[pd.DataFrame, pd.DataFrame], measure: Measure
    ) -> None:
        curve = learning_curve(*tables, seed=0, measure=measure)
        assert_frame_equal(curve, learning_curve(*study(TWO_CONDITIONS), seed=0, measure=measure))

    def test_missed_deadlines_are_those_of_main_trials(self, tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
        assert [quality.missed_deadlines for quality in data_quality(*tables)] == [0, 0]


class TestTrainingMinutes:
    def test_from_the_first_choices_to_the_last_response_with_feedback(self) -> None:
        """A trial every 2 s from 0; the last of six (four and two checks) is answered after 600 ms."""
        trials, _ = study([Person("a", training="1100", checks="11", test="1111")])
        assert training_minutes(trials).to_dict() == {"a": pytest.approx((5 * 2000 + 600) / 60_000)}

    def test_reloading_the_page_restarts_the_clock(self) -> None:
        """Responses at 0.6, 2.7, (reload) 0.8 and 2.9 s: 0.6 + 2.1 + 0 + 2.1 s."""
        trials, _ = study([Person("a", training="1111")])
        trials.loc[trials["obs"] >= 2, "rel_timestamp_response"] -= 4000
        assert training_minutes(trials).to_dict() == {"a": pytest.approx(4800 / 60_000)}

    def test_missed_deadlines_are_spanned(self) -> None:
        trials, _ = study([Person("a", training="1--1")])
        assert training_minutes(trials).to_dict() == {"a": pytest.approx((3 * 2000 + 900) / 60_000)}


class TestDataQuality:
    def test_all_stored_trials_except_the_researcher_s_count(self) -> None:
        first, second = data_quality(*study(BY_HAND + NOT_COUNTED))
        assert (first.label, first.n_participants, first.n_trials) == ("0 · control", 2, 20)
        assert first.missed_deadlines == 1 / 16
        assert first.attention_accuracy == 0.75
        assert first.n_inattentive == 1
        assert (second.n_participants, second.n_trials) == (3, 3 + 14)
        assert second.missed_deadlines == pytest.approx(1 / 15)

    @pytest.mark.parametrize(("checks", "n_inattentive"), [("1111111110", 0), ("1111111100", 1), ("1" * 10, 0)])
    def test_exactly_nine_of_ten_attention_checks_suffice(self, checks: str, n_inattentive: int) -> None:
        (quality,) = data_quality(*study([Person("a", training="11", checks=checks)]))
        assert quality.n_inattentive == n_inattentive

    def test_nine_of_ten_attention_checks_are_enough(self) -> None:
        people = [Person("a", training="1", checks="1" * 9 + "0"), Person("b", training="1", checks="1" * 8 + "00")]
        (quality,) = data_quality(*study(people))
        assert quality.n_inattentive == 1

    def test_shares_of_trials_shown_in_time(self) -> None:
        trials, sessions = study([Person("a", training="1111")])
        trials.loc[0, ["timing_ok", "dropped_frames"]] = [False, 6]
        (found,) = data_quality(trials, sessions)
        assert (found.timing_ok, found.dropped_frames) == (0.75, 1.5)
        assert math.isnan(found.attention_accuracy)


class TestSummaryTable:
    @staticmethod
    def lines(people: list[Person], *, long_label: str = "") -> list[str]:
        summary = condition_summary(*study(people), seed=0)
        if long_label:
            summary["label"] = long_label
        terminal = io.StringIO()
        Console(file=terminal, width=80).print(summary_table(summary))
        return terminal.getvalue().splitlines()

    def test_every_heading_and_number_fits_into_80_columns(self) -> None:
        lines = self.lines(TWO_CONDITIONS, long_label="1 · a_trial_type_with_a_very_long_name + another + 2 more")
        text = "\n".join(lines)
        assert max(map(len, lines)) <= 80
        assert "…" not in text
        for heading in ("condition", "done", "training", "test", "chance", "RT, ms"):
            assert heading in text
        row = condition_summary(*study(TWO_CONDITIONS), seed=0).iloc[1]
        accuracy, low, high = (100 * row[f"test_accuracy{end}"] for end in ("", "_low", "_high"))
        assert f"{accuracy:.1f} [{low:.1f}, {high:.1f}]" in text

    def test_missing_numbers_are_dashes_and_markup_is_literal(self) -> None:
        lines = self.lines([Person("a", state="started")], long_label="[red]0")
        assert any("[red]0" in line and "0/1" in line and line.count("–") == 4 for line in lines)


def test_a_participant_has_one_condition_throughout() -> None:
    """The synthetic studies are consistent with what a server stores."""
    trials, sessions = study(TWO_CONDITIONS)
    joined = trials.merge(sessions, on="participant", suffixes=("", "_session"))
    assert len(joined) == sum(len(trial_records(person)) for person in TWO_CONDITIONS)
    assert (joined["condition_idx"] == joined["condition_idx_session"]).all()

"""What is drawn at random is as uniform as its rules allow: neither biased nor more even than chance.

Seed and ids are fixed, so each test gives the same answer every time. With other ones, a correct generator would fail
each of the 21 checks with probability `ALPHA`, and any of them with at most 21 `ALPHA` = 0.2 % (Bonferroni). P-values
are two-sided, because counts that are too even betray a fault as well as uneven ones.

That the checks can fail is shown by feeding them a generator that is stuck in every other block of six sessions, and
one that deals in turn instead of drawing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise, permutations
from typing import NamedTuple

import numpy as np
import pytest
from scipy.stats import chi2

from lwise_core.authoring.compile import compile_study
from lwise_core.experiments.study import Study
from lwise_core.experiments.trialset import Trialset, build_trialset
from tests.experiments.conftest import scored_rows, write_url_study

ALPHA = 1e-4
N_SESSIONS = 2000
CLASSES = ("aversata", "biselata", "dimidiata", "seriata")
ALIASES = ("Leda", "Tyro", "Eris", "Ajax")
SHAPES = ("circle", "triangle")
PER_CLASS = {"train": 20, "val": 8}
TYPES = ("weak", "strong", "natural")
FIRST, TYPED, UNEVEN, DEALT = range(4)


class Seen(NamedTuple):
    """What matters here of a trial: its `place` in its block, and `source_block`, the block it was made for."""

    block: int
    place: int
    source_block: int
    trial_type: str
    name: str
    image: int | None
    bucket: str | None
    choices: tuple[str, ...]
    right: int


class Session(NamedTuple):
    condition: int
    trials: tuple[Seen, ...]

    def of(self, block: int) -> list[Seen]:
        return [trial for trial in self.trials if trial.block == block]


Sessions = Sequence[Session]


def _session(study: Study, trialset: Trialset) -> Session:
    place: Counter[int] = Counter()
    trials = []
    for trial in trialset.trials:
        kind = study.kinds[trial.kind]
        is_shape = trial.image is None
        trials.append(
            Seen(
                block=trial.block,
                place=place[trial.block],
                source_block=kind.block,
                trial_type=kind.trial_type,
                name=trial.stimulus_name if is_shape else study.classes[study.images[trial.image].class_num],
                image=trial.image,
                bucket=None if trial.source is None else study.sources[trial.source].bucket,
                choices=trial.choice_names,
                right=trial.i_correct_choice,
            )
        )
        place[trial.block] += 1
    return Session(trialset.condition_idx, tuple(trials))


def _sessions(study: Study) -> list[Session]:
    return [_session(study, build_trialset(study, number)) for number in range(N_SESSIONS)]


@pytest.fixture(scope="module")
def mixed_study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Trial types, repeats, attention checks, dealt buckets, aliases; choices fixed, rotated and shuffled."""
    config = {
        "session_config": [
            {"first": {"n_trials_per_class_train": 4, "n_calibration_trials": 2, "n_repeats_of_one_stim": 1}},
            {
                "typed": {
                    "n_trials_per_class_train": 6,
                    "n_calibration_trials": 4,
                    "n_repeats_of_one_stim": 2,
                    "rotate_choice_order": True,
                    "trial_types": {name: {} for name in TYPES},
                }
            },
            {
                "uneven": {
                    "n_trials_per_class_val": 5,
                    "n_calibration_trials": 2,
                    "shuffle_choice_order": True,
                    "trial_types": {name: {} for name in TYPES},
                }
            },
            {"dealt": {"n_trials_per_class_val": 2, "n_classes_per_bucket": {"moths-eps8": 1, "moths-eps1": 3}}},
        ],
        "trial_config": {
            "repeat_stimulus_split": "train",
            "choice_names_aliases": dict(zip(CLASSES, ALIASES, strict=True)),
            "choice_aliases_random_shuffle": True,
        },
        "deployment": {"seed": 1, "num_conditions": 3, "randomization_block_size": 6},
    }
    rows = scored_rows(CLASSES, PER_CLASS, bucket="moths-natural")
    return compile_study(write_url_study(tmp_path_factory.mktemp("mixed"), rows, config)).study


@pytest.fixture(scope="module")
def mixed(mixed_study: Study) -> Sessions:
    return _sessions(mixed_study)


@pytest.fixture(scope="module")
def curriculum_study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Two blocks of the easiest half and one of any images, all exchanged; one order of choices per session."""
    easy = {"difficulty_curriculum": True, "max_difficulty_selection": 0.5}
    config = {
        "session_config": [
            {"easy_1": {"n_trials_per_class_train": 4, **easy}},
            {"easy_2": {"n_trials_per_class_train": 4, **easy}},
            {"any": {"n_trials_per_class_train": 4}},
        ],
        "trial_config": {
            "curriculum_num_blocks": 2,
            "combine_and_shuffle": True,
            "choice_names_order_shuffle": True,
        },
        "deployment": {"seed": 2, "num_conditions": 3, "fully_random_group_assignment": True},
    }
    rows = scored_rows(CLASSES, {"train": 24}, bucket="moths-natural")
    return compile_study(write_url_study(tmp_path_factory.mktemp("curriculum"), rows, config)).study


@pytest.fixture(scope="module")
def curriculum(curriculum_study: Study) -> Sessions:
    return _sessions(curriculum_study)


# --- statistics


class Fit(NamedTuple):
    """A statistic that follows the chi-square distribution where what it measures is uniform."""

    statistic: float
    freedom: int

    @property
    def p(self) -> float:
        """Two-sided."""
        return float(2 * min(chi2.sf(self.statistic, self.freedom), chi2.cdf(self.statistic, self.freedom)))

    def __add__(self, other: object) -> Fit:
        """Of independent draws."""
        assert isinstance(other, Fit)
        return Fit(self.statistic + other.statistic, self.freedom + other.freedom)


def drawn(values: Iterable[object], possible: Sequence[object]) -> Fit:
    """Pearson's statistic of independent draws, each possible value being as likely as the others."""
    counts = Counter(values)
    assert set(counts) <= set(possible)
    expected = counts.total() / len(possible)
    return Fit(sum((counts[value] - expected) ** 2 for value in possible) / expected, len(possible) - 1)


def dealt(sessions: Iterable[Sequence[object]]) -> Fit:
    """The statistic of things that labels are dealt to, in each session each label to the same number of them.

    Of N things, m_k get the label k (one label may be "not drawn"). With Y_ik = 1 where thing i gets label k, a uniform
    deal has

        cov(Y_ik, Y_jl) = [(d_ij - 1/N) N/(N-1)] [p_k d_kl - p_k p_l],   p_k = m_k / N,

    as P(i gets k, j gets l) = m_k m_l / (N (N-1)) for i != j and k != l shows, and likewise the other cases. The first
    factor is N/(N-1) times a projection of rank N-1, the second the covariance of a multinomial draw. Counts C_ik over
    S independent sessions therefore give

        (N-1)/N  sum_ik (C_ik - S p_k)^2 / (S p_k)  ->  chi-square with (N-1)(K-1) degrees of freedom.

    For K = 2 this is sum_i (C_i - S p)^2 / (S p (1-p)) (N-1)/N: drawing without replacement makes counts more even than
    Pearson's statistic expects, by the factor 1 - p.
    """
    counts: Counter[tuple[int, object]] = Counter()
    of_label: Counter[object] | None = None
    n_sessions = 0
    for labels in sessions:
        assert of_label in (None, Counter(labels)), "each session deals the same labels"
        of_label = Counter(labels)
        counts.update(enumerate(labels))
        n_sessions += 1
    assert of_label is not None
    n = of_label.total()
    pearson = sum(
        (counts[thing, label] - n_sessions * m / n) ** 2 / (n_sessions * m / n)
        for thing in range(n)
        for label, m in of_label.items()
    )
    return Fit(pearson * (n - 1) / n, (n - 1) * (len(of_label) - 1))


def total(fits: Iterable[Fit]) -> Fit:
    return sum(fits, Fit(0.0, 0))


def test_the_test_statistic_has_its_stated_distribution() -> None:
    """On shuffles by numpy: 400 statistics have the mean and the variance of chi-square with 18 degrees of freedom."""
    random = np.random.default_rng(5)
    labels = np.array(["no"] * 6 + ["weak"] * 2 + ["strong"] * 2)
    fits = [dealt(random.permuted(labels).tolist() for _ in range(200)) for _ in range(400)]
    assert {fit.freedom for fit in fits} == {18}
    found = np.array([fit.statistic for fit in fits])
    # Standard errors: sqrt(36 / 400) = 0.3 of the mean; of the variance about 36 sqrt(2.7 / 400) = 3.
    assert abs(found.mean() - 18) < 1.2
    assert abs(found.var() - 36) < 12


# --- what is checked, in the study of trial types, repeats, attention checks and aliases


def _images_of(study: Study, split: str, class_name: str) -> list[int]:
    return [i for i, m in enumerate(study.images) if (m.split, study.classes[m.class_num]) == (split, class_name)]


def _exposure(study: Study, sessions: Sessions, split: str) -> Fit:
    """Images in main trials: of each class the same number is drawn without replacement."""
    shown = [{t.image for t in session.trials if t.trial_type != "repeat_stimulus"} for session in sessions]
    return total(
        dealt([image in of_session for image in images] for of_session in shown)
        for images in (_images_of(study, split, name) for name in CLASSES)
    )


def exposure_of_training_images(study: Study, sessions: Sessions) -> Fit:
    """10 of 20 per class, beside the repeat image."""
    return _exposure(study, sessions, "train")


def exposure_of_test_images(study: Study, sessions: Sessions) -> Fit:
    """7 of 8 per class: counts are eight times more even than Pearson's statistic expects."""
    return _exposure(study, sessions, "val")


def the_repeat_image(study: Study, sessions: Sessions) -> Fit:
    """One image per session, any of the training images."""
    images = [image for name in CLASSES for image in _images_of(study, "train", name)]
    repeats = (next(t.image for t in s.trials if t.trial_type == "repeat_stimulus") for s in sessions)
    return drawn(repeats, images)


def trial_types_of_images(study: Study, sessions: Sessions) -> Fit:
    """In the block of three types each image is not shown, or shown in one of them: 14, 2, 2, 2 of 20."""

    def labels(session: Session, images: Sequence[int]) -> list[str]:
        type_of = {trial.image: trial.trial_type for trial in session.of(TYPED) if trial.trial_type in TYPES}
        return [type_of.get(image, "not shown") for image in images]

    return total(
        dealt(labels(session, images) for session in sessions)
        for images in (_images_of(study, "train", name) for name in CLASSES)
    )


def the_remainder_of_trial_types(_: Study, sessions: Sessions) -> Fit:
    """Of 5 images two types get 2 each and one gets 1: which one, in each class."""

    def the_short_one(session: Session, name: str) -> str:
        counts = Counter(trial.trial_type for trial in session.of(UNEVEN) if trial.name == name)
        return min(counts, key=lambda trial_type: counts[trial_type])

    return total(drawn((the_short_one(session, name) for session in sessions), TYPES) for name in CLASSES)


def aliases(_: Study, sessions: Sessions) -> Fit:
    """Which of the 24 ways of naming four classes."""

    def names(session: Session) -> tuple[str, ...]:
        name_of = {trial.name: trial.choices[trial.right] for trial in session.trials if trial.image is not None}
        return tuple(name_of[class_name] for class_name in CLASSES)

    return drawn(map(names, sessions), list(permutations(ALIASES)))


def places_of_attention_checks(_: Study, sessions: Sessions) -> Fit:
    """In each block: which of its trials are attention checks."""
    return total(
        dealt([trial.image is None for trial in session.of(block)] for session in sessions)
        for block in (FIRST, TYPED, UNEVEN)
    )


def places_of_trial_types(_: Study, sessions: Sessions) -> Fit:
    """In the block of three types: 8 trials of each, 4 attention checks, 2 repeats, all shuffled together."""
    return dealt([trial.trial_type for trial in session.of(TYPED)] for session in sessions)


def _checks(sessions: Sessions, block: int) -> list[Seen]:
    return [trial for session in sessions for trial in session.of(block) if trial.image is None]


def places_of_shapes(_: Study, sessions: Sessions) -> Fit:
    """Which two of the four places circle and triangle take, whether choices are fixed, turned or shuffled."""
    pairs = list(permutations(range(4), 2))
    return total(
        drawn((tuple(map(check.choices.index, SHAPES)) for check in _checks(sessions, block)), pairs)
        for block in (FIRST, TYPED, UNEVEN)
    )


def names_beside_shapes(_: Study, sessions: Sessions) -> Fit:
    """Which names the shapes replace where choices are shuffled: the two that are left, in their order."""
    rest = (tuple(name for name in check.choices if name not in SHAPES) for check in _checks(sessions, UNEVEN))
    return drawn(rest, list(permutations(ALIASES, 2)))


def turns_of_the_ring(_: Study, sessions: Sessions) -> Fit:
    """In each trial that shows an image, in the block that turns its choices."""
    turns = (t.choices.index(ALIASES[0]) for s in sessions for t in s.of(TYPED) if t.image is not None)
    return drawn(turns, range(4))


def orders_of_choices(_: Study, sessions: Sessions) -> Fit:
    """In each trial that shows an image, in the block that shuffles them."""
    orders = (t.choices for s in sessions for t in s.of(UNEVEN) if t.image is not None)
    return drawn(orders, list(permutations(ALIASES)))


def classes_dealt_to_buckets(_: Study, sessions: Sessions) -> Fit:
    """One of four classes from one bucket, the others from the other."""

    def buckets(session: Session) -> list[str | None]:
        bucket_of = {trial.name: trial.bucket for trial in session.of(DEALT)}
        return [bucket_of[name] for name in CLASSES]

    return dealt(map(buckets, sessions))


def conditions_in_blocks(_: Study, sessions: Sessions) -> Fit:
    """Each condition takes two of the six places of a randomization block."""
    conditions = [session.condition for session in sessions]
    starts = range(0, len(conditions) - 5, 6)
    return dealt(conditions[start : start + 6] for start in starts)


def neighbours(_: Study, sessions: Sessions) -> Fit:
    """The alias of the first class, in one trial set and in the next one of two: any pair."""

    def alias(session: Session) -> str:
        return next(trial.choices[trial.right] for trial in session.trials if trial.name == CLASSES[0])

    pairs = [(alias(one), alias(next_one)) for one, next_one in pairwise(sessions)][::2]
    return drawn(pairs, [(one, other) for one in ALIASES for other in ALIASES])


def different_streams(study: Study, sessions: Sessions) -> Fit:
    """The alias of the first class, and whether its first image was shown: neither tells of the other."""
    image = _images_of(study, "train", CLASSES[0])[0]

    def pair(session: Session) -> tuple[str, bool]:
        alias = next(trial.choices[trial.right] for trial in session.trials if trial.name == CLASSES[0])
        return alias, any(t.image == image for t in session.trials if t.trial_type != "repeat_stimulus")

    # The image is shown in 10 of 20 sessions, so that all eight pairs are equally likely.
    return drawn(map(pair, sessions), [(alias, is_shown) for alias in ALIASES for is_shown in (True, False)])


Check = Callable[[Study, Sessions], Fit]

MIXED: Sequence[Check] = (
    exposure_of_training_images,
    exposure_of_test_images,
    the_repeat_image,
    trial_types_of_images,
    the_remainder_of_trial_types,
    aliases,
    places_of_attention_checks,
    places_of_trial_types,
    places_of_shapes,
    names_beside_shapes,
    turns_of_the_ring,
    orders_of_choices,
    classes_dealt_to_buckets,
    conditions_in_blocks,
    neighbours,
    different_streams,
)


# --- and in the study of the curriculum


def images_of_the_easiest_half(study: Study, sessions: Sessions) -> Fit:
    """Of the 20 images that the last block leaves, any 4 of the easiest 10: by their rank among these."""
    fits = []
    for name in CLASSES:
        ranked = sorted(_images_of(study, "train", name), key=lambda image: study.images[image].difficulty or 0.0)
        for block in (0, 1):
            deals = []
            for session in sessions:
                aside = {trial.image for trial in session.trials if trial.source_block == 2}
                mine = {trial.image for trial in session.trials if trial.source_block == block}
                half = [image for image in ranked if image not in aside][:10]
                deals.append([image in mine for image in half])
            fits.append(dealt(deals))
    return total(fits)


def images_set_aside(study: Study, sessions: Sessions) -> Fit:
    """The last block draws from all images: 4 of 24, hard or easy."""
    shown = [{trial.image for trial in session.trials if trial.source_block == 2} for session in sessions]
    return total(
        dealt([image in of_session for image in _images_of(study, "train", name)] for of_session in shown)
        for name in CLASSES
    )


def blocks_of_exchanged_trials(_: Study, sessions: Sessions) -> Fit:
    """Of the 12 places of a class, the trials made for each of the three blocks take any 4."""
    return total(
        dealt([trial.source_block for trial in session.trials if trial.name == name] for session in sessions)
        for name in CLASSES
    )


def orders_of_sessions(_: Study, sessions: Sessions) -> Fit:
    """One order of the four classes per session."""
    return drawn((session.trials[0].choices for session in sessions), list(permutations(CLASSES)))


def conditions_on_their_own(_: Study, sessions: Sessions) -> Fit:
    """Each trial set has any of three conditions, whatever the one before had."""
    conditions = [session.condition for session in sessions]
    pairs = list(zip(conditions[::2], conditions[1::2], strict=True))
    return drawn(pairs, [(one, other) for one in range(3) for other in range(3)])


CURRICULUM: Sequence[Check] = (
    images_of_the_easiest_half,
    images_set_aside,
    blocks_of_exchanged_trials,
    orders_of_sessions,
    conditions_on_their_own,
)


# --- the tests


def _named(check: Check) -> str:
    return check.__name__


def _stuck(sessions: Sessions) -> Sessions:
    """A generator that gives the same six trial sets, a whole randomization block, time and again in between."""
    return [sessions[number % 6] if number // 6 % 2 == 0 else session for number, session in enumerate(sessions)]


@pytest.mark.parametrize("check", MIXED, ids=_named)
def test_draws_are_uniform(mixed_study: Study, mixed: Sessions, check: Check) -> None:
    fit = check(mixed_study, mixed)
    assert fit.p > ALPHA, fit


@pytest.mark.parametrize("check", CURRICULUM, ids=_named)
def test_draws_of_the_curriculum_are_uniform(curriculum_study: Study, curriculum: Sessions, check: Check) -> None:
    fit = check(curriculum_study, curriculum)
    assert fit.p > ALPHA, fit


@pytest.mark.parametrize("check", MIXED, ids=_named)
def test_an_occasionally_stuck_generator_is_detected(mixed_study: Study, mixed: Sessions, check: Check) -> None:
    assert check(mixed_study, _stuck(mixed)).p < ALPHA


@pytest.mark.parametrize("check", CURRICULUM, ids=_named)
def test_a_stuck_curriculum_generator_is_detected(curriculum_study: Study, curriculum: Sessions, check: Check) -> None:
    assert check(curriculum_study, _stuck(curriculum)).p < ALPHA


def test_a_generator_that_deals_in_turn_is_detected() -> None:
    """Its counts are perfect, which a random draw would hardly ever achieve."""
    in_turn = [[place == number % 10 for place in range(10)] for number in range(2000)]
    assert dealt(in_turn).statistic == pytest.approx(0)
    assert dealt(in_turn).p < ALPHA
    assert drawn((number % 10 for number in range(2000)), range(10)).p < ALPHA


def test_plain_pearson_rejects_sampling_without_replacement(mixed_study: Study, mixed: Sessions) -> None:
    """Seven of eight test images are shown: treated as independent draws, their counts look too even."""
    images: Mapping[str, list[int]] = {name: _images_of(mixed_study, "val", name) for name in CLASSES}
    shown = [trial.image for session in mixed for trial in session.trials if trial.block in (UNEVEN, DEALT)]
    naive = total(drawn((image for image in shown if image in of_class), of_class) for of_class in images.values())
    assert naive.p < ALPHA

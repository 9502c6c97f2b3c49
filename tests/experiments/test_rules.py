"""Every rule of trial-set generation, on random studies as a researcher writes them, compiled from files on the disk.

No test draws anything itself: each compares finished trials with what is written.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st

from lwise_core.authoring.compile import CompiledStudy, compile_study
from lwise_core.authoring.config import TrialConfig
from lwise_core.dirmap import DirmapRow
from lwise_core.experiments.bundle import load_bundle, to_bundle
from lwise_core.experiments.payloads import expanded, participant_view
from lwise_core.experiments.trialset import build_trialset
from tests.experiments.conftest import BUDGETS, CLASSES, DataSet, write_study
from tests.experiments.test_payloads import shown_trials
from tests.experiments.written_studies import NAME, SETTINGS, SPLITS, WrittenStudy, written_studies

SHAPES = ("circle", "triangle")
Trials = list[dict[str, Any]]

_few = settings(max_examples=80)
_ids = st.integers(0, 10**6).map(lambda first: range(first, first + 5))
"""Five in a row, so that most sets of conditions are complete."""


@dataclass(frozen=True)
class Session:
    """A trial set with what its author wrote."""

    written: WrittenStudy
    condition: int
    trials: Trials
    view: Mapping[str, Any]

    @property
    def main(self) -> Trials:
        """Trials that show an image that does not come back."""
        return [trial for trial in self.trials if not trial["calibration"] and not is_repeat(trial)]

    @property
    def with_image(self) -> Trials:
        return [trial for trial in self.trials if not trial["calibration"]]

    @property
    def blocks(self) -> range:
        return range(len(self.written.blocks))

    def made_for(self, block: int) -> Trials:
        return [trial for trial in self.main if trial["source_block"] == block]

    @property
    def n_curriculum(self) -> int:
        return self.written.n_curriculum_blocks(self.condition)


def is_repeat(trial: Mapping[str, Any]) -> bool:
    return trial["trial_type"] == "repeat_stimulus"


Sessions = Callable[[WrittenStudy, Sequence[int]], Iterator[Session]]


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Sessions:
    """Writes the study, compiles it, reads it from its bundle and builds trial sets."""
    folder = tmp_path_factory.mktemp("rules") / f"{NAME}_1"

    def of(written: WrittenStudy, ids: Sequence[int]) -> Iterator[Session]:
        compiled = compile_study(written.write(folder))
        bundle = folder / "bundle.json"
        bundle.write_text(to_bundle(compiled.study), encoding="utf-8")
        study = load_bundle(bundle)
        for trialset_id in ids:
            trialset = build_trialset(study, trialset_id)
            yield Session(written, trialset.condition_idx, expanded(study, trialset), participant_view(study, trialset))

    return of


# --- how many trials of what


@_few
@given(written=written_studies(), ids=_ids)
def test_trial_types_are_balanced_within_class_and_split(
    sessions: Sessions, written: WrittenStudy, ids: Sequence[int]
) -> None:
    for session in sessions(written, ids):
        # The exchange between blocks leaves the counts as they are, so they hold for blocks as shown and as made.
        for which in ("block", "source_block"):
            found: dict[tuple[int, str, str], Counter[str]] = defaultdict(Counter)
            for trial in session.main:
                found[trial[which], trial["class"], trial["split"]][trial["trial_type"]] += 1
            expected = {
                (block, name, split): written.n_of(block, split)
                for block in session.blocks
                for name in written.classes
                for split in SPLITS
                if written.n_of(block, split)
            }
            assert {cell: of_types.total() for cell, of_types in found.items()} == expected
            for (block, _, _), of_types in found.items():
                types = written.types(block, session.condition)
                assert set(of_types) <= set(types)
                counts = [of_types[name] for name in types]
                assert max(counts) - min(counts) <= 1


@_few
@given(written=written_studies(), ids=_ids)
def test_blocks_come_in_order_and_contain_nothing_else(
    sessions: Sessions, written: WrittenStudy, ids: Sequence[int]
) -> None:
    for session in sessions(written, ids):
        trials = session.trials
        assert [trial["index"] for trial in trials] == list(range(len(trials)))
        assert all(later["block"] >= earlier["block"] for earlier, later in pairwise(trials))
        assert {trial["block_name"] for trial in trials} == {f"block_{trial['block']}" for trial in trials}
        assert {trial["condition_idx"] for trial in trials} <= {session.condition}
        assert 0 <= session.condition < written.n_conditions
        sizes = Counter(trial["block"] for trial in trials)
        for number, block in enumerate(written.blocks):
            n_images = len(written.classes) * sum(written.n_of(number, split) for split in SPLITS)
            n_shapes = block.get("n_calibration_trials", 0) // 2 * 2
            assert sizes[number] == n_images + n_shapes + written.n_repeats[number]


# --- settings


@_few
@given(written=written_studies(), ids=_ids)
def test_the_most_specific_place_wins_for_every_setting(
    sessions: Sessions, written: WrittenStudy, ids: Sequence[int]
) -> None:
    defaults = TrialConfig().model_dump()
    for session in sessions(written, ids):
        for trial in session.trials:
            block = trial["source_block"]
            of_type = written.types(block, session.condition).get(trial["trial_type"])
            expected = {key: written.said(key, block, of_type, defaults[key]) for key in (*SETTINGS, *_KEPT)}
            if trial["calibration"]:
                expected["stimulus_duration_msec"] = expected["calibration_stimulus_duration_msec"]
            assert {key: trial[key] for key in expected} == expected


_KEPT = ("keypress_fj_response", "intertrial_delay_duration_msec", "feedback_correct_url")
"""Settings that few or none of the studies write."""


@_few
@given(written=written_studies(), ids=_ids)
def test_a_trial_has_its_curriculum_keys(sessions: Sessions, written: WrittenStudy, ids: Sequence[int]) -> None:
    for session in sessions(written, ids):
        for trial in session.main:
            block = trial["source_block"]
            is_easy = block < session.n_curriculum
            share = written.said_for_block("max_difficulty_selection", block, session.condition)
            assert trial["difficulty_curriculum"] is is_easy
            assert trial["max_difficulty_selection"] == (share if is_easy else None)
            assert trial["combine_and_shuffle"] is _is_exchanged(session, block)


# --- images


@_few
@given(written=written_studies(), ids=_ids)
def test_a_trial_shows_an_image_of_the_data_set_with_its_own_fields(
    sessions: Sessions, written: WrittenStudy, ids: Sequence[int]
) -> None:
    rows = {row.im_path: row for row in written.rows}
    for session in sessions(written, ids):
        for trial in session.with_image:
            row = rows[trial["im_path"]]
            assert (trial["class"], trial["split"]) == (row.class_name, row.split)
            scores = (trial["difficulty"], trial["robust_gt_logit"])
            assert scores == pytest.approx((row.difficulty, row.robust_gt_logit), abs=1e-6)


@_few
@given(written=written_studies(), ids=_ids)
def test_images_repeat_only_across_curriculum_blocks(
    sessions: Sessions, written: WrittenStudy, ids: Sequence[int]
) -> None:
    for session in sessions(written, ids):
        of_blocks = [[trial["im_path"] for trial in session.made_for(block)] for block in session.blocks]
        assert all(len(set(paths)) == len(paths) for paths in of_blocks)
        curriculum = {path for paths in of_blocks[: session.n_curriculum] for path in paths}
        others = [path for paths in of_blocks[session.n_curriculum :] for path in paths]
        assert len(set(others)) == len(others)
        assert curriculum.isdisjoint(others)


@_few
@given(written=written_studies(), ids=_ids)
def test_curriculum_blocks_show_the_easiest_share_of_what_later_blocks_left(
    sessions: Sessions, written: WrittenStudy, ids: Sequence[int]
) -> None:
    """With the repeat image among the images to choose from, and without it."""
    for session in sessions(written, ids):
        later = {trial["im_path"] for trial in session.main if trial["source_block"] >= session.n_curriculum}
        repeat = {trial["im_path"] for trial in session.trials if is_repeat(trial)}
        for block in range(session.n_curriculum):
            share = written.said_for_block("max_difficulty_selection", block, session.condition)
            for not_counted in (later, later | repeat):
                for trial in session.made_for(block):
                    pool = _difficulties(written.rows, trial, not_counted)
                    assert trial["difficulty"] <= pool[round(share * len(pool)) - 1] + 1e-6


def _difficulties(rows: Sequence[DirmapRow], trial: Mapping[str, Any], not_counted: set[str]) -> list[float]:
    """Of the images of the trial's class and split, easiest first."""
    return sorted(
        row.difficulty
        for row in rows
        if (row.class_name, row.split) == (trial["class"], trial["split"])
        and row.im_path not in not_counted
        and row.difficulty is not None
    )


@_few
@given(written=written_studies(), ids=_ids)
def test_the_repeat_image_is_one_of_its_split_and_in_no_other_trial(
    sessions: Sessions, written: WrittenStudy, ids: Sequence[int]
) -> None:
    for session in sessions(written, ids):
        repeats = [trial for trial in session.trials if is_repeat(trial)]
        counts = Counter(trial["block"] for trial in repeats)
        assert [counts[block] for block in session.blocks] == written.n_repeats
        if repeats:
            (path,) = {trial["im_path"] for trial in repeats}
            assert {trial["split"] for trial in repeats} == {written.repeat_split}
            assert path not in {trial["im_path"] for trial in session.main}


# --- which copy of an image


@_few
@given(written=written_studies(), ids=_ids)
def test_a_trial_type_s_bucket_wins_over_the_class_s_and_the_image_s(
    sessions: Sessions, written: WrittenStudy, ids: Sequence[int]
) -> None:
    own = {row.im_path: row.extra["url"] for row in written.rows}
    for session in sessions(written, ids):
        dealt: dict[int, dict[str, str]] = defaultdict(dict)
        for trial in session.with_image:
            block, url = trial["source_block"], trial["stimulus_image_url"]
            bucket, _, path = url.removeprefix("https://").partition(".s3.amazonaws.com/")
            assert path == trial["im_path"]
            of_type = written.types(block, session.condition).get(trial["trial_type"], {})
            if "bucket" in of_type:
                assert trial["variant"] == bucket == of_type["bucket"]
            elif "n_classes_per_bucket" in written.blocks[block]:
                assert trial["variant"] == bucket == dealt[block].setdefault(trial["class"], bucket)
            else:
                assert url == own[trial["im_path"]]
                assert trial["variant"] is None
        for block, bucket_of in dealt.items():
            _check_deal(written, session.condition, block, Counter(bucket_of.values()), n_seen=len(bucket_of))


def _check_deal(written: WrittenStudy, condition: int, block: int, found: Counter[str], *, n_seen: int) -> None:
    """Exactly as many classes per bucket as written; where not all classes were seen, at most as many."""
    said = written.blocks[block]["n_classes_per_bucket"]
    deals = [said] if isinstance(said, dict) else said
    if isinstance(said, list) and written.n_conditions > 1:
        deals = [said[condition]]
    if n_seen == len(written.classes):
        assert dict(found) in deals
    else:
        assert any(found <= Counter(deal) for deal in deals)


# --- attention checks


@_few
@given(written=written_studies(), ids=_ids)
def test_attention_checks_show_circle_and_triangle_equally_often_among_names_of_the_session(
    sessions: Sessions, written: WrittenStudy, ids: Sequence[int]
) -> None:
    for session in sessions(written, ids):
        names = _names(session)
        shapes: Counter[tuple[int, str]] = Counter()
        for trial in session.trials:
            if trial["trial_type"] != "calibration":
                assert trial["calibration"] == 0
                continue
            assert trial["calibration"] == 1
            shapes[trial["block"], trial["stimulus_name"]] += 1
            assert trial["class"] == trial["stimulus_name"]
            assert [trial[key] for key in ("split", "im_path", "variant", "stimulus_image_url")] == [None] * 4
            assert set(SHAPES) <= set(trial["choice_names"])
            others = [name for name in trial["choice_names"] if name not in SHAPES]
            assert len(trial["choice_names"]) == len(written.classes) == len(others) + 2
            assert len(set(others)) == len(others)
            assert set(others) <= names
        assert shapes == Counter(
            {
                (number, shape): block.get("n_calibration_trials", 0) // 2
                for number, block in enumerate(written.blocks)
                for shape in SHAPES
            }
        )


# --- choices


def _names(session: Session) -> set[str]:
    """The names of a session as written: aliases, or classes with spaces for underscores."""
    return set(_alias_of(session.written).values())


def _alias_of(written: WrittenStudy) -> dict[str, str]:
    aliases = {
        name.replace("_", " "): alias for name, alias in written.trial_config.get("choice_names_aliases", {}).items()
    }
    return {name: aliases.get(name.replace("_", " "), name.replace("_", " ")) for name in written.classes}


def _written_order(written: WrittenStudy) -> list[str]:
    order = written.trial_config.get("choice_names_order") or written.classes
    return [name.replace("_", " ") for name in order]


@_few
@given(written=written_studies(), ids=_ids)
def test_the_correct_choice_is_the_class_s_name(sessions: Sessions, written: WrittenStudy, ids: Sequence[int]) -> None:
    alias_of = _alias_of(written)
    for session in sessions(written, ids):
        name_of = {(trial["class"], trial["stimulus_name"]) for trial in session.with_image}
        assert len({class_name for class_name, _ in name_of}) == len(name_of)
        assert len({name for _, name in name_of}) == len(name_of)
        if not written.shuffles_aliases:
            assert all(alias_of[class_name] == name for class_name, name in name_of)
        for trial in session.trials:
            assert trial["choice_names"][trial["i_correct_choice"]] == trial["stimulus_name"]
            if not trial["calibration"]:
                assert sorted(trial["choice_names"]) == sorted(alias_of.values())


@_few
@given(written=written_studies(), ids=_ids)
def test_choices_follow_the_session_order_rotated_or_shuffled_per_block(
    sessions: Sessions, written: WrittenStudy, ids: Sequence[int]
) -> None:
    alias_of = {name.replace("_", " "): alias for name, alias in _alias_of(written).items()}
    as_written = tuple(alias_of[name] for name in _written_order(written))
    for session in sessions(written, ids):
        fixed: set[tuple[str, ...]] = set()
        turned: set[tuple[str, ...]] = set()
        for trial in session.with_image:
            order = _order_of(written, trial["source_block"])
            (fixed if order == "fixed" else turned if order == "rotated" else set()).add(tuple(trial["choice_names"]))
        if not written.shuffles_order:
            assert fixed <= {as_written}
            fixed.add(as_written)
        assert len(fixed) <= 1
        rings = {_from(min(as_written), offer) for offer in fixed | turned}
        assert len(rings) <= 1
        for trial in session.trials:
            if trial["calibration"]:
                _check_places(trial["choice_names"], _order_of(written, trial["source_block"]), fixed, rings)


def _order_of(written: WrittenStudy, block: int) -> str:
    if written.said("shuffle_choice_order", block):
        return "shuffled"
    return "rotated" if written.said("rotate_choice_order", block) else "fixed"


def _from(name: str, ring: Sequence[str]) -> tuple[str, ...]:
    """The ring, read from this name on."""
    start = ring.index(name)
    return (*ring[start:], *ring[:start])


def _check_places(offer: Sequence[str], order: str, fixed: set[tuple[str, ...]], rings: set[tuple[str, ...]]) -> None:
    """Names that shapes have not replaced keep their positions."""
    legal = fixed if order == "fixed" else set()
    if order == "rotated":
        legal = {(*ring[turn:], *ring[:turn]) for ring in rings for turn in range(len(ring))}
    assert not legal or any(all(name in (*SHAPES, whole[place]) for place, name in enumerate(offer)) for whole in legal)


@_few
@given(written=written_studies(), ids=_ids)
def test_icons_are_named_like_the_choices(sessions: Sessions, written: WrittenStudy, ids: Sequence[int]) -> None:
    for session in sessions(written, ids):
        for trial in session.trials:
            bucket, names = trial["choice_image_bucket_name"], trial["choice_names"]
            if bucket is None:
                assert trial["choice_image_urls"] is None
                continue
            assert len(trial["choice_image_urls"]) == len(names)
            is_by_key = trial["calibration"] and trial["keypress_fj_response"]
            for url, name, key in zip(trial["choice_image_urls"], names, "FJ???", strict=False):
                file = name.replace(" ", "_") + (f"_{key}" if is_by_key else "") + trial["choice_url_suffix"]
                assert url == f"https://{bucket}.s3.amazonaws.com/{file}"


# --- the exchange between blocks


@_few
@given(written=written_studies(), ids=_ids)
def test_combine_and_shuffle_moves_trials_among_equals_and_changes_nothing_else(
    sessions: Sessions, written: WrittenStudy, ids: Sequence[int]
) -> None:
    for session, plain in zip(
        list(sessions(written, ids)), sessions(written.without("combine_and_shuffle"), ids), strict=True
    ):
        assert session.condition == plain.condition
        assert [_slot(trial) for trial in session.trials] == [_slot(trial) for trial in plain.trials]
        for moved, kept in zip(session.trials, plain.trials, strict=True):
            assert kept["source_block"] == kept["block"]
            if not _is_exchanged(session, moved["block"]):
                assert _content(moved) == _content(kept)
                assert moved["source_block"] == moved["block"]
        assert Counter(map(_content, session.trials)) == Counter(map(_content, plain.trials))


def _slot(trial: Mapping[str, Any]) -> tuple[Any, ...]:
    """What belongs to a position in the session, whichever trial it gets."""
    return tuple(trial[key] for key in ("index", "block", "block_name", "class", "trial_type", "split"))


def _content(trial: Mapping[str, Any]) -> str:
    """What belongs to a trial, wherever it is shown."""
    of_place = ("index", "block", "block_name", "combine_and_shuffle")
    return json.dumps({key: value for key, value in trial.items() if key not in of_place}, sort_keys=True)


def _is_exchanged(session: Session, block: int) -> bool:
    return bool(session.written.said_for_block("combine_and_shuffle", block, session.condition, default=False))


# --- what the participant's page gets


@_few
@given(written=written_studies(), ids=_ids)
def test_the_page_gets_the_recorded_trials_without_answers_unless_feedback(
    sessions: Sessions, written: WrittenStudy, ids: Sequence[int]
) -> None:
    for session in sessions(written, ids):
        shown = shown_trials(session.view)
        secret = {"choice_image_bucket_name", "choice_url_suffix"}
        for page, record in zip(shown, session.trials, strict=True):
            assert page["i_correct_choice"] == (record["i_correct_choice"] if record["show_feedback"] else None)
            assert page["shape"] == (record["class"] if record["calibration"] else None)
            same = {*SETTINGS, *_KEPT} - secret - {"feedback_correct_url"}
            same |= {"block", "stimulus_image_url", "choice_names", "choice_image_urls"}
            assert {key: page[key] for key in same} == {key: record[key] for key in same}
            hidden = {
                "class",
                "im_path",
                "split",
                "trial_type",
                "source_block",
                "difficulty",
                "max_difficulty_selection",
            }
            assert hidden.isdisjoint(page)


@dataclass(frozen=True)
class Pictures:
    """A compiled study of hosted images, and their files."""

    written: Mapping[str, Any]
    compiled: CompiledStudy
    root: Path


@st.composite
def _variant_configs(draw: st.DrawFn) -> dict[str, Any]:
    """Studies of the small data set whose trial types and blocks name variants; aliases hide the classes."""
    variants = st.sampled_from(["natural", *BUDGETS])
    own = st.fixed_dictionaries({}, optional={"variant": variants, "show_feedback": st.booleans()})
    blocks = []
    for number in range(draw(st.integers(1, 3))):
        block: dict[str, Any] = {
            "n_trials_per_class_train": draw(st.integers(1, 3)),
            "n_trials_per_class_val": draw(st.integers(0, 2)),
            "n_repeats_of_one_stim": draw(st.integers(0, 1)),
            "n_calibration_trials": draw(st.sampled_from([0, 2])),
            "show_feedback": draw(st.booleans()),
        }
        if draw(st.booleans()):
            block["trial_types"] = {f"type_{name}": draw(own) for name in range(draw(st.integers(1, 3)))}
        if draw(st.booleans()):
            first, second = draw(st.permutations(["natural", *BUDGETS]))[:2]
            block["n_classes_per_variant"] = draw(st.sampled_from([{first: 3}, {first: 1, second: 2}]))
        blocks.append({f"block_{number}": block})
    return {
        "session_config": blocks,
        "trial_config": {
            "choice_names_aliases": dict(zip(CLASSES, ("Leda", "Tyro", "Eris"), strict=True)),
            "choice_aliases_random_shuffle": draw(st.booleans()),
        },
        "deployment": {"seed": draw(st.integers(0, 1000))},
    }


@settings(max_examples=40)
@given(config=_variant_configs(), trialset_id=st.integers(0, 10**6))
def test_hosted_images_have_opaque_names(
    data_set: DataSet,
    tmp_path_factory: pytest.TempPathFactory,
    config: dict[str, Any],
    trialset_id: int,
) -> None:
    folder = tmp_path_factory.getbasetemp() / "held" / "moths_1"
    compiled = compile_study(write_study(folder, data_set, config))
    trialset = build_trialset(compiled.study, trialset_id)
    trials = expanded(compiled.study, trialset)
    view = participant_view(compiled.study, trialset)
    for page, record in zip(shown_trials(view), trials, strict=True):
        assert page["stimulus_image_url"] == record["stimulus_image_url"]
        if record["calibration"]:
            continue
        file = compiled.files[record["stimulus_image_url"].removeprefix("stimuli/")]
        assert file == data_set.root / record["variant"] / record["im_path"]
        keys = config["session_config"][record["block"]][record["block_name"]]
        of_type = keys.get("trial_types", {}).get(record["trial_type"], {})
        if "variant" in of_type:
            assert record["variant"] == of_type["variant"]
        elif "n_classes_per_variant" not in keys:
            assert record["variant"] == "natural"
    for number, block in enumerate(config["session_config"]):
        _check_variants_of_classes(trials, number, block[f"block_{number}"])
    text = json.dumps(view)
    secrets = {*CLASSES, *BUDGETS, "natural", "type_", "new_stimulus", "repeat_stimulus", "train", "val/", ".png/"}
    assert [word for word in secrets if word in text] == []


def _check_variants_of_classes(trials: Trials, number: int, keys: Mapping[str, Any]) -> None:
    if "n_classes_per_variant" not in keys or "trial_types" in keys:
        return
    variant_of: dict[str, set[str]] = defaultdict(set)
    for trial in trials:
        if trial["block"] == number and not trial["calibration"]:
            variant_of[trial["class"]].add(trial["variant"])
    assert Counter(variant for shown in variant_of.values() for variant in shown) == keys["n_classes_per_variant"]


# --- the studies above have every feature


def _some(blocks: Sequence[Mapping[str, Any]], has: Callable[[Mapping[str, Any]], bool]) -> bool:
    return any(map(has, blocks))


_FEATURES: Mapping[str, Callable[[WrittenStudy], bool]] = {
    "curriculum, then not": lambda w: any(0 < w.n_curriculum_blocks(c) < len(w.blocks) for c in range(w.n_conditions)),
    "curriculum for some": lambda w: len({w.n_curriculum_blocks(c) > 0 for c in range(w.n_conditions)}) == 2,
    "repeat image in the curriculum": lambda w: (
        sum(w.n_repeats) > 0 and w.repeat_split == "train" and w.n_curriculum_blocks(0) > 1
    ),
    "one of several deals": lambda w: (
        w.n_conditions == 1 and _some(w.blocks, lambda b: isinstance(b.get("n_classes_per_bucket"), list))
    ),
    "deal by condition": lambda w: (
        w.n_conditions > 1 and _some(w.blocks, lambda b: isinstance(b.get("n_classes_per_bucket"), list))
    ),
    "every order": lambda w: len({_order_of(w, number) for number in range(len(w.blocks))}) == 3,
    "order of the session": lambda w: w.shuffles_order,
    "shuffled aliases": lambda w: w.shuffles_aliases,
    "no aliases to shuffle": lambda w: (
        w.trial_config.get("choice_aliases_random_shuffle", False) and not w.shuffles_aliases
    ),
    "odd number of checks": lambda w: _some(w.blocks, lambda b: b.get("n_calibration_trials", 0) % 2 == 1),
    "uneven deal of types": lambda w: any(
        w.n_of(block, "train") % len(w.types(block, 0)) for block in range(len(w.blocks))
    ),
    "keys": lambda w: "keypress_fj_response" in w.trial_config,
}


def test_the_generated_studies_cover_every_feature(tmp_path: Path) -> None:
    """Each in some of 200 studies: the rarest, a curriculum in some conditions only, was in 5."""
    found: Counter[str] = Counter()

    @seed(2)  # `derandomize` would draw other studies whenever this function is edited
    @settings(max_examples=200, phases=[Phase.generate], database=None)
    @given(written=written_studies())
    def look(written: WrittenStudy) -> None:
        found.update(name for name, is_there in _FEATURES.items() if is_there(written))
        study = compile_study(written.write(tmp_path / f"{NAME}_1")).study
        trials = [trial for number in range(3) for trial in expanded(study, build_trialset(study, number))]
        found["moved trials"] += any(trial["block"] != trial["source_block"] for trial in trials)

    look()
    assert {name: found[name] for name in (*_FEATURES, "moved trials") if not found[name]} == {}

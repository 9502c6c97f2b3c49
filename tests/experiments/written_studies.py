"""Random valid studies as a researcher would write them, and what their author may say about them.

The strategies know which files are valid. `WrittenStudy` answers by looking at what is written, and knows nothing of
what is drawn from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import strategies as st

from lwise_core.dirmap import DirmapRow
from tests.experiments.conftest import write_url_study

SPLITS = ("train", "val", "test")
CLASS_NAMES = ("house_cat", "dog", "Idaea_seriata", "big_cat", "leatherback_turtle")
ALIASES = ("Leda", "Tyro", "Eris", "Ajax", "Io the first")
NAME = "animals"
BUCKETS = ("animals-eps8", "animals-eps4", "animals.eps1")
TYPE_NAMES = ("natural", "taught", "quick")
SHARES = (0.2, 0.35, 0.5, 0.75, 1.0)

SETTINGS: Mapping[str, Sequence[Any]] = {
    "stimulus_duration_msec": (0, 17, 200),
    "calibration_stimulus_duration_msec": (0, 150),
    "choice_duration_msec": (500, 1_500.5),
    "reward_duration_msec": (None, 0, 700),
    "show_feedback": (True, False),
    "show_fixation": (True, False),
    "show_test_instructions": (True, False),
    "keep_stimulus_on": (True, False),
    "stimulus_width_degrees": (6, 12),
    "bonus_usd_if_correct": (0, 0.02),
    "query_string": ("", "Which one?"),
    "choice_image_bucket_name": (None, "animals-media"),
    "choice_url_suffix": ("_icon.png", "_text.png"),
}
"""Keys that may be written at every level, with some of their values."""


@dataclass(frozen=True)
class WrittenStudy:
    """config.yaml and dirmap.csv. `blocks` has the keys of each block; `config` has them as in the file."""

    blocks: Sequence[dict[str, Any]] = field(repr=False)
    trial_config: Mapping[str, Any] = field(repr=False)
    n_conditions: int
    config: Mapping[str, Any]
    rows: Sequence[DirmapRow] = field(repr=False)

    def write(self, folder: Path) -> Path:
        return write_url_study(folder, self.rows, self.config)

    @property
    def classes(self) -> list[str]:
        return [name for _, name in sorted({(row.class_num, row.class_name) for row in self.rows})]

    def types(self, block: int, condition: int) -> Mapping[str, Mapping[str, Any]]:
        """The trial types that a condition sees in a block."""
        keys = self.blocks[block]
        if "conditional_trial_types" in keys:
            return keys["conditional_trial_types"][condition]
        return keys.get("trial_types", {"new_stimulus": {}})

    def said(self, key: str, block: int, of_type: Mapping[str, Any] | None = None, default: Any = None) -> Any:
        """What the most specific place says: the trial type, else the block, else trial_config."""
        places = ({} if of_type is None else of_type, self.blocks[block], self.trial_config)
        return next((place[key] for place in places if key in place), default)

    def said_for_block(self, key: str, block: int, condition: int, default: Any = None) -> Any:
        """The same for keys that a block has as a whole: its first trial type decides."""
        return self.said(key, block, next(iter(self.types(block, condition).values())), default)

    def n_curriculum_blocks(self, condition: int) -> int:
        is_on = any(self.said_for_block("difficulty_curriculum", b, condition) for b in range(len(self.blocks)))
        return min(self.trial_config.get("curriculum_num_blocks", 0), len(self.blocks)) if is_on else 0

    def n_of(self, block: int, split: str) -> int:
        return self.blocks[block].get(f"n_trials_per_class_{split}", 0)

    @property
    def n_repeats(self) -> list[int]:
        return [block.get("n_repeats_of_one_stim", 0) for block in self.blocks]

    @property
    def repeat_split(self) -> str:
        return self.trial_config.get("repeat_stimulus_split", "val")

    @property
    def shuffles_aliases(self) -> bool:
        """Whether a session draws which class has which alias; without aliases the same key shuffles their order."""
        return bool(self.trial_config.get("choice_aliases_random_shuffle")) and self.has_aliases

    @property
    def shuffles_order(self) -> bool:
        """Whether a session draws the order of its choices."""
        keys = ("choice_names_order_shuffle", *(() if self.has_aliases else ("choice_aliases_random_shuffle",)))
        return any(self.trial_config.get(key) for key in keys)

    @property
    def has_aliases(self) -> bool:
        return bool(self.trial_config.get("choice_names_aliases"))

    def without(self, key: str) -> WrittenStudy:
        """The same study without this key."""
        return replace(self, config=_struck(self.config, key))


@st.composite
def written_studies(draw: st.DrawFn) -> WrittenStudy:
    """Studies with every feature, each with just enough images or some more."""
    n_classes, n_conditions = draw(st.integers(2, 5)), draw(st.sampled_from([1, 2, 3, 3]))
    n_blocks = draw(st.sampled_from([1, 2, 3, 3, 4, 5]))
    classes = draw(st.permutations(CLASS_NAMES))[:n_classes]
    has_curriculum = draw(st.sampled_from([False, True, True]))
    pairs = [(key, value) for key, values in SETTINGS.items() for value in values]
    if n_classes == 2:
        pairs += [("keypress_fj_response", True), ("keypress_fj_response", False)]
    settings = st.lists(st.sampled_from(pairs), max_size=3).map(dict)
    marks = st.fixed_dictionaries({}, optional={"combine_and_shuffle": st.sampled_from([True, True, False])})
    share = st.fixed_dictionaries({}, optional={"max_difficulty_selection": st.sampled_from(SHARES)})
    # Written in trial_config, the curriculum is on for all conditions.
    whole = st.sampled_from([share, share, _curriculum()])

    trial_config = {
        **draw(settings),
        **draw(marks),
        **draw(_orders()),
        **draw(_choices(classes)),
        **draw(draw(whole) if has_curriculum else st.just({})),
    }
    repeat_split = draw(st.sampled_from([None, "train", "train", "val", "test"]))
    if repeat_split is not None:
        trial_config["repeat_stimulus_split"] = repeat_split
    if n_classes == 2:
        trial_config["keypress_fj_response"] = draw(st.booleans())
    if has_curriculum:
        trial_config["curriculum_num_blocks"] = draw(
            st.integers(1, max(n_blocks - 1, 1)) | st.integers(1, n_blocks + 1)
        )
    blocks = [
        {
            **draw(_counts()),
            **draw(settings),
            **draw(marks),
            **draw(_orders()),
            **draw(draw(whole) if has_curriculum else st.just({})),
            **draw(_trial_types(settings, n_conditions, has_curriculum=has_curriculum)),
            **draw(_deals(n_classes, n_conditions)),
        }
        for _ in range(n_blocks)
    ]
    written = WrittenStudy(blocks, trial_config, n_conditions, {}, ())
    if has_curriculum:
        _complete_curriculum(written, draw)
    return replace(
        written,
        config={
            "session_config": [_laid_out(draw, f"block_{number}", block) for number, block in enumerate(blocks)],
            "trial_config": trial_config,
            "deployment": draw(_deployment(blocks, n_conditions)),
        },
        rows=draw(_rows(written, classes)),
    )


def _orders() -> st.SearchStrategy[dict[str, bool]]:
    keys = {"shuffle_choice_order": st.booleans(), "rotate_choice_order": st.booleans()}
    return st.fixed_dictionaries({}, optional=keys)


@st.composite
def _choices(draw: st.DrawFn, classes: Sequence[str]) -> dict[str, Any]:
    written: dict[str, Any] = {}
    spaced = draw(st.sampled_from(["_", " "]))
    if draw(st.booleans()):
        written["choice_names_order"] = [name.replace("_", spaced) for name in draw(st.permutations(classes))]
    if draw(st.booleans()):
        written["choice_names_order_shuffle"] = draw(st.booleans())
    aliased = draw(st.sampled_from([0, 1, len(classes), len(classes)]))
    written["choice_names_aliases"] = {
        name.replace("_", spaced): alias
        for name, alias in zip(classes[:aliased], draw(st.permutations(ALIASES)), strict=False)
    }
    if aliased in (0, len(classes)):
        written["choice_aliases_random_shuffle"] = draw(st.booleans())
    return written


def _curriculum() -> st.SearchStrategy[dict[str, Any]]:
    keys = {"difficulty_curriculum": st.booleans(), "max_difficulty_selection": st.sampled_from(SHARES)}
    return st.fixed_dictionaries({}, optional=keys)


def _curriculum_of_a_type() -> st.SearchStrategy[dict[str, Any]]:
    """On for about half of the conditions, where nothing else says so."""
    is_on = st.sampled_from(
        [{}, {"difficulty_curriculum": True}, {"difficulty_curriculum": True}, {"difficulty_curriculum": False}]
    )
    share = st.fixed_dictionaries({}, optional={"max_difficulty_selection": st.sampled_from(SHARES)})
    return st.builds(lambda on, of: {**on, **of}, is_on, share)


def _counts() -> st.SearchStrategy[dict[str, Any]]:
    optional = {
        "n_trials_per_class_train": st.integers(1, 3),
        "n_trials_per_class_val": st.integers(0, 3),
        "n_trials_per_class_test": st.integers(0, 1),
        "n_calibration_trials": st.integers(0, 5),
        "n_repeats_of_one_stim": st.sampled_from([0, 1, 1, 2]),
        "class_balanced": st.just(True),
    }
    return st.fixed_dictionaries({}, optional=optional)


@st.composite
def _trial_types(
    draw: st.DrawFn, settings: st.SearchStrategy[dict[str, Any]], n_conditions: int, *, has_curriculum: bool
) -> dict[str, Any]:
    own = st.fixed_dictionaries({}, optional={"bucket": st.sampled_from(BUCKETS)})

    def one_condition() -> dict[str, dict[str, Any]]:
        names = draw(st.permutations(TYPE_NAMES))[: draw(st.integers(1, 3))]
        agreed = draw(st.fixed_dictionaries({}, optional={"combine_and_shuffle": st.sampled_from([True, True, False])}))
        easy = _curriculum_of_a_type() if has_curriculum else st.just({})
        return {name: {**draw(own), **draw(settings), **agreed, **draw(easy)} for name in names}

    kind = draw(st.sampled_from(["none", "same for all", "by condition", "by condition"]))
    if kind == "none":
        return {}
    if kind == "same for all":
        return {"trial_types": one_condition()}
    return {"conditional_trial_types": [one_condition() for _ in range(n_conditions)]}


@st.composite
def _deals(draw: st.DrawFn, n_classes: int, n_conditions: int) -> dict[str, Any]:
    def deal() -> dict[str, int]:
        first = draw(st.integers(1, n_classes))
        deal = {BUCKETS[0]: first}
        if first < n_classes:
            deal[BUCKETS[1]] = n_classes - first
        return deal

    kind = draw(st.sampled_from(["none", "none", "mapping", "list"]))
    if kind == "none":
        return {}
    if kind == "mapping":
        return {"n_classes_per_bucket": deal()}
    count = n_conditions if n_conditions > 1 else draw(st.integers(1, 3))
    return {"n_classes_per_bucket": [deal() for _ in range(count)]}


def _complete_curriculum(written: WrittenStudy, draw: st.DrawFn) -> None:
    """Every curriculum block needs a share in the conditions that follow the curriculum."""
    for condition in range(written.n_conditions):
        for number in range(written.n_curriculum_blocks(condition)):
            if written.said_for_block("max_difficulty_selection", number, condition) is None:
                written.blocks[number]["max_difficulty_selection"] = draw(st.sampled_from(SHARES))


def _laid_out(draw: st.DrawFn, name: str, block: Mapping[str, Any]) -> dict[str, Any]:
    """A block as in the published studies, or properly nested."""
    return {name: None, **block} if draw(st.booleans()) else {name: dict(block)}


@st.composite
def _deployment(draw: st.DrawFn, blocks: Sequence[Mapping[str, Any]], n_conditions: int) -> dict[str, Any]:
    written: dict[str, Any] = {"seed": draw(st.integers(0, 1000))}
    if not any("conditional_trial_types" in block for block in blocks) or draw(st.booleans()):
        written["num_conditions"] = n_conditions
    how = draw(st.sampled_from(["", "randomization_block_size", "alternate_within_blocks", "fully_random"]))
    if how == "randomization_block_size":
        written[how] = n_conditions * draw(st.integers(1, 3))
    elif how == "alternate_within_blocks":
        written[how] = True
    elif how:
        written["fully_random_group_assignment"] = True
    return written


@st.composite
def _rows(draw: st.DrawFn, written: WrittenStudy, classes: Sequence[str]) -> list[DirmapRow]:
    """Enough images for every condition and some more; difficulties with ties, rows in no order."""
    random = Random(draw(st.integers(0, 2**32)))  # noqa: S311 - a test's data
    rows = []
    for split in SPLITS:
        least = _enough(written, split)
        for class_num, class_name in enumerate(classes):
            for number in range(least + draw(st.integers(0, 3))):
                path = f"{split}/{class_name}/{split}_{class_num}_{number}.png"
                url = f"https://{NAME}-natural.s3.amazonaws.com/{path}"
                difficulty = random.randint(0, 12) / 12
                rows.append(DirmapRow(split, class_name, class_num, path, -difficulty, difficulty, {"url": url}))
    random.shuffle(rows)
    return rows


def _enough(written: WrittenStudy, split: str) -> int:
    blocks = range(len(written.blocks))
    spare = int(any(written.n_repeats) and split == written.repeat_split)
    count = sum(written.n_of(block, split) for block in blocks) + spare
    for condition in range(written.n_conditions):
        n_curriculum = written.n_curriculum_blocks(condition)
        aside = sum(written.n_of(block, split) for block in blocks[n_curriculum:]) + spare
        for block in blocks[:n_curriculum]:
            share = written.said_for_block("max_difficulty_selection", block, condition)
            while written.n_of(block, split) and round((count - aside) * share) - spare < written.n_of(block, split):
                count += 1
    return max(count, 1)


def _struck(content: Any, key: str) -> Any:
    if isinstance(content, Mapping):
        return {name: _struck(value, key) for name, value in content.items() if name != key}
    if isinstance(content, list):
        return [_struck(value, key) for value in content]
    return content

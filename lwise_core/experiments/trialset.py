"""`build_trialset`: the full trial list of one participant slot, as a pure function of (study, trialset_id).

The same call in a test, the command line, the local server and the cloud gives byte-identical JSON. Random numbers come
from streams named by seed, id and purpose, never from global state or the clock. Standard library only.

A trial set is ``{"trialset_id", "condition_idx", "settings", "trials"}``: settings common to all trials once, and in
each trial what differs; `expanded` puts the two together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any

from lwise_core.errors import InputError
from lwise_core.experiments.conditions import condition_of
from lwise_core.experiments.study import Block, ConditionOfBlock, Study, StudyImage

Trial = dict[str, Any]
Trialset = dict[str, Any]
Pools = dict[tuple[str, int], list[StudyImage]]

STIMULUS_FOLDER = "stimuli"
CALIBRATION = "calibration"

_PARTICIPANT_KEYS = (
    "index",
    "block",
    "stimulus_url",
    "calibration",
    "choice_names",
    "i_correct_choice",
)
"""What the participant's page may know of a trial besides its settings; the class and the picture's path stay here."""


def build_trialset(study: Study, trialset_id: int) -> Trialset:
    """Build a trial set.

    Raises
    ------
    InputError
        If `trialset_id` is negative or the data set has too few images for a block.
    """
    if trialset_id < 0:
        raise InputError(f"trialset_id is {trialset_id}; expected a whole number from 0")
    condition = condition_of(study, trialset_id)
    offer = _Offer(study, _stream(study, trialset_id, "choices"))
    draw = _stream(study, trialset_id, "images")
    order = _stream(study, trialset_id, "order")
    pools = _pools(study)
    is_curriculum = condition in study.curriculum_conditions
    reserved = _set_aside(study, pools, draw) if is_curriculum else {}
    trials: list[Trial] = []
    for number, block in enumerate(study.blocks):
        seen = block.conditions[condition]
        in_curriculum = is_curriculum and number < study.curriculum_blocks
        source = pools if in_curriculum or not is_curriculum else reserved
        chosen = _draw_block(study, block, seen, source, draw, keep_in_pool=in_curriculum)
        of_block = [
            *_main_trials(block, seen, chosen, offer, order),
            *(offer.calibration_trial(n, block) for n in range(block.n_calibration_trials)),
        ]
        order.shuffle(of_block)
        trials += [{"block": number, "block_name": block.name, **trial} for trial in of_block]
    return {
        "trialset_id": trialset_id,
        "condition_idx": condition,
        "settings": _in_key_order(study.settings),
        "trials": [_in_key_order({"index": index, **trial}) for index, trial in enumerate(trials)],
    }


def _in_key_order(values: Mapping[str, Any]) -> dict[str, Any]:
    # Equal studies give equal bytes, whether their mappings come from config.yaml or from a bundle.
    return dict(sorted(values.items()))


def expanded(trialset: Trialset) -> list[Trial]:
    """Every trial with all of its settings."""
    return [{**trialset["settings"], **trial} for trial in trialset["trials"]]


def participant_view(trialset: Trialset) -> Trialset:
    """The trial set as the participant's page may see it: no classes, no paths, and no answers without feedback."""
    return {
        "trialset_id": trialset["trialset_id"],
        "condition_idx": trialset["condition_idx"],
        "settings": trialset["settings"],
        "trials": [_without_answer(trial, trialset["settings"]) for trial in trialset["trials"]],
    }


def _without_answer(trial: Trial, settings: Mapping[str, Any]) -> Trial:
    shown = {key: trial[key] for key in _PARTICIPANT_KEYS}
    shown |= {key: value for key, value in trial.items() if key in settings}
    if not {**settings, **trial}["show_feedback"]:
        del shown["i_correct_choice"]
    return shown


def _stream(study: Study, trialset_id: int, purpose: str) -> Random:
    return Random(f"{study.seed}:{trialset_id}:{purpose}")  # noqa: S311 - reproducible order, no secret


def _pools(study: Study) -> Pools:
    pools: Pools = {}
    for image in study.images:
        pools.setdefault((image.split, image.class_num), []).append(image)
    return pools


def _needs(study: Study, block: Block) -> Iterable[tuple[tuple[str, int], int]]:
    for split, count in sorted(block.n_per_class.items()):
        for class_num in range(len(study.classes)):
            yield (split, class_num), count


def _set_aside(study: Study, pools: Pools, draw: Random) -> Pools:
    """Take the images of the blocks after the curriculum out of `pools`, so that no curriculum block shows them."""
    reserved: Pools = {}
    for block in study.blocks[study.curriculum_blocks :]:
        for key, count in _needs(study, block):
            reserved.setdefault(key, []).extend(_take(study, block, pools, key, count, draw))
    return reserved


def _draw_block(
    study: Study, block: Block, seen: ConditionOfBlock, pools: Pools, draw: Random, *, keep_in_pool: bool
) -> dict[tuple[str, int], list[StudyImage]]:
    """Images of a block per (split, class_num), drawn without replacement among the easiest fraction."""
    chosen = {}
    for key, count in _needs(study, block):
        if keep_in_pool:
            easiest = _easiest(pools.get(key, []), seen.easiest_fraction)
            chosen[key] = _take(study, block, {key: easiest}, key, count, draw)
        else:
            chosen[key] = _take(study, block, pools, key, count, draw)
    return chosen


def _easiest(images: Sequence[StudyImage], fraction: float) -> list[StudyImage]:
    by_difficulty = sorted(images, key=lambda image: (image.difficulty or 0.0, image.im_path))
    return by_difficulty[: round(len(by_difficulty) * fraction)]


def _take(study: Study, block: Block, pools: Pools, key: tuple[str, int], count: int, draw: Random) -> list[StudyImage]:
    pool = pools.get(key, [])
    if len(pool) < count:
        split, class_num = key
        raise InputError(
            f"block {block.name!r} needs {count} images of class {study.classes[class_num]!r} from {split}, "
            f"but {len(pool)} are left; add images, ask for fewer trials, or raise max_difficulty_selection"
        )
    positions = draw.sample(range(len(pool)), count)
    left_over = set(range(len(pool))).difference(positions)
    pools[key] = [pool[position] for position in sorted(left_over)]
    return [pool[position] for position in positions]


def _main_trials(
    block: Block,
    seen: ConditionOfBlock,
    chosen: Mapping[tuple[str, int], Sequence[StudyImage]],
    offer: _Offer,
    order: Random,
) -> list[Trial]:
    """One trial per image; within a class and split the trial types are dealt evenly, the remainder at random."""
    trials = []
    for images in chosen.values():
        types = order.sample(seen.trial_types, len(seen.trial_types))
        for number, image in enumerate(images):
            trial_type = types[number % len(types)]
            trials.append(
                {
                    **block.settings,
                    **trial_type.settings,
                    "trial_type": trial_type.name,
                    "split": image.split,
                    "im_path": image.im_path,
                    "variant": trial_type.variant,
                    "stimulus_url": f"{STIMULUS_FOLDER}/{image.objects[trial_type.variant]}",
                    "calibration": None,
                    "difficulty": image.difficulty,
                    "robust_gt_logit": image.robust_gt_logit,
                    **offer.choices_for(image.class_num),
                }
            )
    return trials


class _Offer:
    """How choices are offered in one trial set: the names dealt to the classes once, and the order in each trial."""

    def __init__(self, study: Study, random: Random) -> None:
        self._study = study
        self._random = random
        names = list(study.choices.shown_names)
        if study.choices.names_random_shuffle:
            random.shuffle(names)
        self._names = names

    def choices_for(self, class_num: int) -> Trial:
        """Choices of a main trial and which of them is right."""
        order = self._order()
        return {
            "class": self._study.classes[class_num],
            "stimulus_name": self._names[class_num],
            "choice_names": [self._names[offered] for offered in order],
            "i_correct_choice": order.index(class_num),
        }

    def calibration_trial(self, number: int, block: Block) -> Trial:
        """An attention check: two random choices become the calibration shapes, one of which is shown."""
        shapes = self._study.choices.calibration_stimuli
        shown = shapes[number % len(shapes)]
        names = [self._names[offered] for offered in self._order()]
        slots = self._random.sample(range(len(names)), len(shapes))
        for slot, shape in zip(slots, shapes, strict=True):
            names[slot] = shape
        duration = {**self._study.settings, **block.settings}["calibration_stimulus_duration_msec"]
        return {
            **block.settings,
            "stimulus_duration_msec": duration,
            "trial_type": CALIBRATION,
            "split": None,
            "class": shown,
            "im_path": None,
            "variant": None,
            "stimulus_url": None,
            "calibration": shown,
            "difficulty": None,
            "robust_gt_logit": None,
            "stimulus_name": shown,
            "choice_names": names,
            "i_correct_choice": names.index(shown),
        }

    def _order(self) -> list[int]:
        order = list(self._study.choices.order)
        if self._study.choices.shuffle_each_trial:
            self._random.shuffle(order)
        if self._study.choices.rotate_each_trial:
            turn = self._random.randrange(len(order))
            order = order[turn:] + order[:turn]
        return order

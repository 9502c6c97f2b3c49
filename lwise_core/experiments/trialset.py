"""`build_trialset`: the trial list of one participant slot, as a pure function of (study, trialset_id).

The same call in a test, the command line, the local server and the cloud gives the same trials. Random numbers come
from streams keyed by seed, id and purpose, never from global state or the clock. `payloads` turns trial sets into what
people and pages see. Standard library only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lwise_core.errors import InputError
from lwise_core.experiments.choices import SessionChoices
from lwise_core.experiments.conditions import condition_of
from lwise_core.experiments.sampling import draw_images
from lwise_core.experiments.study import DEFAULT_SOURCE, Block, BlockCondition, Cell, Study
from lwise_core.keyed_random import RandomStream

StreamFor = Callable[[str], RandomStream]
"""The session's random stream for a purpose."""


class Trial(NamedTuple):
    """One trial. Indices point into the study's tuples of the same names.

    Attributes
    ----------
    block : the block in which it is shown; `kind` gives the block whose settings it has.
    image, source : None on calibration trials, which show a shape: the correct choice.
    choice_names : in the order of their positions on the ring.
    """

    block: int
    kind: int
    image: int | None
    source: int | None
    choice_names: tuple[str, ...]
    i_correct_choice: int

    @property
    def stimulus_name(self) -> str:
        """The participant's name for what is shown."""
        return self.choice_names[self.i_correct_choice]


@dataclass(frozen=True)
class Trialset:
    """All trials of one participant slot, in the order shown."""

    trialset_id: int
    condition_idx: int
    trials: tuple[Trial, ...]


class NoTrialsetLeft(InputError):  # noqa: N818 - an expected answer, not a failure
    """The study has no such trial set, and does not reuse the existing ones."""


def trialset_of_slot(study: Study, slot: int) -> int:
    """The trialset_id of arrival number `slot`: the slot itself, up to the last trial set.

    Raises
    ------
    NoTrialsetLeft
        If there are no more and the study has `when_trialsets_run_out: refuse`.
    """
    count = study.slots.count
    if count is None or slot < count:
        return slot
    if study.slots.reuse:
        return slot % count
    raise NoTrialsetLeft(f"all {count} trial sets of this study are taken")


def build_trialset(study: Study, trialset_id: int) -> Trialset:
    """Build a trial set.

    Raises
    ------
    InputError
        If there is no such trial set or the data set has too few images for a block.
    """
    if trialset_id < 0:
        raise InputError(f"trialset_id is {trialset_id}; expected a whole number from 0")
    if study.slots.count is not None and trialset_id >= study.slots.count:
        raise NoTrialsetLeft(
            f"trialset_id is {trialset_id}; this study has {study.slots.count} trial sets, 0 to {study.slots.count - 1}"
        )

    def stream_for(purpose: str) -> RandomStream:
        return RandomStream(study.seed, trialset_id, purpose)

    condition = condition_of(study, trialset_id)
    choices = SessionChoices(study, stream_for("choices"))
    if study.prespecified:
        trials = _prespecified_trials(study, trialset_id, choices)
    else:
        trials = _sampled_trials(study, condition, choices, stream_for)
    return Trialset(trialset_id, condition, tuple(trials))


def _prespecified_trials(study: Study, trialset_id: int, choices: SessionChoices) -> list[Trial]:
    trials = []
    for kind, image, source in study.prespecified[trialset_id].trials:
        block, choice_order = study.kinds[kind].block, study.kinds[kind].choice_order
        offer = choices.offer(study.images[image].class_num, choice_order)
        trials.append(Trial(block, kind, image, source, *offer))
    return trials


def _sampled_trials(study: Study, condition: int, choices: SessionChoices, stream_for: StreamFor) -> list[Trial]:
    images = draw_images(study, condition, stream_for("images"))
    types, buckets, order = stream_for("types"), stream_for("buckets"), stream_for("order")
    blocks = []
    for number, (block, chosen) in enumerate(zip(study.blocks, images.of_blocks, strict=True)):
        in_condition = block.conditions[condition]
        source_of_class = _deal_sources(study, in_condition, buckets)
        trials = _main_trials(study, number, in_condition, chosen, source_of_class, choices, types)
        trials += _repeat_trials(study, number, block, images.repeat, source_of_class, choices)
        trials += _calibration_trials(study, number, block, choices)
        blocks.append(order.shuffled(trials))
    marked = [number for number, block in enumerate(study.blocks) if block.conditions[condition].combine_and_shuffle]
    return _exchanged(study, blocks, marked, stream_for("exchange"))


def _deal_sources(study: Study, in_condition: BlockCondition, stream: RandomStream) -> Sequence[int]:
    """The source of each class in a block: the default, or as `n_classes_per_bucket` deals them."""
    if not in_condition.class_sources:
        return [DEFAULT_SOURCE] * len(study.classes)
    deal = stream.pick(in_condition.class_sources)
    return stream.shuffled([source for source, n_classes in deal for _ in range(n_classes)])


def _main_trials(
    study: Study,
    number: int,
    in_condition: BlockCondition,
    chosen: Mapping[Cell, Sequence[int]],
    source_of_class: Sequence[int],
    choices: SessionChoices,
    stream: RandomStream,
) -> list[Trial]:
    """One trial per image; each class and split has every trial type equally often, the remainder at random."""
    trials = []
    for (_, class_num), images in chosen.items():
        types = stream.shuffled(in_condition.trial_types)
        for number_in_cell, image in enumerate(images):
            trial_type = types[number_in_cell % len(types)]
            source = source_of_class[class_num] if trial_type.source is None else trial_type.source
            offer = choices.offer(class_num, study.kinds[trial_type.kind].choice_order)
            trials.append(Trial(number, trial_type.kind, image, source, *offer))
    return trials


def _repeat_trials(
    study: Study,
    number: int,
    block: Block,
    image: int | None,
    source_of_class: Sequence[int],
    choices: SessionChoices,
) -> list[Trial]:
    if image is None:
        return []
    class_num, order = study.images[image].class_num, study.kinds[block.repeat_kind].choice_order
    return [
        Trial(number, block.repeat_kind, image, source_of_class[class_num], *choices.offer(class_num, order))
        for _ in range(block.n_repeats)
    ]


def _calibration_trials(study: Study, number: int, block: Block, choices: SessionChoices) -> list[Trial]:
    shapes, order = study.choices.calibration_stimuli, study.kinds[block.calibration_kind].choice_order
    offers = (
        choices.calibration_offer(shapes[check % len(shapes)], order) for check in range(block.n_calibration_trials)
    )
    return [Trial(number, block.calibration_kind, None, None, *offer) for offer in offers]


def _exchanged(
    study: Study, blocks: Sequence[Sequence[Trial]], marked: Sequence[int], stream: RandomStream
) -> list[Trial]:
    """All trials in order; those of the marked blocks permuted among positions of equal class, trial type and split.

    A moved trial keeps its kind, and so the settings of its source block.
    """
    trials = [trial for block in blocks for trial in block]
    positions: dict[tuple[object, ...], list[int]] = {}
    for position, trial in enumerate(trials):
        if trial.block in marked:
            positions.setdefault(_exchange_group(study, trial), []).append(position)
    exchanged = list(trials)
    for group in positions.values():
        for position, from_position in zip(group, stream.shuffled(group), strict=True):
            exchanged[position] = trials[from_position]._replace(block=trials[position].block)
    return exchanged


def _exchange_group(study: Study, trial: Trial) -> tuple[object, ...]:
    trial_type = study.kinds[trial.kind].trial_type
    if trial.image is None:
        return (trial.stimulus_name, trial_type, None)
    image = study.images[trial.image]
    return (image.class_num, trial_type, image.split)

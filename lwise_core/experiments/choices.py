"""The choices of a session: names are assigned to classes once, positions on the ring trial by trial.

Standard library only.
"""

from __future__ import annotations

from collections.abc import Sequence

from lwise_core.experiments.study import ChoiceOrder, Study
from lwise_core.keyed_random import RandomStream

Offer = tuple[tuple[str, ...], int]
"""Names in the order of their positions, and the index of the correct one."""


class SessionChoices:
    """The choices of one session.

    With `names_shuffled_per_session` each position keeps its name, and the classes behind the positions are shuffled.
    """

    def __init__(self, study: Study, stream: RandomStream) -> None:
        choices = study.choices
        order: Sequence[int] = choices.order
        if choices.order_shuffled_per_session:
            order = stream.shuffled(order)
        names = [choices.shown_names[class_num] for class_num in order]
        if choices.names_shuffled_per_session:
            order = stream.shuffled(order)
        self._order = order
        self._name_of = dict(zip(order, names, strict=True))
        self._shapes = choices.calibration_stimuli
        self._stream = stream
        self._fixed = tuple(names)

    def offer(self, class_num: int, choice_order: ChoiceOrder) -> Offer:
        """The choices of a trial that shows an image of this class."""
        if choice_order == "fixed":
            return self._fixed, self._order.index(class_num)
        order = self._class_order(choice_order)
        return tuple(self._name_of[shown] for shown in order), order.index(class_num)

    def calibration_offer(self, shape: str, choice_order: ChoiceOrder) -> Offer:
        """The choices of an attention check: the calibration shapes, one of them correct, replace two random names."""
        names = [self._name_of[class_num] for class_num in self._class_order(choice_order)]
        positions = self._stream.sample(range(len(names)), len(self._shapes))
        for position, other_shape in zip(positions, self._shapes, strict=True):
            names[position] = other_shape
        return tuple(names), names.index(shape)

    def _class_order(self, choice_order: ChoiceOrder) -> Sequence[int]:
        if choice_order == "shuffled":
            return self._stream.shuffled(self._order)
        if choice_order == "rotated":
            first = self._stream.below(len(self._order))
            return [*self._order[first:], *self._order[:first]]
        return self._order

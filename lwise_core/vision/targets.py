"""Which of a guide model's logits stand for which class of a data set.

A model may know more classes than a data set has (iNaturalist's 10,000, four moths), know them by number only, or have
several classes for one of the data set (ImageNet's 118 dogs).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lwise_core.dirmap import DirmapRow, class_names
from lwise_core.errors import InputError
from lwise_core.vision.guide import GuideDescription


@dataclass(frozen=True)
class Targets:
    """Maps a model's logits to columns for the classes of a data set.

    Attributes
    ----------
    members : column -> the model's logits of which it is the largest; None: the columns are the model's logits.
    column_of : class of the data set (0 … C-1) -> its column.
    """

    members: tuple[tuple[int, ...], ...] | None
    column_of: tuple[int, ...]

    def columns(self, logits: Tensor) -> Tensor:
        """Logits (N, of the model) -> (N, columns)."""
        if self.members is None:
            return logits
        if all(len(logit_numbers) == 1 for logit_numbers in self.members):
            return logits[:, [logit_numbers[0] for logit_numbers in self.members]]
        return torch.stack([logits[:, list(logit_numbers)].amax(dim=1) for logit_numbers in self.members], dim=1)

    def labels(self, rows: Sequence[DirmapRow]) -> Tensor:
        """int64 (N,): the column of each image's class."""
        return torch.tensor([self.column_of[row.class_num] for row in rows])


def targets_for(
    description: GuideDescription,
    rows: Sequence[DirmapRow],
    *,
    class_num_col: str | None = None,
    superclasses: Mapping[str, Sequence[int]] | None = None,
    present_only: bool = False,
) -> Targets:
    """How a model's logits stand for the classes of a data set.

    Parameters
    ----------
    class_num_col : column of the dirmap with the numbers of the model's logits; None: match classes by name.
    superclasses : class of the data set -> the model's logits that it comprises; instead of `class_num_col`.
    present_only : leave out the logits of classes that the data set does not have.

    Raises
    ------
    InputError
        If the model does not know a class, or has no such logit, or two classes share one.
    """
    names = class_names(rows)
    n_logits = len(description.classes)
    if superclasses is not None:
        members = tuple(_members(name, superclasses, n_logits) for name in names)
        _reject_shared(dict(zip(names, members, strict=True)), "superclasses")
        return Targets(members, tuple(range(len(names))))
    numbers = _by_name(description, names) if class_num_col is None else _by_number(rows, class_num_col, n_logits)
    if not present_only or numbers == list(range(n_logits)):
        return Targets(None, tuple(numbers))
    return Targets(tuple((number,) for number in numbers), tuple(range(len(names))))


def _by_name(description: GuideDescription, names: Sequence[str]) -> list[int]:
    number_of = {name: number for number, name in enumerate(description.classes)}
    if missing := [name for name in names if name not in number_of]:
        known = description.classes
        shown = ", ".join(known) if len(known) <= 20 else f"{', '.join(known[:3])} … ({len(known)} in all)"
        raise InputError(
            f"the model knows the classes {shown}; the dirmap has {', '.join(names)}. Train a model on this data set, "
            f"or name the column with the numbers of the model's logits by --class-num-col ({missing[0]!r} has no name "
            "in the model)"
        )
    return [number_of[name] for name in names]


def _by_number(rows: Sequence[DirmapRow], column: str, n_logits: int) -> list[int]:
    """Class of the data set -> number of its logit."""
    number_of: dict[int, int] = {}
    for row in rows:
        text = str(row.class_num) if column == "class_num" else row.extra.get(column, "")
        if not text.isdecimal() or int(text) >= n_logits:
            raise InputError(
                f"{row.im_path}: {column} is {text!r}; expected the number of a logit of the model, 0 to {n_logits - 1}"
            )
        if number_of.setdefault(row.class_num, int(text)) != int(text):
            raise InputError(
                f"class {row.class_name} has the numbers {number_of[row.class_num]} and {text} in column {column}; "
                "expected one. Where a class has several, give --superclasses"
            )
    numbers = [number_of[number] for number in sorted(number_of)]
    _reject_shared({name: [number] for name, number in zip(class_names(rows), numbers, strict=True)}, column)
    return numbers


def _reject_shared(logits_of: Mapping[str, Sequence[int]], where: str) -> None:
    """Reject two classes with the same logit, which the model cannot distinguish, and a class with a logit twice."""
    owner: dict[int, str] = {}
    for name, numbers in logits_of.items():
        for number in numbers:
            other = owner.get(number)
            if other == name:
                raise InputError(f"{where}: class {name} has the model's logit {number} twice; expected it once")
            if other is not None:
                raise InputError(
                    f"{where}: the classes {other} and {name} share the model's logit {number}, which cannot "
                    "distinguish them; expected different logits"
                )
            owner[number] = name


def _members(name: str, superclasses: Mapping[str, Sequence[int]], n_logits: int) -> tuple[int, ...]:
    members = tuple(superclasses.get(name, ()))
    if not members:
        raise InputError(f"class {name} is not one of the superclasses, which are {', '.join(superclasses)}")
    if unknown := [number for number in members if not 0 <= number < n_logits]:
        raise InputError(f"superclass {name} names the logit {unknown[0]}; the model has 0 to {n_logits - 1}")
    return members

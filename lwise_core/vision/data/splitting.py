"""Splits of a data set: in each class the same shares, and nothing that belongs together in two of them."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lwise_core.dirmap import DirmapRow
from lwise_core.errors import InputError
from lwise_core.keyed_random import key_digest


@dataclass(frozen=True)
class _Group:
    """Images that belong together: their rows by number. `of_class` is the class of most of them."""

    name: str
    rows: tuple[int, ...]
    of_class: str


def split_by_class(
    rows: Sequence[DirmapRow], fractions: Mapping[str, float], *, seed: int = 0, group_column: str | None = None
) -> list[DirmapRow]:
    """The same rows in the same order, in new splits.

    Of each class a split gets its share of the images to within one, or to within the largest group where images belong
    together; and at least one group, even if its share is less.

    Parameters
    ----------
    fractions : split -> its share, above 0; together 1.
    group_column : column whose equal cells belong together and come into one split.

    Raises
    ------
    InputError
        If the fractions are none, the column is missing or empty in a row, or a class has fewer groups than there are
        splits.
    """
    _check_fractions(fractions)
    of_class: dict[str, list[_Group]] = defaultdict(list)
    for group in _groups(rows, group_column):
        of_class[group.of_class].append(group)
    split_of: dict[int, str] = {}
    for name, groups in of_class.items():
        if len(groups) < len(fractions):
            things = "images" if group_column is None else f"values of {group_column}"
            raise InputError(
                f"class {name!r} has {len(groups)} {things}; expected at least {len(fractions)}, one for each of "
                f"{', '.join(fractions)}"
            )
        for split, dealt in _dealt(groups, fractions, seed).items():
            split_of.update((row, split) for group in dealt for row in group.rows)
    return [replace(row, split=split_of[number]) for number, row in enumerate(rows)]


def _check_fractions(fractions: Mapping[str, float]) -> None:
    told = ", ".join(f"{split} {fraction:g}" for split, fraction in fractions.items())
    if len(fractions) < 2 or min(fractions.values()) <= 0 or not math.isclose(sum(fractions.values()), 1, abs_tol=1e-6):
        raise InputError(
            f"the shares of the splits are {told or 'missing'}; expected two or more, above 0, together 1, such as "
            "train 0.7, val 0.15, test 0.15"
        )


def _groups(rows: Sequence[DirmapRow], column: str | None) -> list[_Group]:
    members: dict[str, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        members[group_name(row, column)].append(number)
    return [
        _Group(name, tuple(numbers), Counter(rows[number].class_name for number in numbers).most_common(1)[0][0])
        for name, numbers in members.items()
    ]


def group_name(row: DirmapRow, column: str | None) -> str:
    """What an image shares with those it belongs to; without a column, its path.

    Raises
    ------
    InputError
        If the row has nothing in the column.
    """
    if column is None:
        return row.im_path
    name = row.extra.get(column, "")
    if not name:
        known = ", ".join(row.extra) or "none besides those that every dirmap has"
        raise InputError(
            f"{row.im_path}: has nothing in column {column!r}, which says what belongs together; columns are {known}"
        )
    return name


def _dealt(groups: Sequence[_Group], fractions: Mapping[str, float], seed: int) -> dict[str, list[_Group]]:
    """Groups by split, each dealt to the split that lacks most; large ones first, so that small ones even it out."""
    n_images = sum(len(group.rows) for group in groups)
    lacking = {split: fraction * n_images for split, fraction in fractions.items()}
    dealt: dict[str, list[_Group]] = {split: [] for split in fractions}
    for group in sorted(groups, key=lambda group: (-len(group.rows), key_digest(seed, group.name))):
        split = max(lacking, key=lambda split: lacking[split])
        dealt[split].append(group)
        lacking[split] -= len(group.rows)
    for split in fractions:
        if not dealt[split]:
            fullest = min((other for other in fractions if len(dealt[other]) > 1), key=lambda other: lacking[other])
            smallest = dealt[fullest].pop()
            dealt[split].append(smallest)
            lacking[fullest] += len(smallest.rows)
    return dealt

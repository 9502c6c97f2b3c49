"""Split a data set with the same shares in each class, keeping groups of images in one split."""

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
    """Images that belong together: their row numbers, and the class of most of them."""

    name: str
    rows: tuple[int, ...]
    class_name: str


def split_by_class(
    rows: Sequence[DirmapRow], fractions: Mapping[str, float], *, seed: int = 0, group_column: str | None = None
) -> list[DirmapRow]:
    """Assign rows to new splits, in the same order.

    Each split gets its share of each class to within one image, or to within the largest group if images are grouped,
    and at least one group.

    Parameters
    ----------
    fractions : split -> its share, above 0; they sum to 1.
    group_column : images with equal cells in this column stay in one split.

    Raises
    ------
    InputError
        If the fractions are invalid, the column is missing or empty in a row, or a class has fewer groups than there
        are splits.
    """
    _check_fractions(fractions)
    by_class: dict[str, list[_Group]] = defaultdict(list)
    for group in _groups(rows, group_column):
        by_class[group.class_name].append(group)
    split_of: dict[int, str] = {}
    for name, groups in by_class.items():
        if len(groups) < len(fractions):
            kind = "images" if group_column is None else f"values of {group_column}"
            raise InputError(
                f"class {name!r} has {len(groups)} {kind}; expected at least {len(fractions)}, one for each of "
                f"{', '.join(fractions)}"
            )
        for split, assigned in _assign(groups, fractions, seed).items():
            split_of.update((row, split) for group in assigned for row in group.rows)
    return [replace(row, split=split_of[number]) for number, row in enumerate(rows)]


def _check_fractions(fractions: Mapping[str, float]) -> None:
    listing = ", ".join(f"{split} {fraction:g}" for split, fraction in fractions.items())
    if len(fractions) < 2 or min(fractions.values()) <= 0 or not math.isclose(sum(fractions.values()), 1, abs_tol=1e-6):
        raise InputError(
            f"the shares of the splits are {listing or 'missing'}; expected two or more, above 0, with sum 1, such as "
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
    """The group of an image; without a column, its path.

    Raises
    ------
    InputError
        If the row has no value in the column.
    """
    if column is None:
        return row.im_path
    name = row.extra.get(column, "")
    if not name:
        known = ", ".join(row.extra) or "only those that every dirmap has"
        raise InputError(f"{row.im_path}: has no value in the group column {column!r}; columns are {known}")
    return name


def _assign(groups: Sequence[_Group], fractions: Mapping[str, float], seed: int) -> dict[str, list[_Group]]:
    """Assign each group to the split that lacks most images; large groups first, so that small ones even it out."""
    n_images = sum(len(group.rows) for group in groups)
    missing = {split: fraction * n_images for split, fraction in fractions.items()}
    assigned: dict[str, list[_Group]] = {split: [] for split in fractions}
    for group in sorted(groups, key=lambda group: (-len(group.rows), key_digest(seed, group.name))):
        split = max(missing, key=lambda split: missing[split])
        assigned[split].append(group)
        missing[split] -= len(group.rows)
    for split in fractions:
        if not assigned[split]:
            fullest = min((other for other in fractions if len(assigned[other]) > 1), key=lambda other: missing[other])
            smallest = assigned[fullest].pop()
            assigned[split].append(smallest)
            missing[fullest] += len(smallest.rows)
    return assigned

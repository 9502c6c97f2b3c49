"""Numbers of classes where a data set has only some of those that it could have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lwise_core.dirmap import DirmapRow

ORIG_CLASS = "orig_class"
ORIG_CLASS_NUM = "orig_class_num"
"""Columns with the class, and its number, in the larger data set that this one is a part of."""


def renumbered(rows: Sequence[DirmapRow]) -> list[DirmapRow]:
    """The classes of these rows numbered 0 … C-1 in their order.

    `orig_class_num` holds the old number, unless there is such a column. Rows that are numbered so stay as they are.
    """
    present = sorted({row.class_num for row in rows})
    if present == list(range(len(present))):
        return list(rows)
    number_of = {old: new for new, old in enumerate(present)}
    return [
        replace(row, class_num=number_of[row.class_num], extra={ORIG_CLASS_NUM: str(row.class_num), **row.extra})
        for row in rows
    ]

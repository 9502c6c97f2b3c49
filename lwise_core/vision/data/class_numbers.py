"""Class numbers of a data set that has only some of the possible classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lwise_core.dirmap import DirmapRow

ORIG_CLASS = "orig_class"
ORIG_CLASS_NUM = "orig_class_num"
"""Columns with the class and its number in the larger data set that this one is a part of."""


def renumber_classes(rows: Sequence[DirmapRow]) -> list[DirmapRow]:
    """Number the classes of the rows 0 … C-1 in their order.

    `orig_class_num` gets the old number, unless the column exists. Rows with these numbers already are unchanged.
    """
    present = sorted({row.class_num for row in rows})
    if present == list(range(len(present))):
        return list(rows)
    number_of = {old: new for new, old in enumerate(present)}
    return [
        replace(row, class_num=number_of[row.class_num], extra={ORIG_CLASS_NUM: str(row.class_num), **row.extra})
        for row in rows
    ]

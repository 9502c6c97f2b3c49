"""Which images of a data set a new one takes: some classes, so many of each, copies where a class has too few."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from lwise_core.dirmap import DirmapRow
from lwise_core.errors import InputError
from lwise_core.keyed_random import key_digest
from lwise_core.vision.data.class_numbers import ORIG_CLASS_NUM, renumbered
from lwise_core.vision.data.listing import split_rank
from lwise_core.vision.data.splitting import group_name, split_by_class


@dataclass(frozen=True)
class Selection:
    """What is taken.

    Attributes
    ----------
    classes : by name; none and no `containing`: all.
    containing : classes whose names have one of these in them, in capitals or not.
    per_class : split -> how many images of each class, None for all; other splits are left out. None: all of all.
    recipe : split -> class -> how many images, None for all; other splits and classes are left out. It stands in the
        place of `classes`, `containing` and `per_class`.
    distribute : share the images of each class out anew over the splits of `per_class`, in proportion to its numbers,
        whatever split they were in.
    group_column : images with the same text in it are shared out to the same split.
    first_of : column; of images with the same text in it, the first is taken.
    balance : bring each class of a split to the size of the largest by copies.
    seed : decides which images are taken, and which are copied.
    """

    classes: tuple[str, ...] = ()
    containing: tuple[str, ...] = ()
    per_class: Mapping[str, int | None] | None = None
    recipe: Mapping[str, Mapping[str, int | None]] | None = None
    distribute: bool = False
    group_column: str | None = None
    first_of: str | None = None
    balance: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Taken:
    """An image that is taken: its row, with the number of its new class, and which copy of it this is (0: itself)."""

    row: DirmapRow
    copy: int = 0


def select(rows: Sequence[DirmapRow], selection: Selection) -> list[Taken]:
    """What a selection takes from a data set, by class and split, in the order of the rows, copies at the end.

    The same seed takes the same images, whatever the order of the rows.

    Raises
    ------
    InputError
        If a class or a split is not there, or a class has too few images and is not to be balanced; with `distribute`
        as `split_by_class`, and if `per_class` has no number for a split.
    """
    kept = _of_classes(rows, selection)
    if selection.first_of is not None:
        kept = _first_of(kept, selection.first_of)
    if selection.distribute:
        kept = _distributed(kept, selection)
    by_split: dict[str, dict[str, list[DirmapRow]]] = defaultdict(lambda: defaultdict(list))
    for row in sorted(kept, key=lambda row: row.class_num):
        by_split[row.split][row.class_name].append(row)
    wanted = _wanted(by_split, kept, selection)
    taken: list[Taken] = []
    for split in sorted(wanted, key=split_rank):
        if split not in by_split:
            raise InputError(
                f"no images are in split {split!r}; splits are {', '.join(sorted(by_split, key=split_rank))}"
            )
        taken += _of_split(by_split[split], wanted[split], split, selection)
    return taken


def _of_classes(rows: Sequence[DirmapRow], selection: Selection) -> list[DirmapRow]:
    named = selection.classes
    if selection.recipe is not None:
        named = tuple(dict.fromkeys(name for of_split in selection.recipe.values() for name in of_split))
    if not named and not selection.containing:
        return list(rows)
    names = {row.class_name for row in rows}
    for name in named:
        if name not in names:
            raise InputError(f"no class is called {name!r}; classes are {', '.join(sorted(names))}")
    for part in selection.containing:
        if not any(part.lower() in name.lower() for name in names):
            raise InputError(f"no class has {part!r} in its name; classes are {', '.join(sorted(names))}")
    wanted = {
        name for name in names if name in named or any(part.lower() in name.lower() for part in selection.containing)
    }
    return renumbered(
        [
            replace(row, extra={ORIG_CLASS_NUM: str(row.class_num), **row.extra})
            for row in rows
            if row.class_name in wanted
        ]
    )


def _first_of(rows: Sequence[DirmapRow], column: str) -> list[DirmapRow]:
    first: dict[str, DirmapRow] = {}
    for row in rows:
        first.setdefault(group_name(row, column), row)
    return list(first.values())


def _distributed(rows: Sequence[DirmapRow], selection: Selection) -> list[DirmapRow]:
    numbers = {split: n for split, n in (selection.per_class or {}).items() if n is not None}
    if len(numbers) < 2 or numbers.keys() != (selection.per_class or {}).keys():
        raise InputError(
            "to share images out over splits, say how many of each class go to each, of at least two: --distribute "
            "goes with --take train=100 --take val=50 or the like"
        )
    shares = {split: n / sum(numbers.values()) for split, n in numbers.items()}
    return split_by_class(rows, shares, seed=selection.seed, group_column=selection.group_column)


def _wanted(
    by_split: Mapping[str, Mapping[str, Sequence[DirmapRow]]], rows: Sequence[DirmapRow], selection: Selection
) -> Mapping[str, Mapping[str, int | None]]:
    """Split -> class -> number of images, None for all."""
    if selection.recipe is not None:
        return selection.recipe
    names = dict.fromkeys(row.class_name for row in rows)
    per_class = dict.fromkeys(by_split) if selection.per_class is None else selection.per_class
    return {split: dict.fromkeys(by_split.get(split, {}) if n is None else names, n) for split, n in per_class.items()}


def _of_split(
    by_class: Mapping[str, Sequence[DirmapRow]], wanted: Mapping[str, int | None], split: str, selection: Selection
) -> Iterator[Taken]:
    for name in wanted:
        if not by_class.get(name):
            raise InputError(f"class {name!r} has no images in {split}; take it from another split, or leave it out")
    largest = max(len(by_class[name]) for name in wanted)
    for name, of_class in by_class.items():
        if name not in wanted:
            continue
        told = wanted[name]
        n = told if told is not None else largest if selection.balance else len(of_class)
        if n > len(of_class) and not selection.balance:
            raise InputError(
                f"class {name!r} has {len(of_class)} images in {split}, and {n} are wanted; take fewer, or let "
                "--balance fill up with copies"
            )
        drawn = sorted(of_class, key=lambda row: key_digest(selection.seed, row.im_path))
        chosen = {row.im_path for row in drawn[:n]}
        yield from (Taken(row) for row in of_class if row.im_path in chosen)
        for number in range(len(of_class), n):
            copy, index = divmod(number, len(of_class))
            yield Taken(drawn[index], copy)

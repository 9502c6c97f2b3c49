"""Select images for a new data set: by class, by number, with copies for classes that have too few."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from lwise_core.dirmap import DirmapRow
from lwise_core.errors import InputError
from lwise_core.keyed_random import key_digest
from lwise_core.vision.data.class_numbers import ORIG_CLASS_NUM, renumber_classes
from lwise_core.vision.data.listing import split_rank
from lwise_core.vision.data.splitting import group_name, split_by_class


@dataclass(frozen=True)
class Selection:
    """Which images to select.

    Attributes
    ----------
    classes : names; all classes if both this and `containing` are empty.
    containing : select classes whose names contain one of these texts, ignoring case.
    per_class : split -> number of images of each class, None for all; other splits are skipped. None for everything.
    recipe : split -> class -> number of images, None for all; other splits and classes are skipped. Replaces
        `classes`, `containing` and `per_class`.
    distribute : redistribute the images of each class over the splits of `per_class`, in proportion to its numbers,
        whatever their present split.
    group_column : with `distribute`, images with equal cells in this column stay in one split.
    first_of : select only the first of the images with equal cells in this column.
    balance : fill each class of a split up to the size of the largest with copies.
    seed : determines which images are selected and copied.
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
class SelectedImage:
    """A selected image: its row, with its new class number, and the number of the copy, 0 for the original."""

    row: DirmapRow
    copy: int = 0


def select(rows: Sequence[DirmapRow], selection: Selection) -> list[SelectedImage]:
    """Select images of a data set, ordered by split, class and row, with copies at the end of each class.

    The same seed selects the same images, whatever the order of the rows.

    Raises
    ------
    InputError
        If a class or split does not exist, or a class has too few images and `balance` is false; with `distribute`, as
        `split_by_class`, and also if `per_class` has no number for a split.
    """
    candidates = _in_classes(rows, selection)
    if selection.first_of is not None:
        candidates = _first_of(candidates, selection.first_of)
    if selection.distribute:
        candidates = _redistribute(candidates, selection)
    by_split: dict[str, dict[str, list[DirmapRow]]] = defaultdict(lambda: defaultdict(list))
    for row in sorted(candidates, key=lambda row: row.class_num):
        by_split[row.split][row.class_name].append(row)
    counts = _requested_counts(by_split, candidates, selection)
    selected: list[SelectedImage] = []
    for split in sorted(counts, key=split_rank):
        if split not in by_split:
            raise InputError(
                f"there are no images in split {split!r}; splits are {', '.join(sorted(by_split, key=split_rank))}"
            )
        selected += _select_from_split(by_split[split], counts[split], split, selection)
    return selected


def _in_classes(rows: Sequence[DirmapRow], selection: Selection) -> list[DirmapRow]:
    named = selection.classes
    if selection.recipe is not None:
        named = tuple(dict.fromkeys(name for classes in selection.recipe.values() for name in classes))
    if not named and not selection.containing:
        return list(rows)
    names = {row.class_name for row in rows}
    for name in named:
        if name not in names:
            raise InputError(f"there is no class {name!r}; classes are {', '.join(sorted(names))}")
    for part in selection.containing:
        if not any(part.lower() in name.lower() for name in names):
            raise InputError(f"no class has {part!r} in its name; classes are {', '.join(sorted(names))}")
    selected = {
        name for name in names if name in named or any(part.lower() in name.lower() for part in selection.containing)
    }
    return renumber_classes(
        [
            replace(row, extra={ORIG_CLASS_NUM: str(row.class_num), **row.extra})
            for row in rows
            if row.class_name in selected
        ]
    )


def _first_of(rows: Sequence[DirmapRow], column: str) -> list[DirmapRow]:
    first: dict[str, DirmapRow] = {}
    for row in rows:
        first.setdefault(group_name(row, column), row)
    return list(first.values())


def _redistribute(rows: Sequence[DirmapRow], selection: Selection) -> list[DirmapRow]:
    numbers = {split: n for split, n in (selection.per_class or {}).items() if n is not None}
    if len(numbers) < 2 or numbers.keys() != (selection.per_class or {}).keys():
        raise InputError(
            "--distribute needs the number of images per class for at least two splits, such as --take train=100 "
            "--take val=50"
        )
    shares = {split: n / sum(numbers.values()) for split, n in numbers.items()}
    return split_by_class(rows, shares, seed=selection.seed, group_column=selection.group_column)


def _requested_counts(
    by_split: Mapping[str, Mapping[str, Sequence[DirmapRow]]], rows: Sequence[DirmapRow], selection: Selection
) -> Mapping[str, Mapping[str, int | None]]:
    """Split -> class -> number of images, None for all."""
    if selection.recipe is not None:
        return selection.recipe
    names = dict.fromkeys(row.class_name for row in rows)
    per_class = dict.fromkeys(by_split) if selection.per_class is None else selection.per_class
    return {split: dict.fromkeys(by_split.get(split, {}) if n is None else names, n) for split, n in per_class.items()}


def _select_from_split(
    by_class: Mapping[str, Sequence[DirmapRow]], counts: Mapping[str, int | None], split: str, selection: Selection
) -> Iterator[SelectedImage]:
    for name in counts:
        if not by_class.get(name):
            raise InputError(f"class {name!r} has no images in {split}; take it from another split, or drop it")
    largest = max(len(by_class[name]) for name in counts)
    for name, images in by_class.items():
        if name not in counts:
            continue
        count = counts[name]
        n = count if count is not None else largest if selection.balance else len(images)
        if n > len(images) and not selection.balance:
            raise InputError(
                f"class {name!r} has {len(images)} images in {split}, but {n} were requested; select fewer, or "
                "fill up with copies by --balance"
            )
        shuffled = sorted(images, key=lambda row: key_digest(selection.seed, row.im_path))
        paths = {row.im_path for row in shuffled[:n]}
        yield from (SelectedImage(row) for row in images if row.im_path in paths)
        for number in range(len(images), n):
            copy, index = divmod(number, len(images))
            yield SelectedImage(shuffled[index], copy)

"""A recipe: a CSV file that says how many images of which class a split of a new data set gets."""

from __future__ import annotations

from pathlib import Path

from lwise_core.dirmap import read_csv
from lwise_core.errors import InputError, refuse_if_any

_COLUMNS = ("split", "class", "n")


def read_recipe(path: Path) -> dict[str, dict[str, int | None]]:
    """Split -> class -> how many images of it, None for all.

    Raises
    ------
    InputError
        If the file has no rows, or naming every line with a number that is none, or a class that stands twice in a
        split.
    """
    recipe: dict[str, dict[str, int | None]] = {}
    problems = []
    for line, cells in read_csv(path, required=_COLUMNS, remedy="expected a CSV file of split, class and n"):
        split, name, n = (cells[column].strip() for column in _COLUMNS)
        of_split = recipe.setdefault(split, {})
        if n and not (n.isdecimal() and int(n) > 0):
            problems.append(f"line {line}: n is {n!r}; expected a whole number from 1, or nothing for all images")
        if name in of_split:
            problems.append(f"line {line}: class {name!r} stands twice in split {split!r}")
        of_split[name] = int(n) if n.isdecimal() else None
    refuse_if_any(path, problems)
    if not recipe:
        raise InputError(f"{path}: is empty; expected a row of split, class and n for each class of each split")
    return recipe

"""Recipe: a CSV file with the number of images of each class in each split of a new data set."""

from __future__ import annotations

from pathlib import Path

from lwise_core.dirmap import read_csv
from lwise_core.errors import InputError, raise_if_any

_COLUMNS = ("split", "class", "n")


def read_recipe(path: Path) -> dict[str, dict[str, int | None]]:
    """Read a recipe: split -> class -> number of images, None for all.

    Raises
    ------
    InputError
        If the file has no rows, or listing every line with an invalid number or a duplicate class.
    """
    recipe: dict[str, dict[str, int | None]] = {}
    problems = []
    for line, cells in read_csv(path, required=_COLUMNS, remedy="expected a CSV file of split, class and n"):
        split, name, n = (cells[column].strip() for column in _COLUMNS)
        classes = recipe.setdefault(split, {})
        if n and not (n.isdecimal() and int(n) > 0):
            problems.append(f"line {line}: n is {n!r}; expected a whole number from 1, or nothing for all images")
        if name in classes:
            problems.append(f"line {line}: class {name!r} occurs twice in split {split!r}")
        classes[name] = int(n) if n.isdecimal() else None
    raise_if_any(path, problems)
    if not recipe:
        raise InputError(f"{path}: is empty; expected a row of split, class and n for each class of each split")
    return recipe

"""Recipes are read, and problems are reported with their line."""

from __future__ import annotations

from pathlib import Path

import pytest

from lwise_core.errors import InputError
from lwise_core.vision.data.recipe import read_recipe


def _written(folder: Path, *lines: str) -> Path:
    path = folder / "recipe.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_recipe_gives_numbers_by_split_and_class(tmp_path: Path) -> None:
    path = _written(tmp_path, "class,n,split", "Idaea aversata,40,train", "Scopula,,train", "Scopula,5,val")
    assert read_recipe(path) == {"train": {"Idaea aversata": 40, "Scopula": None}, "val": {"Scopula": 5}}


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (["split,class", "train,a"], "column n is missing"),
        (["split,class,n"], "is empty"),
        (["split,class,n", "train,a,3", "train,b,some", "train,c,0"], r"(?s)line 3: n is 'some'.*line 4: n is '0'"),
        (["split,class,n", "train,a,3", "val,a,3", "train,a,4"], "line 4: class 'a' occurs twice in split 'train'"),
    ],
)
def test_invalid_recipe_is_rejected(tmp_path: Path, lines: list[str], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        read_recipe(_written(tmp_path, *lines))


def test_missing_recipe_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_recipe(tmp_path / "recipe.csv")

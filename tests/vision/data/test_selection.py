"""Selection from a data set: classes, numbers, first views, copies."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

import pytest

from lwise_core.dirmap import DirmapRow
from lwise_core.errors import InputError
from lwise_core.vision.data.selection import SelectedImage, Selection, select

_SIZES = {"Idaea aversata": 8, "Idaea biselata": 3, "Scopula": 5}


@pytest.fixture
def rows() -> list[DirmapRow]:
    """Splits with 8, 3 and 5 images of each of three classes; every two images show one animal."""
    return [
        DirmapRow(split, name, number, f"{split}/{name}/{view}.jpg", extra={"animal": f"{name}{view // 2}"})
        for split in ("train", "val")
        for number, (name, n) in enumerate(_SIZES.items())
        for view in range(n)
    ]


def _counts(taken: Sequence[SelectedImage]) -> Counter[tuple[str, str]]:
    return Counter((one.row.split, one.row.class_name) for one in taken)


def test_default_selects_everything(rows: list[DirmapRow]) -> None:
    assert [one.row for one in select(rows, Selection())] == rows


def test_per_class_selects_that_many_images_and_only_named_splits(rows: list[DirmapRow]) -> None:
    assert _counts(select(rows, Selection(per_class={"val": 3}))) == {("val", name): 3 for name in _SIZES}
    both = _counts(select(rows, Selection(per_class={"train": None, "val": 2})))
    assert both == {**{("train", name): n for name, n in _SIZES.items()}, **{("val", name): 2 for name in _SIZES}}


def test_seed_alone_determines_the_selection(rows: list[DirmapRow]) -> None:
    first, again, other = (
        {one.row.im_path for one in select(given, Selection(per_class={"train": 2}, seed=seed))}
        for given, seed in ((rows, 1), (rows[::-1], 1), (rows, 2))
    )
    assert first == again
    assert first != other


def test_classes_are_selected_by_name_or_part_of_it(rows: list[DirmapRow]) -> None:
    idaea = select(rows, Selection(containing=("idaea",)))
    assert {(one.row.class_name, one.row.class_num, one.row.extra["orig_class_num"]) for one in idaea} == {
        ("Idaea aversata", 0, "0"),
        ("Idaea biselata", 1, "1"),
    }
    some = select(rows, Selection(classes=("Scopula",), containing=("BISELATA",)))
    assert {(one.row.class_name, one.row.class_num, one.row.extra["orig_class_num"]) for one in some} == {
        ("Idaea biselata", 0, "1"),
        ("Scopula", 1, "2"),
    }


def test_first_of_selects_the_first_image_of_each_group(rows: list[DirmapRow]) -> None:
    taken = select(rows, Selection(first_of="animal", per_class={"train": None}))
    assert [one.row.im_path for one in taken if one.row.class_name == "Scopula"] == [
        f"train/Scopula/{view}.jpg" for view in (0, 2, 4)
    ]


def test_balance_copies_every_image_once_before_any_twice(rows: list[DirmapRow]) -> None:
    taken = select(rows, Selection(balance=True))
    assert _counts(taken) == {(split, name): 8 for split in ("train", "val") for name in _SIZES}
    copies = Counter(
        one.row.im_path for one in taken if one.row.split == "train" and one.row.class_name == "Idaea biselata"
    )
    assert sorted(copies.values()) == [2, 3, 3]
    assert len({(one.row.im_path, one.copy) for one in taken}) == len(taken)
    assert {one.copy for one in taken} == {0, 1, 2}


def test_balance_fills_up_to_the_requested_number(rows: list[DirmapRow]) -> None:
    taken = select(rows, Selection(per_class={"train": 5}, balance=True))
    assert _counts(taken) == {("train", name): 5 for name in _SIZES}
    assert sum(one.copy > 0 for one in taken) == 2


def test_recipe_determines_the_number_per_class_and_split(rows: list[DirmapRow]) -> None:
    recipe = {"train": {"Scopula": 4, "Idaea aversata": None}, "val": {"Scopula": 1}}
    taken = select(rows, Selection(recipe=recipe))
    assert _counts(taken) == {("train", "Idaea aversata"): 8, ("train", "Scopula"): 4, ("val", "Scopula"): 1}
    assert {(one.row.class_name, one.row.class_num) for one in taken} == {("Idaea aversata", 0), ("Scopula", 1)}


def test_distribute_reassigns_images_to_splits(rows: list[DirmapRow]) -> None:
    wishes = {"train": 3, "val": 2, "test": 1}
    taken = select(rows, Selection(per_class=wishes, distribute=True))
    assert _counts(taken) == {(split, name): n for split, n in wishes.items() for name in _SIZES}
    assert len({one.row.im_path for one in taken}) == len(taken) == 18


def test_seed_determines_the_distribution(rows: list[DirmapRow]) -> None:
    first, again, other = (
        {(one.row.im_path, one.row.split) for one in select(rows, _distribution(seed))} for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def _distribution(seed: int) -> Selection:
    return Selection(classes=("Scopula",), per_class={"train": 5, "val": 5}, distribute=True, seed=seed)


def test_distribute_keeps_groups_in_one_split(rows: list[DirmapRow]) -> None:
    taken = select(rows, Selection(per_class={"train": 3, "val": 1}, distribute=True, group_column="animal"))
    splits_of = defaultdict(set)
    for one in taken:
        splits_of[one.row.extra["animal"]].add(one.row.split)
    assert {split for splits in splits_of.values() for split in splits} == {"train", "val"}
    assert all(len(splits) == 1 for splits in splits_of.values())


def test_copies_are_in_the_split_of_their_image(rows: list[DirmapRow]) -> None:
    wishes = {"train": 9, "val": 6}
    taken = select(rows, Selection(per_class=wishes, distribute=True, balance=True))
    assert _counts(taken) == {(split, name): n for split, n in wishes.items() for name in _SIZES}
    in_train, in_val = ({one.row.im_path for one in taken if one.row.split == split} for split in wishes)
    assert not in_train & in_val


@pytest.mark.parametrize(
    ("selection", "complaint"),
    [
        (Selection(classes=("Idaea",)), "there is no class 'Idaea'; classes are Idaea aversata"),
        (Selection(containing=("cat",)), "no class has 'cat' in its name"),
        (Selection(per_class={"test": 3}), "there are no images in split 'test'; splits are train, val"),
        (Selection(per_class={"train": 4}), "class 'Idaea biselata' has 3 images in train, but 4 were requested"),
        (Selection(recipe={"train": {"Noctua": 1}}), "there is no class 'Noctua'"),
        (Selection(recipe={"train": {"Scopula": 1}, "test": {"Scopula": 1}}), "there are no images in split 'test'"),
        (Selection(per_class={"train": 5, "val": 4}, distribute=True), "'Idaea biselata' has . images in train, but 5"),
        (
            Selection(per_class={"train": 5, "val": None}, distribute=True),
            "--distribute needs the number of images",
        ),
        (Selection(per_class={"train": 1}, distribute=True), "--distribute needs the number of images"),
        (Selection(distribute=True), "--distribute needs the number of images"),
        (Selection(first_of="lesion_id"), "has no value in the group column 'lesion_id'"),
    ],
)
def test_impossible_selection_is_rejected(rows: list[DirmapRow], selection: Selection, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        select(rows, selection)


@pytest.mark.parametrize("balance", [True, False])
def test_class_missing_from_a_split_is_rejected(rows: list[DirmapRow], balance: bool) -> None:
    without = [row for row in rows if (row.split, row.class_name) != ("val", "Scopula")]
    recipe = {"val": {"Scopula": None, "Idaea aversata": 1}}
    for selection in (Selection(per_class={"val": 2}), Selection(recipe=recipe)):
        with pytest.raises(InputError, match="class 'Scopula' has no images in val"):
            select(without, replace(selection, balance=balance))

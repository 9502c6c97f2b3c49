"""What is taken from a data set: classes, numbers, first views, copies."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

import pytest

from lwise_core.dirmap import DirmapRow
from lwise_core.errors import InputError
from lwise_core.vision.data.selection import Selection, Taken, select

_SIZES = {"Idaea aversata": 8, "Idaea biselata": 3, "Scopula": 5}


@pytest.fixture
def rows() -> list[DirmapRow]:
    """Each split with 8, 3 and 5 images of three classes; of each two images one animal."""
    return [
        DirmapRow(split, name, number, f"{split}/{name}/{view}.jpg", extra={"animal": f"{name}{view // 2}"})
        for split in ("train", "val")
        for number, (name, n) in enumerate(_SIZES.items())
        for view in range(n)
    ]


def _counts(taken: Sequence[Taken]) -> Counter[tuple[str, str]]:
    return Counter((one.row.split, one.row.class_name) for one in taken)


def test_without_a_wish_everything_is_taken_as_it_is(rows: list[DirmapRow]) -> None:
    assert [one.row for one in select(rows, Selection())] == rows


def test_so_many_of_each_class_and_only_of_the_named_splits(rows: list[DirmapRow]) -> None:
    assert _counts(select(rows, Selection(per_class={"val": 3}))) == {("val", name): 3 for name in _SIZES}
    both = _counts(select(rows, Selection(per_class={"train": None, "val": 2})))
    assert both == {**{("train", name): n for name, n in _SIZES.items()}, **{("val", name): 2 for name in _SIZES}}


def test_the_seed_and_not_the_order_decides_what_is_drawn(rows: list[DirmapRow]) -> None:
    first, again, other = (
        {one.row.im_path for one in select(given, Selection(per_class={"train": 2}, seed=seed))}
        for given, seed in ((rows, 1), (rows[::-1], 1), (rows, 2))
    )
    assert first == again
    assert first != other


def test_a_class_is_named_or_has_a_part_of_its_name_named(rows: list[DirmapRow]) -> None:
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


def test_of_each_animal_the_first_picture(rows: list[DirmapRow]) -> None:
    taken = select(rows, Selection(first_of="animal", per_class={"train": None}))
    assert [one.row.im_path for one in taken if one.row.class_name == "Scopula"] == [
        f"train/Scopula/{view}.jpg" for view in (0, 2, 4)
    ]


def test_balance_copies_every_image_before_it_copies_one_twice(rows: list[DirmapRow]) -> None:
    taken = select(rows, Selection(balance=True))
    assert _counts(taken) == {(split, name): 8 for split in ("train", "val") for name in _SIZES}
    copies = Counter(
        one.row.im_path for one in taken if one.row.split == "train" and one.row.class_name == "Idaea biselata"
    )
    assert sorted(copies.values()) == [2, 3, 3]
    assert len({(one.row.im_path, one.copy) for one in taken}) == len(taken)


def test_balance_fills_up_to_the_number_that_is_wanted(rows: list[DirmapRow]) -> None:
    taken = select(rows, Selection(per_class={"train": 5}, balance=True))
    assert _counts(taken) == {("train", name): 5 for name in _SIZES}
    assert sum(one.copy > 0 for one in taken) == 2


def test_a_recipe_says_how_many_of_each_class_and_split(rows: list[DirmapRow]) -> None:
    recipe = {"train": {"Scopula": 4, "Idaea aversata": None}, "val": {"Scopula": 1}}
    taken = select(rows, Selection(recipe=recipe))
    assert _counts(taken) == {("train", "Idaea aversata"): 8, ("train", "Scopula"): 4, ("val", "Scopula"): 1}
    assert {(one.row.class_name, one.row.class_num) for one in taken} == {("Idaea aversata", 0), ("Scopula", 1)}


def test_images_are_shared_out_over_other_splits(rows: list[DirmapRow]) -> None:
    wishes = {"train": 3, "val": 2, "test": 1}
    taken = select(rows, Selection(per_class=wishes, distribute=True))
    assert _counts(taken) == {(split, name): n for split, n in wishes.items() for name in _SIZES}
    assert len({one.row.im_path for one in taken}) == len(taken) == 18


def test_images_that_belong_together_are_shared_out_to_one_split(rows: list[DirmapRow]) -> None:
    taken = select(rows, Selection(per_class={"train": 3, "val": 1}, distribute=True, group_column="animal"))
    splits_of = defaultdict(set)
    for one in taken:
        splits_of[one.row.extra["animal"]].add(one.row.split)
    assert {split for splits in splits_of.values() for split in splits} == {"train", "val"}
    assert all(len(splits) == 1 for splits in splits_of.values())


def test_copies_stay_in_the_split_of_their_image(rows: list[DirmapRow]) -> None:
    wishes = {"train": 9, "val": 6}
    taken = select(rows, Selection(per_class=wishes, distribute=True, balance=True))
    assert _counts(taken) == {(split, name): n for split, n in wishes.items() for name in _SIZES}
    in_train, in_val = ({one.row.im_path for one in taken if one.row.split == split} for split in wishes)
    assert not in_train & in_val


@pytest.mark.parametrize(
    ("selection", "complaint"),
    [
        (Selection(classes=("Idaea",)), "no class is called 'Idaea'; classes are Idaea aversata"),
        (Selection(containing=("cat",)), "no class has 'cat' in its name"),
        (Selection(per_class={"test": 3}), "no images are in split 'test'; splits are train, val"),
        (Selection(per_class={"train": 4}), "class 'Idaea biselata' has 3 images in train, and 4 are wanted"),
        (Selection(recipe={"train": {"Noctua": 1}}), "no class is called 'Noctua'"),
        (Selection(recipe={"train": {"Scopula": 1}, "test": {"Scopula": 1}}), "no images are in split 'test'"),
        (Selection(per_class={"train": 5, "val": 4}, distribute=True), "'Idaea biselata' has . images in train, and 5"),
        (Selection(per_class={"train": 5, "val": None}, distribute=True), "say how many of each class go to each"),
        (Selection(distribute=True), "say how many of each class go to each"),
        (Selection(first_of="lesion_id"), "has nothing in column 'lesion_id'"),
    ],
)
def test_a_selection_that_does_not_fit(rows: list[DirmapRow], selection: Selection, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        select(rows, selection)


@pytest.mark.parametrize("balance", [True, False])
def test_a_class_that_a_split_does_not_have_is_missed(rows: list[DirmapRow], balance: bool) -> None:
    without = [row for row in rows if (row.split, row.class_name) != ("val", "Scopula")]
    recipe = {"val": {"Scopula": None, "Idaea aversata": 1}}
    for selection in (Selection(per_class={"val": 2}), Selection(recipe=recipe)):
        with pytest.raises(InputError, match="class 'Scopula' has no images in val"):
            select(without, replace(selection, balance=balance))

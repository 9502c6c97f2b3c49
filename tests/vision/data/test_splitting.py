"""Splits have the same shares of every class and keep groups together."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lwise_core.dirmap import DirmapRow
from lwise_core.errors import InputError
from lwise_core.vision.data.splitting import split_by_class

_SHARES = {"train": 0.6, "val": 0.25, "test": 0.15}


def _rows(lesions: dict[str, list[int]]) -> list[DirmapRow]:
    """Rows with the given number of images for each lesion of each class."""
    return [
        DirmapRow("train", name, number, f"{name}/{lesion}_{view}.png", extra={"lesion_id": f"{name}{lesion}"})
        for number, (name, sizes) in enumerate(lesions.items())
        for lesion, n_views in enumerate(sizes)
        for view in range(n_views)
    ]


_lesions = st.dictionaries(
    st.sampled_from("abcd"), st.lists(st.integers(1, 6), min_size=3, max_size=40), min_size=1, max_size=4
)


@given(_lesions, st.integers(0, 5))
def test_groups_stay_together_and_every_class_is_in_all_splits(lesions: dict[str, list[int]], seed: int) -> None:
    rows = _rows(lesions)
    parted = split_by_class(rows, _SHARES, seed=seed, group_column="lesion_id")
    assert [row.im_path for row in parted] == [row.im_path for row in rows]
    splits_of = defaultdict(set)
    for row in parted:
        splits_of[row.extra["lesion_id"]].add(row.split)
    assert all(len(splits) == 1 for splits in splits_of.values())
    counts = Counter((row.class_name, row.split) for row in parted)
    for name, sizes in lesions.items():
        for split, share in _SHARES.items():
            assert counts[name, split] >= 1
            assert abs(counts[name, split] - share * sum(sizes)) <= max(sizes)


@given(st.integers(3, 60), st.integers(0, 5))
def test_ungrouped_shares_are_exact_to_one_image(n: int, seed: int) -> None:
    rows = _rows({"a": [1] * n})
    counts = Counter(row.split for row in split_by_class(rows, _SHARES, seed=seed))
    assert all(abs(counts[split] - share * n) <= 1 for split, share in _SHARES.items())


def test_large_groups_are_assigned_first() -> None:
    counts = Counter(
        row.split
        for row in split_by_class(
            _rows({"a": [1, 1, 1, 6, 1, 1, 1]}), {"train": 0.5, "val": 0.5}, group_column="lesion_id"
        )
    )
    assert counts == {"train": 6, "val": 6}


def test_group_counts_for_the_class_of_most_of_its_images() -> None:
    mixed = [
        DirmapRow("train", name, number, f"{group}{view}.png", extra={"group": str(group)})
        for group in range(3)
        for view, (name, number) in enumerate([("a", 0), ("b", 1), ("b", 1)])
    ]
    pure = [DirmapRow("train", "a", 0, f"a{view}.png", extra={"group": f"a{view}"}) for view in range(3)]
    splits = split_by_class([*mixed, *pure], {"train": 0.5, "val": 0.5}, group_column="group")
    counts = Counter((row.split, row.extra["group"][0] == "a") for row in splits)
    assert counts == {("train", False): 6, ("val", False): 3, ("train", True): 2, ("val", True): 1}


def test_seed_alone_determines_the_splits() -> None:
    rows = _rows({"a": [1] * 30, "b": [2] * 10})
    first, again, other = (
        {row.im_path: row.split for row in split_by_class(given, _SHARES, seed=seed)}
        for given, seed in ((rows, 1), (rows[::-1], 1), (rows, 2))
    )
    assert first == again
    assert first != other


def test_class_with_too_few_groups_is_rejected() -> None:
    rows = _rows({"a": [1] * 30, "b": [9, 9]})
    with pytest.raises(InputError, match="class 'b' has 2 values of lesion_id; expected at least 3"):
        split_by_class(rows, _SHARES, group_column="lesion_id")


def test_missing_group_column_is_rejected() -> None:
    with pytest.raises(InputError, match=r"has no value in the group column 'patient'.*columns are lesion_id"):
        split_by_class(_rows({"a": [1] * 30}), _SHARES, group_column="patient")


@pytest.mark.parametrize("shares", [{"train": 0.5, "val": 0.4}, {"train": 1.0, "val": 0.0}, {"train": 1.0}, {}])
def test_invalid_shares_are_rejected(shares: dict[str, float]) -> None:
    with pytest.raises(InputError, match="above 0, with sum 1"):
        split_by_class(_rows({"a": [1] * 30}), shares)

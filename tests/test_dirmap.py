"""A dirmap is read as it was written, and an invalid one is rejected with the line of each problem."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lwise_core.dirmap import DirmapRow, class_names, read_dirmap, write_dirmap
from lwise_core.errors import InputError

_HEADER = "split,class,class_num,im_path"
_CELL = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=12)
_SCORE = st.integers(-10_000_000, 10_000_000).map(lambda millionths: millionths / 1e6)


@st.composite
def _rows(draw: st.DrawFn) -> list[DirmapRow]:
    scored = draw(st.booleans())
    return [
        DirmapRow(
            split=draw(st.sampled_from(["train", "val", "test"])),
            class_name=draw(_CELL),
            class_num=draw(st.integers(0, 99)),
            im_path=f"{draw(st.sampled_from('ab'))}/{index}.png",
            robust_gt_logit=draw(_SCORE) if scored else None,
            difficulty=draw(_SCORE) if scored else None,
            extra={"url": draw(_CELL), "note, too": draw(_CELL)},
        )
        for index in range(draw(st.integers(1, 5)))
    ]


@given(rows=_rows())
def test_dirmap_round_trips(rows: list[DirmapRow], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "dirmap.csv"
    write_dirmap(path, rows)
    assert read_dirmap(path) == rows


def test_spreadsheet_export_is_read(tmp_path: Path) -> None:
    path = tmp_path / "dirmap.csv"
    path.write_bytes(b"\xef\xbb\xbfurl,class_num,class,split,im_path\r\nu,0,a,train,a/1.png\r\n")
    assert read_dirmap(path) == [DirmapRow("train", "a", 0, "a/1.png", extra={"url": "u"})]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "column split, class, class_num, im_path is missing; found nothing"),
        ("split,class,im_path\ntrain,a,1.png\n", "column class_num is missing"),
        (f"{_HEADER}\n", "has no images"),
        (f"{_HEADER}\ntrain,a,0\n", "line 2: has 3 fields; expected 4"),
        (f"{_HEADER}\ntrain,a,0,1.png,x\n", "line 2: has 5 fields; expected 4"),
        (f"{_HEADER}\ntrain,a,-1,1.png\n", "line 2: class_num is '-1'; expected a whole number"),
        (f"{_HEADER}\ntrain,a,0,../1.png\n", r"line 2: im_path is '\.\./1.png'; expected a relative path"),
        (f"{_HEADER}\ntrain,a,0,/1.png\n", "line 2: im_path is '/1.png'"),
        (f"{_HEADER}\ntrain,a,0,C:\\1.png\n", "line 2: im_path"),
        (f"{_HEADER}\ntrain,a,0,\n", "line 2: im_path is ''"),
        (f"{_HEADER}\ntrain,a,0,1.png\ntrain,a,0,1.png\n", "duplicate im_path '1.png'"),
        (f"{_HEADER},difficulty\ntrain,a,0,1.png,hard\n", "line 2: difficulty is 'hard'; expected a finite number"),
        (f"{_HEADER},difficulty\ntrain,a,0,1.png,nan\n", "line 2: difficulty is 'nan'"),
        (f"{_HEADER}\ntrain,,0,1.png\n", "line 2: class is empty"),
        (f"{_HEADER},url,url\ntrain,a,0,1.png,x,y\n", "duplicate column url"),
        (f"{_HEADER}\ntrain,a,0,1.png\n".replace(",", ";"), "separated by semicolons; expected commas"),
        (f"{_HEADER}\ntrain,a,0,1.png\n".replace(",", "\t"), "separated by tabs; expected commas"),
    ],
)
def test_invalid_dirmap_is_rejected(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "dirmap.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"dirmap\.csv.*{complaint}"):
        read_dirmap(path)


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    path = tmp_path / "dirmap.csv"
    bad = ["train,a,0,../1.png", "train,,0,2.png", "train,a,x,3.png", "train,a,0,4.png", "val,a,0,4.png"]
    path.write_text("\n".join([_HEADER, *bad]))
    with pytest.raises(InputError) as refusal:
        read_dirmap(path)
    first, *problems = str(refusal.value).splitlines()
    assert first == f"{path}: 4 problems"
    assert [problem.strip().partition(": ")[0] for problem in problems] == [f"- line {n}" for n in (2, 3, 4, 6)]


def test_long_list_of_problems_is_truncated(tmp_path: Path) -> None:
    path = tmp_path / "dirmap.csv"
    path.write_text("\n".join([_HEADER, *(f"train,a,0,../{n}.png" for n in range(1000))]))
    with pytest.raises(InputError) as refusal:
        read_dirmap(path)
    lines = str(refusal.value).splitlines()
    assert (lines[0], len(lines), lines[-1].strip()) == (f"{path}: 1000 problems", 22, "- … and 980 more")


def test_binary_file_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "dirmap.csv"
    path.write_bytes(b"\x89PNG\xff")
    with pytest.raises(InputError, match="not a UTF-8 text file"):
        read_dirmap(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_dirmap(tmp_path)
    with pytest.raises(InputError, match="no such file; make one with"):
        read_dirmap(tmp_path / "absent.csv")


@pytest.mark.parametrize("numbered", [[("a", 0), ("b", 2)], [("a", 0), ("b", 0)], [("a", 0), ("a", 1)], [("a", 1)]])
def test_class_numbers_are_unique_and_without_gaps(numbered: list[tuple[str, int]]) -> None:
    rows = [DirmapRow("train", name, number, f"{index}.png") for index, (name, number) in enumerate(numbered)]
    with pytest.raises(InputError, match="class_num"):
        class_names(rows)

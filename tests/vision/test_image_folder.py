"""A folder of photographs becomes a dirmap, or one clear sentence on why it cannot."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from lwise_core.dirmap import class_names
from lwise_core.errors import InputError
from lwise_core.vision.image_folder import index_image_folder
from tests.conftest import write_photographs


def test_splits_and_classes_come_from_the_folders(photographs: Path) -> None:
    rows = index_image_folder(photographs).rows
    assert Counter((row.split, row.class_name) for row in rows) == {
        **{("train", name): 30 for name in ("red", "green", "blue")},
        **{("val", name): 10 for name in ("red", "green", "blue")},
    }
    assert class_names(rows) == ["blue", "green", "red"]


def test_validation_split_is_drawn_by_seed_if_missing(tmp_path: Path) -> None:
    root = write_photographs(tmp_path / "all", per_class={"train": 20}) / "train"
    first, again, other = (index_image_folder(root, val_fraction=0.25, seed=seed).rows for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert Counter((row.split, row.class_num) for row in first) == {
        **{("train", number): 15 for number in range(3)},
        **{("val", number): 5 for number in range(3)},
    }


def test_reports_the_median_shorter_side(photographs: Path) -> None:
    assert index_image_folder(photographs).shorter_side == 32


def test_progress_counts_to_the_end(photographs: Path) -> None:
    seen: list[tuple[int, int]] = []
    index_image_folder(photographs, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 120) for done in range(1, 121)]


def test_rejects_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        index_image_folder(tmp_path / "nowhere")


def test_rejects_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no images found"):
        index_image_folder(tmp_path)


def test_rejects_single_class(photographs: Path) -> None:
    for split in ("train", "val"):
        for name in ("red", "green"):
            shutil.rmtree(photographs / split / name)
    with pytest.raises(InputError, match="only one class"):
        index_image_folder(photographs)


def test_rejects_class_without_images_in_a_split(photographs: Path) -> None:
    shutil.rmtree(photographs / "val" / "red")
    with pytest.raises(InputError, match="'red' has no images in val"):
        index_image_folder(photographs)


@pytest.mark.parametrize("name", ["a\nb", "what?", 'say "moth"', " moth", "50%"])
def test_rejects_class_folder_with_special_characters(photographs: Path, name: str) -> None:
    for split in ("train", "val"):
        (photographs / split / "red").rename(photographs / split / name)
    with pytest.raises(InputError, match="class folder"):
        index_image_folder(photographs)


def test_accepts_class_folders_with_spaces_and_letters_of_any_language(photographs: Path) -> None:
    for split in ("train", "val"):
        (photographs / split / "red").rename(photographs / split / "Große Motte é 蛾")
    assert "Große Motte é 蛾" in class_names(index_image_folder(photographs).rows)


def test_names_all_bad_images_at_once(photographs: Path) -> None:
    (photographs / "train" / "red" / "bad.jpg").write_bytes(b"\xff\xd8\xff broken")
    (photographs / "train" / "red" / "zero.png").touch()
    whole = (photographs / "val" / "blue" / "000.png").read_bytes()
    (photographs / "val" / "blue" / "cut.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"bad\.jpg.*zero\.png.*cut\.png.*repair or remove"):
        index_image_folder(photographs)


def test_ignores_hidden_files_and_folders(photographs: Path) -> None:
    (photographs / "train" / ".thumbnails").mkdir()
    (photographs / "train" / "red" / "._000.png").touch()
    assert len(index_image_folder(photographs).rows) == 120

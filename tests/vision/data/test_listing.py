"""Raw data sets become dirmaps: from folders, from a table, as a part of a larger data set."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from PIL import Image

from lwise_core.dirmap import class_names
from lwise_core.errors import InputError
from lwise_core.vision.data.description import load_dataset_description
from lwise_core.vision.data.listing import list_images
from lwise_core.vision.data.selection import Selection, select
from lwise_core.vision.image_folder import index_image_folder, with_validation

_HAM_COLUMNS = "lesion_id,image_id,dx,dx_type,age,sex,localization,dataset"
_MHIST_COLUMNS = "Image Name,Majority Vote Label,Number of Annotators who Selected SSA (Out of 7),Partition"


def _write_image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (12, 8), "pink").save(path)


def _folders(root: Path, names: Mapping[str, Sequence[str]]) -> Path:
    for split, labels in names.items():
        for label in labels:
            for number in range(2):
                _write_image(root / split / label / f"{label}_{number}.png")
    return root


@pytest.fixture
def ham(tmp_path: Path) -> Path:
    """Seven diagnoses of ten lesions each, every third lesion with three images, in two folders."""
    lines, number = [_HAM_COLUMNS], 0
    for dx in ("nv", "mel", "bkl", "bcc", "akiec", "vasc", "df"):
        for lesion in range(10):
            for _ in range(3 if lesion % 3 == 0 else 1):
                _write_image(tmp_path / f"HAM10000_images_part_{number % 2 + 1}" / f"ISIC_{number:07d}.jpg")
                lines.append(f"HAM_{dx}_{lesion},ISIC_{number:07d},{dx},histo,60.0,male,back,rosendahl")
                number += 1
    (tmp_path / "HAM10000_metadata").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def test_ham10000_is_listed_from_its_table_and_split_by_lesion(ham: Path) -> None:
    description = load_dataset_description("ham10000")
    rows = index_image_folder(ham, description=description, val_fraction=description.val_fraction).rows
    assert class_names(rows) == ["akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"]
    assert Counter(row.class_name for row in rows) == dict.fromkeys(class_names(rows), 18)
    assert rows[0].extra["localization"] == "back"
    splits_of = defaultdict(set)
    for row in rows:
        splits_of[row.extra["lesion_id"]].add(row.split)
    assert all(len(splits) == 1 for splits in splits_of.values())
    in_val = Counter(row.class_name for row in rows if row.split == "val")
    assert all(abs(in_val[name] - 0.3 * 18) <= 1 for name in class_names(rows))


def test_ham4_lists_four_classes_with_their_original_numbers(ham: Path) -> None:
    rows = list_images(ham, load_dataset_description("ham4"))
    assert class_names(rows) == ["bcc", "bkl", "mel", "nv"]
    assert {(row.class_name, row.extra["orig_class_num"]) for row in rows} == {
        ("bcc", "1"),
        ("bkl", "2"),
        ("mel", "4"),
        ("nv", "5"),
    }


def test_ham4_task_set_has_the_first_image_of_each_held_out_lesion(ham: Path) -> None:
    description = load_dataset_description("ham4")
    rows = with_validation(
        list_images(ham, description), description.val_fraction, group_column=description.group_column
    )
    task = [one.row for one in select(rows, Selection(per_class={"val": None}, first_of="lesion_id"))]
    held_out = [row for row in rows if row.split == "val"]
    assert len(task) < len(held_out)
    assert [row.extra["lesion_id"] for row in task] == list(dict.fromkeys(row.extra["lesion_id"] for row in held_out))
    first_of = {row.extra["lesion_id"]: row.im_path for row in reversed(held_out)}
    assert all(first_of[row.extra["lesion_id"]] == row.im_path for row in task)


def test_table_row_without_an_image_is_rejected(ham: Path) -> None:
    (ham / "HAM10000_images_part_1" / "ISIC_0000000.jpg").unlink()
    with pytest.raises(InputError, match=r"HAM10000_metadata: line 2: image_id is 'ISIC_0000000', .* no image below"):
        list_images(ham, load_dataset_description("ham10000"))


def test_ambiguous_image_name_is_rejected(ham: Path) -> None:
    _write_image(ham / "HAM10000_images_part_2" / "ISIC_0000000.jpg")
    with pytest.raises(InputError, match="the name of several images: HAM10000_images_part_1"):
        list_images(ham, load_dataset_description("ham10000"))


def test_unknown_label_is_rejected(ham: Path) -> None:
    table = ham / "HAM10000_metadata"
    table.write_text(table.read_text().replace(",df,", ",dff,"), encoding="utf-8")
    with pytest.raises(InputError, match="'dff' is not a class of ham10000, which are akiec, bcc"):
        list_images(ham, load_dataset_description("ham10000"))


def test_missing_table_is_rejected(ham: Path) -> None:
    (ham / "HAM10000_metadata").unlink()
    with pytest.raises(InputError, match=r"no file named HAM10000_metadata\*"):
        list_images(ham, load_dataset_description("ham10000"))


def test_mhist_votes_become_two_classes(tmp_path: Path) -> None:
    lines = [_MHIST_COLUMNS]
    for split in ("train", "test"):
        for votes in range(8):
            name = f"MHIST_{split}_{votes}.png"
            _write_image(tmp_path / "images" / name)
            lines.append(f"{name},{'SSA' if votes >= 4 else 'HP'},{votes},{split}")
    (tmp_path / "annotations.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows = list_images(tmp_path, load_dataset_description("mhist"))
    assert class_names(rows) == ["hp", "ssa"]
    assert all(row.extra["Majority Vote Label"].lower() == row.class_name for row in rows)
    assert Counter((row.split, row.class_name) for row in rows) == {
        (split, name): 4 for split in ("train", "test") for name in ("hp", "ssa")
    }


def test_imagenet_folders_become_named_classes(tmp_path: Path) -> None:
    root = _folders(tmp_path, {split: ["n02110185", "n01440764"] for split in ("train", "val")})
    rows = list_images(root, load_dataset_description("imagenet"))
    assert {(row.class_name, row.class_num, row.extra["orig_class_num"]) for row in rows} == {
        ("tench", 0, "0"),
        ("Siberian husky", 1, "250"),
    }


def test_imagenet_validation_images_get_their_classes_from_the_table(tmp_path: Path) -> None:
    _folders(tmp_path, {"train": ["n01440764", "n02110958"]})
    for number in range(1, 4):
        _write_image(tmp_path / "val" / f"ILSVRC2012_val_{number:08d}.JPEG")
    lines = [
        "ImageId,PredictionString",
        "ILSVRC2012_val_00000001,n02110958 85 1 499 272",
        "ILSVRC2012_val_00000003,n02110958 131 0 499 254 n02110958 10 10 20 20",
        "ILSVRC2012_val_00000002,n01440764 3 19 498 371",
    ]
    (tmp_path / "LOC_val_solution.csv").write_text("\n".join(lines) + "\n")
    rows = list_images(tmp_path, load_dataset_description("imagenet"))
    of_val = {row.im_path.rpartition("_")[2]: row.class_name for row in rows if row.split == "val"}
    assert of_val == {"00000001.JPEG": "pug", "00000002.JPEG": "tench", "00000003.JPEG": "pug"}
    (tmp_path / "LOC_val_solution.csv").write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(InputError, match=r"no row for 1 of 3 images, the first is val/ILSVRC2012_val_00000002.JPEG"):
        list_images(tmp_path, load_dataset_description("imagenet"))
    (tmp_path / "LOC_val_solution.csv").write_text("\n".join([*lines, "ILSVRC2012_val_00000002,n02110958"]) + "\n")
    with pytest.raises(InputError, match=r"line 5: ILSVRC2012_val_00000002 is n02110958 here and n01440764 above"):
        list_images(tmp_path, load_dataset_description("imagenet"))
    (tmp_path / "LOC_val_solution.csv").unlink()
    with pytest.raises(InputError, match=r"has no file named LOC_val_solution.csv"):
        list_images(tmp_path, load_dataset_description("imagenet"))


def test_loose_images_join_those_in_class_folders(tmp_path: Path) -> None:
    _folders(tmp_path, {"train": ["n01440764", "n02110958"], "val": ["n01440764", "n02110958"]})
    _write_image(tmp_path / "val" / "loose.JPEG")
    (tmp_path / "LOC_val_solution.csv").write_text("ImageId,PredictionString\nloose,n01440764 1 2 3 4\n")
    rows = list_images(tmp_path, load_dataset_description("imagenet"))
    assert Counter(row.class_name for row in rows if row.split == "val") == {"tench": 3, "pug": 2}


def test_sixteen_animals_are_listed_from_imagenet_folders(tmp_path: Path) -> None:
    husky, shih_tzu, tench, shark, ape = "n02110185", "n02086240", "n01440764", "n01484850", "n02481823"
    root = _folders(tmp_path, {"val": [husky, shih_tzu, tench, shark, ape]})
    rows = list_images(root, load_dataset_description("imagenet16"))
    assert Counter((row.class_name, row.class_num, row.extra["orig_class"]) for row in rows) == {
        ("dog", 0, "Siberian husky"): 2,
        ("dog", 0, "Shih-Tzu"): 2,
        ("fish", 1, "tench"): 2,
    }


def test_idaea4_is_listed_from_inaturalist(tmp_path: Path) -> None:
    moths = load_dataset_description("idaea4").class_names or ()
    root = _folders(tmp_path, {"train": [*moths, "00000_Animalia_Annelida"]})
    rows = list_images(root, load_dataset_description("idaea4"))
    assert class_names(rows) == list(moths)
    assert [row.extra["orig_class_num"] for row in rows[::2]] == ["1233", "1234", "1239", "1240"]


def test_folder_of_an_unknown_class_is_rejected(tmp_path: Path) -> None:
    root = _folders(tmp_path, {"train": ["cat", "dog", "fish"]})
    with pytest.raises(InputError, match="'fish' is not a class of cifar10, which are airplane"):
        list_images(root, load_dataset_description("cifar10"))


def test_null_label_skips_its_images(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "about: mine\nmean: [0.5, 0.5, 0.5]\nstd: [0.2, 0.2, 0.2]\n"
        "class_of: {cat: pet, dog: pet, cow: farm, elk: null}\n"
    )
    root = _folders(tmp_path, {"train": ["cat", "dog", "cow", "elk"]})
    rows = list_images(root, load_dataset_description(str(tmp_path / "mine.yaml")))
    assert Counter((row.class_name, row.class_num) for row in rows) == {("pet", 0): 4, ("farm", 1): 2}

"""`lwise dataset` from the command line: raw images become the requested data set."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml

from lwise_core.dirmap import read_dirmap
from lwise_core.vision.images import load_rgb
from tests.run_cli import lwise, succeed


def test_index_split_stats_and_build(tmp_path: Path, photographs: Path) -> None:
    (photographs / "train" / "red" / "000.png").write_bytes(b"damaged")
    refused = lwise("dataset", "index", photographs, folder=tmp_path)
    assert refused.returncode == 2
    assert "dataset index --skip-bad" in refused.stderr
    assert "119 images of 3 classes" in succeed("dataset", "index", photographs, "--skip-bad", folder=tmp_path)
    shares = ("--share", "train=0.5", "--share", "test=0.5")
    output = succeed("dataset", "split", "dirmap.csv", *shares, "--out", "halves.csv", folder=tmp_path)
    rows = read_dirmap(tmp_path / "halves.csv")
    counts = Counter(row.split for row in rows)
    assert output == f"halves.csv: 119 images, {counts['train']} train, {counts['test']} test\n"
    assert counts.keys() == {"train", "test"}

    printed = succeed("dataset", "stats", "halves.csv", "--images", photographs, "--size", 32, folder=tmp_path)
    training = [load_rgb(photographs / row.im_path, size=32) for row in rows if row.split == "train"]
    measured = yaml.safe_load(printed)
    pixels = np.stack(training) / 255
    assert measured["mean"] == pytest.approx(pixels.mean(axis=(0, 2, 3)), abs=6e-6)
    assert measured["std"] == pytest.approx(pixels.std(axis=(0, 2, 3)), abs=6e-6)

    wishes = ("--containing", "RE", "--take", "train=5", "--take", "test=3", "--size", 24, "--format", "webp")
    succeed("dataset", "build", "halves.csv", "--images", photographs, *wishes, "--out", "small", folder=tmp_path)
    built = read_dirmap(tmp_path / "small" / "dirmap.csv")
    assert Counter((row.split, row.class_name) for row in built) == {
        (split, name): n for split, n in (("train", 5), ("test", 3)) for name in ("green", "red")
    }
    assert {path.suffix for path in (tmp_path / "small").rglob("*") if path.parent.name == "red"} == {".webp"}


def test_build_from_a_folder_of_images(tmp_path: Path, photographs: Path) -> None:
    description = (
        "about: mine\nmean: [0.4, 0.4, 0.4]\nstd: [0.1, 0.1, 0.1]\nclass_of: {red: warm, blue: cold, green: cold}\n"
    )
    (tmp_path / "mine.yaml").write_text(description)
    succeed(
        "dataset", "build", photographs, "-d", "mine.yaml", "--take", "val", "--balance", "-o", "two", folder=tmp_path
    )
    built = read_dirmap(tmp_path / "two" / "dirmap.csv")
    assert Counter((row.class_name, row.class_num) for row in built) == {("warm", 0): 20, ("cold", 1): 20}
    assert sum("__copy" in row.im_path for row in built) == 10


def test_build_with_a_recipe_and_distribute(tmp_path: Path, photographs: Path) -> None:
    succeed("dataset", "index", photographs, folder=tmp_path)
    (tmp_path / "recipe.csv").write_text("split,class,n\ntrain,red,4\ntrain,blue,2\nval,blue,\n", encoding="utf-8")
    source = ("dataset", "build", "dirmap.csv", "--images", photographs)
    succeed(*source, "--recipe", "recipe.csv", "--out", "cooked", folder=tmp_path)
    built = read_dirmap(tmp_path / "cooked" / "dirmap.csv")
    wanted = {("train", "red"): 4, ("train", "blue"): 2, ("val", "blue"): 10}
    assert Counter((row.split, row.class_name) for row in built) == wanted

    wishes = ("--take", "train=20", "--take", "test=20", "--distribute")
    succeed(*source, *wishes, "--out", "shared", folder=tmp_path)
    built = read_dirmap(tmp_path / "shared" / "dirmap.csv")
    assert Counter((row.split, row.class_name) for row in built) == {
        (split, name): 20 for split in ("train", "test") for name in ("red", "green", "blue")
    }
    assert len({row.extra["orig_im_path"] for row in built}) == 120


def test_describe_lists_and_prints_descriptions(tmp_path: Path) -> None:
    listed = succeed("dataset", "describe", folder=tmp_path).splitlines()
    assert [line.split()[0] for line in listed] == [
        *("cifar10", "ham10000", "ham4", "idaea4", "imagenet", "imagenet16", "inat2021", "mhist")
    ]
    assert yaml.safe_load(succeed("dataset", "describe", "ham4", folder=tmp_path))["part_of"] == "ham10000"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("split", "dirmap.csv", "--share", "train", "--out", "new.csv"), "--share is 'train'; expected SPLIT=SHARE"),
        (("stats", "dirmap.csv", "--images", ".", "--split", "test"), "has no images in split 'test'"),
        (("build", "dirmap.csv", "--take", "train=many"), "--take is 'train=many'; expected SPLIT=N"),
        (("build", "dirmap.csv", "--format", "webp"), "need --size"),
        (
            ("build", "dirmap.csv", "--recipe", "r.csv", "--class", "a"),
            "--recipe replaces --class",
        ),
        (("build", "dirmap.csv", "--group", "animal"), "--group needs --distribute"),
        (("build", "dirmap.csv", "--distribute"), "such as --take train=100"),
        (("build", "dirmap.csv", "-d", "mhist"), "--description needs a folder of images"),
        (("build", ".", "--images", "."), "--images needs a dirmap"),
        (("index", ".", "-d", "mnist"), "'mnist' is not a known data set"),
    ],
)
def test_conflicting_options_are_rejected(tmp_path: Path, words: tuple[str, ...], complaint: str) -> None:
    (tmp_path / "dirmap.csv").write_text("split,class,class_num,im_path\ntrain,a,0,a.png\nval,b,1,b.png\n")
    refused = lwise("dataset", *words, folder=tmp_path)
    assert refused.returncode == 2
    assert complaint in " ".join(refused.stderr.split())

"""Variants and their dirmap are read as written, and invalid files are rejected by name."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from lwise_core.errors import InputError
from lwise_core.records.variants import open_image, read_images, read_variants, short_names

from .synthetic import write_variants


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_variants(tmp_path / "variants", epsilons=(4.0, 0.5, 16.0))


class TestImages:
    def test_scores_are_numbers(self, folder: Path) -> None:
        images = read_images(folder / "dirmap.csv")
        assert images["class"].tolist() == ["ajax"] * 4 + ["eris"] * 4
        assert images["difficulty"].tolist()[::7] == [0, 1]
        assert images["robust_gt_logit"].tolist()[::7] == [4, 1]

    def test_images_without_scores_have_none(self, tmp_path: Path) -> None:
        images = read_images(write_variants(tmp_path, scored=False) / "dirmap.csv")
        assert images[["robust_gt_logit", "difficulty"]].isna().all(axis=None)

    @pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "train/../../x.png", "..\\x.png", ""])
    def test_path_out_of_the_folder_is_refused(self, folder: Path, path: str) -> None:
        dirmap = folder / "dirmap.csv"
        images = pd.read_csv(dirmap)
        images.loc[1, "im_path"] = path
        images.to_csv(dirmap, index=False)
        with pytest.raises(InputError, match=r"dirmap\.csv: line 3: im_path"):
            read_images(dirmap)

    def test_non_numeric_score_is_rejected(self, folder: Path) -> None:
        dirmap = folder / "dirmap.csv"
        images = pd.read_csv(dirmap, dtype="object")
        images.loc[1, "difficulty"] = "hard"
        images.to_csv(dirmap, index=False)
        with pytest.raises(InputError, match=r"dirmap\.csv: line 3: difficulty is 'hard'"):
            read_images(dirmap)


class TestVariants:
    def test_variants_are_sorted_by_epsilon_without_the_natural_one(self, folder: Path) -> None:
        assert [(found.name, found.epsilon) for found in read_variants(folder)] == [
            ("eps0.5", 0.5),
            ("eps4", 4.0),
            ("eps16", 16.0),
        ]

    def test_hidden_folders_are_no_variants(self, folder: Path) -> None:
        (folder / ".cache").mkdir()
        assert len(read_variants(folder)) == 3

    def test_measurements_and_provenance(self, folder: Path) -> None:
        variant = read_variants(folder)[1]
        assert variant.provenance["objective"] == "logit"
        assert variant.measured["l2"].tolist() == pytest.approx([3.96] * 8)
        assert variant.logit_gain.iloc[[0, -1]].tolist() == pytest.approx([2.0, 6.0])

    def test_image_that_was_not_measured_has_no_gain(self, folder: Path) -> None:
        table = folder / "eps4" / "enhanced.csv"
        table.write_text("im_path,logit_natural,logit_enhanced,l2\na.png,1,3,4\nb.png,,,\n", encoding="utf-8")
        assert read_variants(folder)[1].logit_gain.tolist() == [2.0]

    def test_folder_with_nothing_but_images_is_a_variant_of_unknown_budget(self, folder: Path) -> None:
        for name in ("provenance.json", "enhanced.csv"):
            (folder / "eps0.5" / name).unlink()
        last = read_variants(folder)[-1]
        assert last.name == "eps0.5"
        assert math.isnan(last.epsilon)
        assert len(last.logit_gain) == 0

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("provenance.json", "{", r"provenance\.json: not JSON"),
            ("provenance.json", "[4]", r"provenance\.json: expected a JSON object, found list"),
            (
                "enhanced.csv",
                "im_path,l2\na.png,1\n",
                r"enhanced\.csv: column logit_natural, logit_enhanced is missing",
            ),
            (
                "enhanced.csv",
                "im_path,logit_natural,logit_enhanced,l2\na.png,1,2,3\nb.png,1,2,far\n",
                r"enhanced\.csv: column l2, row 3: found 'far', expected a number",
            ),
        ],
    )
    def test_unreadable_file_is_named(self, folder: Path, name: str, content: str, message: str) -> None:
        (folder / "eps4" / name).write_text(content, encoding="utf-8")
        with pytest.raises(InputError, match=message) as error:
            read_variants(folder)
        assert str(folder / "eps4") in str(error.value)

    @pytest.mark.parametrize("root", ["eps4", "nowhere"])
    def test_folder_without_natural_images_is_rejected(self, folder: Path, root: str) -> None:
        with pytest.raises(InputError, match=rf"{root}: has no folder 'natural'"):
            read_variants(folder / root)

    def test_named_by_budget_unless_two_share_it(self, folder: Path) -> None:
        provenance = (folder / "eps4" / "provenance.json").read_text(encoding="utf-8")
        (folder / "eps16" / "provenance.json").write_text(provenance, encoding="utf-8")
        assert short_names(read_variants(folder)) == ["ε = 0.5", "eps16", "eps4"]


class TestOpenImage:
    def test_always_rgb(self, tmp_path: Path) -> None:
        Image.new("LA", (4, 2)).save(tmp_path / "grey.png")
        image = open_image(tmp_path / "grey.png")
        assert (image.mode, image.size) == ("RGB", (4, 2))

    def test_missing_broken_and_cut_off_files_are_named(self, folder: Path) -> None:
        whole = folder / "natural" / "train" / "ajax" / "000.png"
        (folder / "broken.png").write_bytes(b"no picture")
        (folder / "cut.png").write_bytes(whole.read_bytes()[:-200])
        for name, message in (("absent", "no such image"), ("broken", "cannot be read"), ("cut", "cannot be read")):
            with pytest.raises(InputError, match=rf"{name}\.png: {message}"):
                open_image(folder / f"{name}.png")

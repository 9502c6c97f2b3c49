"""Scores equal their formulas, damaged images can be skipped, and interrupted runs resume."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from lwise_core.dirmap import DirmapRow, read_dirmap, write_dirmap
from lwise_core.errors import InputError
from lwise_core.vision.accuracy import confusion, write_report
from lwise_core.vision.checkpoints.native import save_model
from lwise_core.vision.datasets import DirmapDataset
from lwise_core.vision.engine import Engine
from lwise_core.vision.guide import IMAGENET, GuideDescription, GuideModel, new_guide
from lwise_core.vision.image_folder import index_image_folder
from lwise_core.vision.per_image import Measure, Measurements, measure_images, measurement_folder
from lwise_core.vision.pixels import as_float
from lwise_core.vision.resumable import BatchResult, Finished, ResumableFolder
from lwise_core.vision.score import Score, scores, scoring, with_columns, with_difficulty
from lwise_core.vision.shard import Shard
from lwise_core.vision.superclasses import read_superclasses
from lwise_core.vision.targets import targets_for
from tests.conftest import write_photographs
from tests.run_cli import lwise, succeed

_CLASSES = ("blue", "green", "red", "violet")
"""One more than the data set has."""
_ENGINE = Engine(torch.device("cpu"), at_once=8)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    return write_photographs(tmp_path / "photographs", per_class={"train": 6, "val": 4})


@pytest.fixture
def rows(photographs: Path) -> list[DirmapRow]:
    return index_image_folder(photographs).rows


@pytest.fixture(scope="module")
def model() -> GuideModel:
    """Untrained: every network has logits."""
    description = GuideDescription("small_resnet", _CLASSES, size=32, settings={"width": 8})
    return new_guide(description, IMAGENET, seed=1).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def model_file(model: GuideModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "guide.safetensors"
    save_model(path, model, training={}, metrics={})
    return path


def _scored(
    model: GuideModel, rows: list[DirmapRow], photographs: Path, *, present_only: bool = False, skip_bad: bool = False
) -> tuple[dict[int, Score], Measurements]:
    targets = targets_for(model.description, rows, present_only=present_only)
    measurements = measure_images(
        scoring(model, targets, _ENGINE), rows, images_root=photographs, engine=_ENGINE, skip_bad=skip_bad
    )
    return scores(measurements.values, rows, targets=targets, model_classes=model.description.classes), measurements


@pytest.mark.parametrize("present_only", [False, True])
def test_scores_equal_their_formulas(
    model: GuideModel, rows: list[DirmapRow], photographs: Path, present_only: bool
) -> None:
    scored, _ = _scored(model, rows, photographs, present_only=present_only)
    images, labels = DirmapDataset(photographs, rows, size=32).load()
    logits = model(as_float(images)).double()
    if present_only:
        logits = logits[:, :3]
    assert sorted(scored) == list(range(len(rows)))
    for index, score in scored.items():
        of_one, label = logits[index].tolist(), int(labels[index])
        total = sum(math.exp(value) for value in of_one)
        probabilities = [math.exp(value) / total for value in of_one]
        assert score.gt_logit == pytest.approx(of_one[label], abs=1e-5)
        assert score.cross_entropy == pytest.approx(-math.log(probabilities[label]), abs=1e-5)
        assert score.entropy == pytest.approx(-sum(p * math.log(p) for p in probabilities), abs=1e-5)
        assert score.prediction == _CLASSES[of_one.index(max(of_one))]
        assert score.is_correct == (score.prediction == rows[index].class_name)


def test_difficulty_is_one_minus_minmax_over_all_rows_with_a_logit(rows: list[DirmapRow]) -> None:
    logits = [2.0, None, 6.0, 3.0]
    after = with_difficulty([replace(row, robust_gt_logit=value) for row, value in zip(rows, logits, strict=False)])
    assert [row.difficulty for row in after] == [1.0, None, 0.0, 0.75]


def test_scoring_a_split_leaves_other_rows_unchanged(rows: list[DirmapRow]) -> None:
    before = [replace(row, robust_gt_logit=1.0, extra={"site": "Zug"}) for row in rows]
    score = Score(gt_logit=3.0, entropy=0.5, cross_entropy=0.25, prediction="red", is_correct=False)
    after = with_columns(before, {1: score})
    assert after[0] == replace(before[0], difficulty=1.0)
    assert (after[1].robust_gt_logit, after[1].difficulty) == (3.0, 0.0)
    assert after[1].extra == {
        "site": "Zug",
        "robust_entropy": "0.500000",
        "robust_cross_entropy": "0.250000",
        "robust_prediction": "red",
        "robust_correct": "0",
    }


def test_scores_of_another_model_get_their_own_columns(rows: list[DirmapRow]) -> None:
    before = [replace(row, robust_gt_logit=1.0, difficulty=0.5) for row in rows]
    score = Score(gt_logit=3.0, entropy=0.5, cross_entropy=0.25, prediction="red", is_correct=True)
    after = with_columns(before, {0: score}, column="vanilla_gt_logit")
    assert (after[0].robust_gt_logit, after[0].difficulty) == (1.0, 0.5)
    assert after[0].extra["vanilla_gt_logit"] == "3.000000"
    assert after[0].extra["vanilla_correct"] == "1"
    with pytest.raises(InputError, match=r"--column is 'vanilla'; expected a name that ends in _gt_logit"):
        with_columns(before, {0: score}, column="vanilla")


def test_damaged_image_stops_with_its_file_and_row_or_is_skipped(
    model: GuideModel, rows: list[DirmapRow], photographs: Path
) -> None:
    undisturbed, _ = _scored(model, rows, photographs)
    (photographs / rows[10].im_path).write_bytes(b"\x89PNG\r\n\x1a\n then nothing")
    with pytest.raises(InputError, match=rf"{rows[10].im_path}: .* \(row 11 of the dirmap\); fix it or use --skip-bad"):
        _scored(model, rows, photographs)
    scored, measurements = _scored(model, rows, photographs, skip_bad=True)
    assert list(measurements.unreadable) == [10]
    assert sorted(scored) == [index for index in range(len(rows)) if index != 10]
    for index, score in scored.items():
        assert score.gt_logit == pytest.approx(undisturbed[index].gt_logit, abs=1e-5)


def test_unreadable_image_loses_its_old_scores(rows: list[DirmapRow]) -> None:
    before = [replace(row, robust_gt_logit=1.0, difficulty=0.5) for row in rows]
    after = with_columns(before, {}, unreadable=[2])
    assert (after[2].robust_gt_logit, after[2].difficulty, after[2].extra["robust_prediction"]) == (None, None, "")


def _folder(
    table: Path, measure: Measure, rows: list[DirmapRow], images_root: Path, *, model: str = "1"
) -> ResumableFolder:
    settings = {"model_sha256": model}
    return measurement_folder(
        table, "robust_gt_logit", measure, rows, images_root=images_root, engine=_ENGINE, settings=settings
    )


def test_interrupted_run_resumes(model: GuideModel, rows: list[DirmapRow], photographs: Path, tmp_path: Path) -> None:
    targets = targets_for(model.description, rows)
    measure = scoring(model, targets, _ENGINE)
    (photographs / rows[20].im_path).rename(photographs / "elsewhere.png")
    table = tmp_path / "dirmap.csv"

    def open_folder() -> ResumableFolder:
        return _folder(table, measure, rows, photographs, model="1")

    def measured() -> Measurements:
        return measure_images(measure, rows, images_root=photographs, engine=_ENGINE, folder=open_folder())

    with pytest.raises(InputError, match="23 images are finished; the next run resumes from there"):
        measured()
    (photographs / "elsewhere.png").rename(photographs / rows[20].im_path)
    for row in rows[:16]:  # the first two batches, which need not be read again
        (photographs / row.im_path).unlink()
    assert sorted(measured().values) == list(range(len(rows)))
    with pytest.raises(InputError, match="model_sha256 was '1', now '2'"):
        _folder(table, measure, rows, photographs, model="2")
    with pytest.raises(InputError, match=r"images was .*photographs', now .*elsewhere'"):
        _folder(table, measure, rows, tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("images", "split", "message"),
    [
        ("elsewhere", None, r"elsewhere/train/blue/000.png: no such image \(row 1 of the dirmap\) and 7 more; fix"),
        ("photographs", "test", "no images in split test; it has train, val"),
    ],
)
def test_run_without_results_leaves_no_folder(
    images: str, split: str | None, message: str, model: GuideModel, rows: list[DirmapRow], tmp_path: Path
) -> None:
    measure = scoring(model, targets_for(model.description, rows), _ENGINE)
    folder = _folder(tmp_path / "dirmap.csv", measure, rows, tmp_path / images)
    with pytest.raises(InputError, match=message):
        measure_images(measure, rows, images_root=tmp_path / images, engine=_ENGINE, split=split, folder=folder)
    assert not list(tmp_path.glob("dirmap.csv*"))


def test_confusion_matrix_counts_predictions_by_class(rows: list[DirmapRow], tmp_path: Path) -> None:
    by_class = {name: [index for index, row in enumerate(rows) if row.class_name == name] for name in _CLASSES}
    pairs = [("blue", "blue"), ("blue", "red"), ("green", "green"), ("red", "red"), ("red", "violet")]
    scored = {
        by_class[true].pop(): Score(0, 0, 0, prediction=predicted, is_correct=true == predicted)
        for true, predicted in pairs
    }
    matrix = confusion(rows, scored)
    assert matrix.predictions == ("blue", "green", "red", "(other)")
    assert matrix.counts == ((1, 0, 1, 0), (0, 1, 0, 0), (0, 0, 1, 1))
    assert matrix.accuracy == pytest.approx(3 / 5)
    write_report(tmp_path / "report", matrix)
    assert (tmp_path / "report" / "accuracy.csv").read_text() == (
        "class,images,correct,accuracy\nblue,2,1,0.500000\ngreen,1,1,1.000000\nred,2,1,0.500000\n,5,3,0.600000\n"
    )
    with (tmp_path / "report" / "confusion.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["class", "blue", "green", "red", "(other)"],
            ["blue", "1", "0", "1", "0"],
            ["green", "0", "1", "0", "0"],
            ["red", "0", "0", "1", "1"],
        ]
    with Image.open(tmp_path / "report" / "confusion.png") as image:
        assert min(image.size) > 300


def test_superclass_has_the_largest_logit_of_its_members(
    model: GuideModel, rows: list[DirmapRow], photographs: Path, tmp_path: Path
) -> None:
    (tmp_path / "kinds.yaml").write_text("red: [2, 3]\nblue: [0]\ngreen: [1]\n")
    targets = targets_for(model.description, rows, superclasses=read_superclasses(str(tmp_path / "kinds.yaml")))
    measurements = measure_images(scoring(model, targets, _ENGINE), rows, images_root=photographs, engine=_ENGINE)
    images, _ = DirmapDataset(photographs, rows, size=32).load()
    logits = model(as_float(images))
    reds = [index for index, row in enumerate(rows) if row.class_name == "red"]
    expected = logits[reds][:, 2:].amax(dim=1).tolist()
    assert [measurements.values[index]["gt_logit"] for index in reds] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("by", ["numbers", "superclasses"])
def test_rejects_classes_that_share_a_logit(by: str, model: GuideModel, rows: list[DirmapRow]) -> None:
    same_logit = [replace(row, extra={"logit": str(min(row.class_num, 1))}) for row in rows]
    shared = {"red": [2], "blue": [0, 1], "green": [1]}
    with pytest.raises(InputError, match=r"the classes (blue|green) and (green|red) share the model's logit 1"):
        targets_for(
            model.description,
            same_logit,
            class_num_col="logit" if by == "numbers" else None,
            superclasses=None if by == "numbers" else shared,
        )


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([2, 3, 2], "superclasses: class red has the model's logit 2 twice; expected it once"),
        ([2, 4], "superclass red names the logit 4; the model has 0 to 3"),
        ([-1], "superclass red names the logit -1; the model has 0 to 3"),
    ],
)
def test_rejects_bad_members_of_a_superclass(
    members: list[int], message: str, model: GuideModel, rows: list[DirmapRow]
) -> None:
    with pytest.raises(InputError, match=message):
        targets_for(model.description, rows, superclasses={"red": members, "blue": [0], "green": [1]})


def test_failing_shard_leaves_the_results_of_others(
    model: GuideModel, rows: list[DirmapRow], photographs: Path, tmp_path: Path
) -> None:
    """Shard 0 stops at its first image while shard 1 has an open, empty journal."""
    measure = scoring(model, targets_for(model.description, rows), _ENGINE)
    folder = _folder(tmp_path / "dirmap.csv", measure, rows, photographs)
    with folder.journal(1) as journal:
        with pytest.raises(InputError, match="no such image"):
            measure_images(
                measure, rows, images_root=tmp_path / "nowhere", engine=_ENGINE, folder=folder, shard=Shard(0, 2)
            )
        journal.write(BatchResult([Finished(8, dict.fromkeys(measure.names, 1.0))], {}))
    assert list(folder.finished({})) == [8]


def test_shards_give_the_same_scores_as_one_run(
    rows: list[DirmapRow], photographs: Path, model_file: Path, tmp_path: Path
) -> None:
    write_dirmap(tmp_path / "dirmap.csv", rows)
    common = ("score", "dirmap.csv", "--images", photographs, "--model", model_file, "--out")
    succeed(*common, "whole.csv", folder=tmp_path)
    for shard in ("1/2", "0/2"):
        succeed(*common, "parts.csv", "--shard", shard, folder=tmp_path)
        assert not (tmp_path / "parts.csv").exists()
    for row in rows:
        (photographs / row.im_path).unlink()
    assert f"{len(rows)} images scored" in succeed(*common, "parts.csv", folder=tmp_path)
    assert (tmp_path / "parts.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not list(tmp_path.glob("*.unfinished"))


def test_reads_superclasses_of_a_known_data_set(tmp_path: Path) -> None:
    known = read_superclasses("imagenet16")
    members = [number for numbers in known.values() for number in numbers]
    assert len(known) == 16
    assert len(set(members)) == len(members)
    assert max(members) < 1000
    with pytest.raises(InputError, match="--superclasses is 'cifar10', which has none"):
        read_superclasses("cifar10")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- red\n", "holds list"),
        ("red: 2\n", "'red' is 2"),
        ("red: [two]\n", "'red' has 'two'"),
        ("red: [true]\n", "'red' has True"),
        ("red: [2\n", "not a YAML file"),
        ("red: [2]\nblue: [0]\nred: [3]\n", "duplicate key 'red', the second one in line 3"),
    ],
)
def test_rejects_bad_superclasses(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "kinds.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=f"{message}.*expected a mapping of class names"):
        read_superclasses(str(path))


def test_command_adds_columns_and_writes_a_report(
    rows: list[DirmapRow], photographs: Path, model_file: Path, tmp_path: Path
) -> None:
    write_dirmap(tmp_path / "dirmap.csv", rows)
    common = ("--images", photographs, "--model", model_file)
    printed = succeed("score", "dirmap.csv", *common, "--split", "val", "--report", "report", folder=tmp_path)
    assert "12 images scored" in printed
    assert "accuracy " in printed
    of_val = read_dirmap(tmp_path / "dirmap.csv")
    assert {row.split for row in of_val if row.robust_gt_logit is not None} == {"val"}
    assert {path.name for path in (tmp_path / "report").iterdir()} == {"accuracy.csv", "confusion.csv", "confusion.png"}
    succeed("score", "dirmap.csv", *common, "--column", "vanilla_gt_logit", "--present-only", folder=tmp_path)
    both = read_dirmap(tmp_path / "dirmap.csv")
    assert [row.robust_gt_logit for row in both] == [row.robust_gt_logit for row in of_val]
    for row in both:
        if row.robust_gt_logit is not None:
            # Other columns change the probabilities, not the true class's logit.
            assert float(row.extra["vanilla_gt_logit"]) == pytest.approx(row.robust_gt_logit, abs=2e-6)
    assert not list(tmp_path.glob("*.unfinished"))


def test_damaged_image_leaves_the_dirmap_unchanged(
    rows: list[DirmapRow], photographs: Path, model_file: Path, tmp_path: Path
) -> None:
    write_dirmap(tmp_path / "dirmap.csv", rows)
    before = (tmp_path / "dirmap.csv").read_bytes()
    (photographs / rows[3].im_path).write_bytes(b"")
    common = ("score", "dirmap.csv", "--images", photographs, "--model", model_file)
    stopped = lwise(*common, folder=tmp_path)
    assert stopped.returncode == 2
    assert f"{rows[3].im_path}: empty file (0 bytes) (row 4 of the dirmap)" in stopped.stderr
    assert (tmp_path / "dirmap.csv").read_bytes() == before
    skipping = lwise(*common, "--skip-bad", folder=tmp_path)
    assert skipping.returncode == 0
    assert "skipped: " in skipping.stderr
    after = read_dirmap(tmp_path / "dirmap.csv")
    assert [index for index, row in enumerate(after) if row.robust_gt_logit is None] == [3]

"""Variants: what is on disk is within the budget, raises the logit, and is all there or not there."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch

from lwise_core import __version__
from lwise_core.dirmap import DirmapRow, read_dirmap
from lwise_core.errors import InputError
from lwise_core.vision.checkpoints.own import file_sha256, load_model, save_model
from lwise_core.vision.datasets import DirmapDataset
from lwise_core.vision.enhance import write_variants
from lwise_core.vision.guide import GuideDescription
from lwise_core.vision.image_folder import index_image_folder
from lwise_core.vision.perturb import Budget, rounding_bound
from lwise_core.vision.pixels import as_float
from lwise_core.vision.score import true_logits, with_scores
from lwise_core.vision.train import TrainingConfig, train

_BUDGETS = [Budget.along_radius(epsilon, step=0.25) for epsilon in (1.0, 0.5)]


@pytest.fixture
def rows(photographs: Path) -> list[DirmapRow]:
    return index_image_folder(photographs).rows


@pytest.fixture
def model_file(photographs: Path, rows: list[DirmapRow], tmp_path: Path) -> Path:
    pictures = DirmapDataset(photographs, rows, size=32).load()
    description = GuideDescription("small_resnet", ("blue", "green", "red"), size=32, settings={"width": 8})
    model = train(*pictures, description=description, config=TrainingConfig(epochs=4, batch_size=30))
    path = tmp_path / "guide.safetensors"
    save_model(path, model, training={}, metrics={})
    return path


def _write(out: Path, photographs: Path, rows: list[DirmapRow], model_file: Path, **options: object) -> None:
    settings = {"budgets": _BUDGETS, "objective": "logit_diverge", "seed": 7, **options}
    write_variants(out, images_root=photographs, rows=rows, model_file=model_file, **settings)  # type: ignore[arg-type]


def test_saved_pictures_keep_the_budget_and_raise_the_logit(
    tmp_path: Path, photographs: Path, rows: list[DirmapRow], model_file: Path
) -> None:
    out = tmp_path / "variants"
    _write(out, photographs, rows, model_file)
    model = load_model(model_file)
    of_variants = read_dirmap(out / "dirmap.csv")
    natural, labels = DirmapDataset(out / "natural", of_variants, size=32).load()
    before = true_logits(model, natural, labels)
    for budget, name in zip(_BUDGETS, ("eps1", "eps0.5"), strict=True):
        enhanced, _ = DirmapDataset(out / name, of_variants, size=32).load()
        distances = (as_float(enhanced) - as_float(natural)).flatten(1).norm(dim=1)
        # ||round(e) - n|| <= ||e - n|| + ||round(e) - e|| <= ε + 0.5/255 sqrt(3 * 32 * 32)
        assert (distances <= budget.epsilon + rounding_bound(32)).all()
        after = true_logits(model, enhanced, labels)
        assert (after > before).float().mean() >= 0.99
        with (out / name / "enhanced.csv").open(newline="") as file:
            recorded = list(csv.DictReader(file))
        assert [line["im_path"] for line in recorded] == [row.im_path for row in of_variants]
        assert [float(line["l2"]) for line in recorded] == pytest.approx(distances.tolist(), abs=1e-5)
        assert [float(line["logit_enhanced"]) for line in recorded] == pytest.approx(after.tolist(), abs=1e-4)
        assert [float(line["logit_natural"]) for line in recorded] == pytest.approx(before.tolist(), abs=1e-4)


def test_the_natural_variant_is_what_the_model_saw(
    tmp_path: Path, photographs: Path, rows: list[DirmapRow], model_file: Path
) -> None:
    out = tmp_path / "variants"
    _write(out, photographs, rows, model_file)
    seen, _ = DirmapDataset(photographs, rows, size=32).load()
    stored, _ = DirmapDataset(out / "natural", read_dirmap(out / "dirmap.csv"), size=32).load()
    assert torch.equal(stored, seen)


def test_provenance_says_how_a_variant_was_made(
    tmp_path: Path, photographs: Path, rows: list[DirmapRow], model_file: Path
) -> None:
    out = tmp_path / "variants"
    _write(out, photographs, rows, model_file)
    assert json.loads((out / "eps0.5" / "provenance.json").read_text()) == {
        "epsilon": 0.5,
        "step": 0.25,
        "steps": 2,
        "objective": "logit_diverge",
        "model_sha256": file_sha256(model_file),
        "size": 32,
        "package_version": __version__,
        "seed": 7,
    }


def test_the_same_input_gives_the_same_bytes(
    tmp_path: Path, photographs: Path, rows: list[DirmapRow], model_file: Path
) -> None:
    for name in ("first", "again"):
        _write(tmp_path / name, photographs, rows, model_file)
    files = sorted(path.relative_to(tmp_path / "first") for path in (tmp_path / "first").rglob("*") if path.is_file())
    assert len(files) == 3 * 120 + 2 * 2 + 1
    assert all((tmp_path / "first" / file).read_bytes() == (tmp_path / "again" / file).read_bytes() for file in files)


def test_an_interrupt_leaves_no_variant(
    tmp_path: Path, photographs: Path, rows: list[DirmapRow], model_file: Path
) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    before = sorted(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        _write(tmp_path / "variants", photographs, rows, model_file, on_progress=interrupt)
    assert sorted(tmp_path.iterdir()) == before


def test_variants_that_are_there_are_left_alone(
    tmp_path: Path, photographs: Path, rows: list[DirmapRow], model_file: Path
) -> None:
    (tmp_path / "variants").mkdir()
    (tmp_path / "variants" / "precious.txt").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        _write(tmp_path / "variants", photographs, rows, model_file)
    assert [path.name for path in (tmp_path / "variants").iterdir()] == ["precious.txt"]


def test_two_sources_may_not_become_one_picture(
    tmp_path: Path, photographs: Path, rows: list[DirmapRow], model_file: Path
) -> None:
    twin = DirmapRow("train", rows[0].class_name, rows[0].class_num, rows[0].im_path.replace(".png", ".jpg"))
    with pytest.raises(InputError, match="would both be stored as"):
        _write(tmp_path / "variants", photographs, [*rows, twin], model_file)


def test_a_model_of_other_classes_is_refused(tmp_path: Path, photographs: Path, model_file: Path) -> None:
    (photographs / "train" / "red").rename(photographs / "train" / "rouge")
    (photographs / "val" / "red").rename(photographs / "val" / "rouge")
    other = index_image_folder(photographs).rows
    with pytest.raises(InputError, match="knows the classes blue, green, red"):
        _write(tmp_path / "variants", photographs, other, model_file)


def test_difficulty_runs_from_the_highest_logit_to_the_lowest(rows: list[DirmapRow]) -> None:
    scored = with_scores(rows[:3], [2.0, -2.0, 1.0])
    assert [row.difficulty for row in scored] == [0.0, 1.0, 0.25]


def test_equal_logits_are_equally_easy(rows: list[DirmapRow]) -> None:
    assert [row.difficulty for row in with_scores(rows[:2], [1.5, 1.5])] == [0.0, 0.0]

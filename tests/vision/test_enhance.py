"""Variants on disk are within the budget, raise the logit, and are complete or absent."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lwise_core import __version__
from lwise_core.dirmap import DirmapRow, read_dirmap, write_dirmap
from lwise_core.errors import InputError
from lwise_core.vision.budget import Budget
from lwise_core.vision.checkpoints.native import file_sha256, load_model, save_model
from lwise_core.vision.datasets import DirmapDataset
from lwise_core.vision.encoding import encoding
from lwise_core.vision.engine import Engine, in_parts
from lwise_core.vision.enhance import complete_variants, mean_kept, write_variants
from lwise_core.vision.enhancement_config import EnhancementConfig
from lwise_core.vision.guide import IMAGENET, GuideDescription, GuideModel, new_guide
from lwise_core.vision.image_folder import index_image_folder
from lwise_core.vision.objectives import logit, logit_diverge
from lwise_core.vision.perturb import ascend
from lwise_core.vision.pixels import as_float
from lwise_core.vision.shard import Shard
from tests.conftest import write_photographs
from tests.run_cli import COMMAND, lwise, succeed
from tests.vision.rounding import rounding_bound

_CLASSES = ("blue", "green", "red")
_CONFIG = EnhancementConfig(epsilon=(1.0, 0.5), step=0.25, objective="logit_diverge", name="eps{eps}", seed=7)
_BUDGETS = _CONFIG.budgets(dataset="")
_ENGINE = Engine(torch.device("cpu"), at_once=16)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes, 30 training and 10 validation images each, 32 x 32 pixels."""
    return write_photographs(tmp_path_factory.mktemp("enhance") / "photographs", per_class={"train": 30, "val": 10})


@pytest.fixture(scope="module")
def rows(photographs: Path) -> list[DirmapRow]:
    return index_image_folder(photographs).rows


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained: every network has logits to raise."""
    path = tmp_path_factory.mktemp("model") / "guide.safetensors"
    description = GuideDescription("small_resnet", _CLASSES, size=32, settings={"width": 8})
    save_model(path, new_guide(description, IMAGENET, seed=1), training={}, metrics={})
    return path


@pytest.fixture(scope="module")
def variants(
    tmp_path_factory: pytest.TempPathFactory, photographs: Path, rows: list[DirmapRow], model_file: Path
) -> Path:
    out = tmp_path_factory.mktemp("whole") / "variants"
    _write(out, photographs, rows, model_file)
    return out


_ARGUMENTS = {"shard", "resume_from", "images_name", "on_progress"}
"""Arguments of `write_variants` that are not settings."""


def _write(out: Path, photographs: Path, rows: list[DirmapRow], model_file: Path, **options: object) -> list[str]:
    arguments = {name: options.pop(name) for name in _ARGUMENTS & options.keys()}
    config = _CONFIG.model_copy(update=options)
    return write_variants(
        out, images_root=photographs, rows=rows, model_file=model_file, config=config, engine=_ENGINE, **arguments
    )  # type: ignore[arg-type]


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _recorded(variant: Path) -> list[dict[str, str]]:
    with (variant / "enhanced.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_stored_images_keep_the_budget_and_raise_the_logit(variants: Path, model_file: Path) -> None:
    model = load_model(model_file)
    of_variants = read_dirmap(variants / "dirmap.csv")
    natural, labels = DirmapDataset(variants / "natural", of_variants, size=32).load()
    before = logit(model(as_float(natural)), labels)
    for name, budget in _BUDGETS.items():
        enhanced, _ = DirmapDataset(variants / name, of_variants, size=32).load()
        distances = (as_float(enhanced) - as_float(natural)).flatten(1).norm(dim=1)
        # ||round(e) - n|| <= ||e - n|| + ||round(e) - e|| <= ε + 0.5/255 sqrt(3 * 32 * 32)
        assert (distances <= budget.epsilon + rounding_bound(32)).all()
        after = logit(model(as_float(enhanced)), labels)
        assert (after > before).float().mean() >= 0.99
        recorded = _recorded(variants / name)
        assert [line["im_path"] for line in recorded] == [row.im_path for row in of_variants]
        assert [float(line["l2"]) for line in recorded] == pytest.approx(distances.tolist(), abs=1e-5)
        assert [float(line["logit_enhanced"]) for line in recorded] == pytest.approx(after.tolist(), abs=1e-4)
        assert [float(line["logit_natural"]) for line in recorded] == pytest.approx(before.tolist(), abs=1e-4)


def test_stored_images_are_the_ascents_rounded_to_nearest(
    variants: Path, photographs: Path, rows: list[DirmapRow], model_file: Path
) -> None:
    ready = _ENGINE.prepared(load_model(model_file))
    images, labels = DirmapDataset(photographs, rows[:16], size=32).load()
    natural = _ENGINE.placed(images)
    for name, budget in _BUDGETS.items():
        result = ascend(ready, natural, labels, objective=logit_diverge, budget=budget, best=True)
        stored, _ = DirmapDataset(variants / name, read_dirmap(variants / "dirmap.csv")[:16], size=32).load()
        assert (stored.float() - result * 255).abs().max() <= 0.51  # 0.5, and a last digit of another batch size


def test_natural_variant_is_what_the_model_saw(variants: Path, photographs: Path, rows: list[DirmapRow]) -> None:
    seen, _ = DirmapDataset(photographs, rows, size=32).load()
    stored, _ = DirmapDataset(variants / "natural", read_dirmap(variants / "dirmap.csv"), size=32).load()
    assert torch.equal(stored, seen)


def test_provenance_records_all_settings(variants: Path, model_file: Path) -> None:
    assert json.loads((variants / "eps0.5" / "provenance.json").read_text()) == {
        "epsilon": 0.5,
        "step": 0.25,
        "steps": 2,
        "objective": "logit_diverge",
        "diverge_from": None,
        "lower": False,
        "best": True,
        "n_views": 0,
        "seed": 7,
        "class_num_col": None,
        "superclasses": None,
        "format": "png",
        "quality": None,
        "model_sha256": file_sha256(model_file),
        "size": 32,
        "precision": "fp32",
        "package_version": __version__,
    }


def test_same_input_gives_the_same_bytes_and_leaves_no_other_files(
    tmp_path: Path, variants: Path, photographs: Path, rows: list[DirmapRow], model_file: Path
) -> None:
    _write(tmp_path / "again", photographs, rows, model_file)
    assert len(_files(variants)) == 3 * 120 + 2 * 2 + 1
    assert _files(tmp_path / "again") == _files(variants)
    assert [path.name for path in tmp_path.iterdir()] == ["again"]


# --- interrupted runs


@pytest.mark.parametrize("harm", ["nothing", "a file is gone", "a file was changed", "half a line was written"])
def test_resumed_run_gives_the_same_bytes(
    tmp_path: Path, variants: Path, photographs: Path, rows: list[DirmapRow], model_file: Path, harm: str
) -> None:
    out, unfinished = tmp_path / "variants", tmp_path / "variants.unfinished"

    def interrupt(done: int, total: int) -> None:
        if done > 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _write(out, photographs, rows, model_file, on_progress=interrupt)
    assert not out.exists()
    first = unfinished / "eps1" / rows[0].im_path
    if harm == "a file is gone":
        first.unlink()
    elif harm == "a file was changed":
        first.write_bytes((unfinished / "eps1" / rows[1].im_path).read_bytes())
    elif harm == "half a line was written":
        with (unfinished / "journal-0.jsonl").open("a") as journal:
            journal.write('{"index": 119, "sha')
    untouched = (unfinished / "eps1" / rows[40].im_path).stat().st_mtime_ns
    progress: list[int] = []
    _write(out, photographs, rows, model_file, on_progress=lambda done, _: progress.append(done))
    assert _files(out) == _files(variants)
    assert not unfinished.exists()
    # Only the batch of the harmed file is computed again.
    assert progress[0] > 40
    assert (out / "eps1" / rows[40].im_path).stat().st_mtime_ns == untouched


def test_killed_run_resumes(
    tmp_path: Path, variants: Path, photographs: Path, rows: list[DirmapRow], model_file: Path
) -> None:
    write_dirmap(tmp_path / "dirmap.csv", rows)
    options = ["--eps", "1", "--eps", "0.5", "--step", "0.25", "--name", "eps{eps}", "--seed", "7", "--batch", "16"]
    command = ["enhance", tmp_path / "dirmap.csv", "--images", photographs, "--model", model_file, *options]
    journal = tmp_path / "variants.unfinished" / "journal-0.jsonl"
    with subprocess.Popen([*COMMAND, *map(str, command)], cwd=tmp_path) as run:
        for _ in range(6000):
            if journal.exists() and journal.stat().st_size:
                break
            time.sleep(0.01)
        run.send_signal(signal.SIGKILL)
    assert not (tmp_path / "variants").exists()
    said = succeed(*command, folder=tmp_path)
    assert "variants natural, eps1, eps0.5" in said
    assert _files(tmp_path / "variants") == _files(variants)


def test_run_with_other_settings_does_not_resume(
    tmp_path: Path, photographs: Path, rows: list[DirmapRow], model_file: Path
) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _write(tmp_path / "variants", photographs, rows, model_file, on_progress=interrupt)
    before = _files(tmp_path)
    with pytest.raises(InputError, match=r"other settings \(objective was 'logit_diverge', now 'logit'\).*remove"):
        _write(tmp_path / "variants", photographs, rows, model_file, objective="logit")
    assert _files(tmp_path) == before


def test_shards_make_the_same_bytes_as_one_run(
    tmp_path: Path, variants: Path, photographs: Path, rows: list[DirmapRow], model_file: Path
) -> None:
    out = tmp_path / "variants"
    for index in (1, 0, 2):
        _write(out, photographs, rows, model_file, shard=Shard(index, 3))
        assert not out.exists()
    progress: list[int] = []
    _write(out, photographs, rows, model_file, on_progress=lambda done, _: progress.append(done))
    assert progress == []
    assert _files(out) == _files(variants)


def test_completes_shards_from_several_machines(
    tmp_path: Path, photographs: Path, rows: list[DirmapRow], model_file: Path, variants: Path
) -> None:
    together = tmp_path / "variants.unfinished"
    for index in range(2):
        of_machine = tmp_path / f"machine-{index}"
        _write(of_machine / "variants", photographs, rows, model_file, shard=Shard(index, 2), images_name="moths")
        shutil.copytree(of_machine / "variants.unfinished", together, dirs_exist_ok=True)
        if index == 0:
            with pytest.raises(InputError, match=r"56 of 120 images are missing or damaged, the first is"):
                complete_variants(tmp_path / "variants", rows)
    with pytest.raises(InputError, match="was made from another dirmap"):
        complete_variants(tmp_path / "variants", rows[1:])
    victim = next((together / "eps0.5").rglob("*.png"))
    content = victim.read_bytes()
    victim.write_bytes(content[:-1])
    with pytest.raises(InputError, match=r"1 of 120 images are missing or damaged, the first is"):
        complete_variants(tmp_path / "variants", rows)
    victim.write_bytes(content)
    assert complete_variants(tmp_path / "variants", rows) == []
    assert _files(tmp_path / "variants") == _files(variants)


def test_shard_resumes_from_another_folder(
    tmp_path: Path, photographs: Path, rows: list[DirmapRow], model_file: Path, variants: Path
) -> None:
    """Only the images of the first batch still exist, so that the others must come from the before run."""
    _write(tmp_path / "before", photographs, rows, model_file, shard=Shard(0, 1), images_name="moths")
    before = tmp_path / "before.unfinished"
    (before / "natural" / rows[0].im_path).write_bytes(b"damaged")
    few = write_photographs(tmp_path / "some", per_class={"train": 30, "val": 10})
    first = rows[: _ENGINE.batch_size(32)]
    for row in rows[len(first) :]:
        (few / row.im_path).unlink()
    for index in range(2):
        _write(tmp_path / "now", few, rows, model_file, shard=Shard(index, 2), images_name="moths", resume_from=before)
    complete_variants(tmp_path / "now", rows)
    assert _files(tmp_path / "now") == _files(variants)
    with pytest.raises(InputError, match=r"other settings \(images was 'moths', now 'beetles'\)"):
        _write(tmp_path / "else", few, rows, model_file, shard=Shard(0, 1), images_name="beetles", resume_from=before)


# --- unreadable images


@pytest.fixture
def with_damaged_image(tmp_path: Path) -> tuple[Path, list[DirmapRow]]:
    root = write_photographs(tmp_path / "some", per_class={"train": 30, "val": 10})
    rows = index_image_folder(root).rows
    damaged = root / rows[60].im_path
    damaged.write_bytes(damaged.read_bytes()[:100])
    return root, rows


def test_damaged_image_stops_the_run_and_nothing_else_is_lost(
    tmp_path: Path, with_damaged_image: tuple[Path, list[DirmapRow]], model_file: Path
) -> None:
    root, rows = with_damaged_image
    with pytest.raises(InputError, match=rf"{rows[60].im_path}.*fix it or use --skip-bad. \d+ images are finished"):
        _write(tmp_path / "variants", root, rows, model_file)
    skipped = _write(tmp_path / "variants", root, rows, model_file, skip_bad=True)
    assert len(skipped) == 1
    assert rows[60].im_path in skipped[0]
    assert [row.extra["orig_im_path"] for row in read_dirmap(tmp_path / "variants" / "dirmap.csv")] == [
        row.im_path for index, row in enumerate(rows) if index != 60
    ]
    (listed,) = list(csv.DictReader((tmp_path / "variants" / "skipped.csv").open(newline="")))
    assert listed["im_path"] == rows[60].im_path


def test_completing_shards_lists_skipped_images(
    tmp_path: Path, with_damaged_image: tuple[Path, list[DirmapRow]], model_file: Path
) -> None:
    root, rows = with_damaged_image
    for index in range(2):
        _write(tmp_path / "variants", root, rows, model_file, skip_bad=True, shard=Shard(index, 2))
    with pytest.raises(InputError, match=rf"{rows[60].im_path}.*fix it or use --skip-bad"):
        complete_variants(tmp_path / "variants", rows)
    (skipped,) = complete_variants(tmp_path / "variants", rows, skip_bad=True)
    assert rows[60].im_path in skipped
    assert len(read_dirmap(tmp_path / "variants" / "dirmap.csv")) == len(rows) - 1


def test_repaired_image_is_enhanced_with_its_batch(
    tmp_path: Path,
    with_damaged_image: tuple[Path, list[DirmapRow]],
    variants: Path,
    photographs: Path,
    model_file: Path,
) -> None:
    root, rows = with_damaged_image
    with pytest.raises(InputError):
        _write(tmp_path / "variants", root, rows, model_file)
    (root / rows[60].im_path).write_bytes((photographs / rows[60].im_path).read_bytes())
    assert _write(tmp_path / "variants", root, rows, model_file) == []
    assert _files(tmp_path / "variants") == _files(variants)


# --- formats


@pytest.mark.parametrize(("name", "suffix"), [("png", ".png"), ("webp", ".webp"), ("png16", ".png")])
def test_lossless_formats_keep_every_value(name: str, suffix: str) -> None:
    chosen = encoding(name)
    random = np.random.default_rng(0)
    kind = np.uint8 if chosen.levels == 255 else np.uint16
    pixels = random.integers(0, chosen.levels, size=(3, 20, 30), endpoint=True).astype(kind)
    content = chosen.write(pixels)
    import cv2

    read = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert read is not None
    assert np.array_equal(read[..., ::-1].transpose(2, 0, 1), pixels)
    assert chosen.stored_path("train/red/a.b.jpeg") == f"train/red/a.b{suffix}"


def test_sixteen_bits_keep_a_perturbation_that_eight_lose(
    tmp_path: Path, photographs: Path, rows: list[DirmapRow], model_file: Path
) -> None:
    small = {"epsilon": (0.02,), "step": 0.02, "name": "small"}
    for name in ("png", "png16"):
        _write(tmp_path / name, photographs, rows[::6], model_file, format=name, **small)
    assert mean_kept(tmp_path / "png16" / "small") == pytest.approx(1, abs=0.02)
    assert mean_kept(tmp_path / "png" / "small") < 0.5


def test_measures_of_a_jpeg_are_those_of_the_stored_file(
    tmp_path: Path, variants: Path, photographs: Path, rows: list[DirmapRow], model_file: Path
) -> None:
    out = tmp_path / "variants"
    _write(out, photographs, rows[::6], model_file, format="jpeg", quality=75)
    model = load_model(model_file)
    of_variants = read_dirmap(out / "dirmap.csv")
    natural, labels = DirmapDataset(out / "natural", of_variants, size=32).load()
    enhanced, _ = DirmapDataset(out / "eps1", of_variants, size=32).load()
    distances = (as_float(enhanced) - as_float(natural)).flatten(1).norm(dim=1)
    recorded = _recorded(out / "eps1")
    assert [float(line["l2"]) for line in recorded] == pytest.approx(distances.tolist(), abs=1e-5)
    after = logit(model(as_float(enhanced)), labels)
    assert [float(line["logit_enhanced"]) for line in recorded] == pytest.approx(after.tolist(), abs=1e-4)
    assert mean_kept(out / "eps1") < min(0.98, mean_kept(variants / "eps1"))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"name": "gif"}, "expected one of png, webp"), ({"name": "png", "quality": 80}, "needs --format jpeg")],
)
def test_rejects_unknown_format_and_quality_of_png(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        encoding(**options)  # type: ignore[arg-type]


# --- names, classes, folders


def test_names_of_variants_follow_the_template() -> None:
    config = EnhancementConfig(epsilon=(8, 0.25), step=0.5, objective="logit")
    assert config.budgets(dataset="idaea4") == {
        "idaea4_8_0.5_16_logit": Budget(8, 0.5, 16),
        "idaea4_0.25_0.5_1_logit": Budget(0.25, 0.5, 1),
    }
    assert EnhancementConfig(epsilon=(8,), steps=3, name="a").budgets(dataset="") == {"a": Budget(8, 0.5, 3)}


@pytest.mark.parametrize(
    ("template", "message"),
    [("{size}", "expected a name with any of {dataset}"), ("same", "two variants the name same")],
)
def test_rejects_bad_name_templates(template: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        EnhancementConfig(epsilon=(1, 2), name=template).budgets(dataset="a")


def test_leaves_existing_folder_alone(
    tmp_path: Path, photographs: Path, rows: list[DirmapRow], model_file: Path
) -> None:
    (tmp_path / "variants").mkdir()
    (tmp_path / "variants" / "precious.txt").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        _write(tmp_path / "variants", photographs, rows, model_file)
    assert [path.name for path in (tmp_path / "variants").iterdir()] == ["precious.txt"]


def test_rejects_two_images_with_the_same_stored_name(
    tmp_path: Path, photographs: Path, rows: list[DirmapRow], model_file: Path
) -> None:
    twin = DirmapRow("train", rows[0].class_name, rows[0].class_num, rows[0].im_path.replace(".png", ".jpg"))
    with pytest.raises(InputError, match="would both be stored as"):
        _write(tmp_path / "variants", photographs, [*rows, twin], model_file)


def test_rejects_model_with_other_classes(
    tmp_path: Path, photographs: Path, rows: list[DirmapRow], model_file: Path
) -> None:
    others = [replace(row, class_name={"red": "rouge"}.get(row.class_name, row.class_name)) for row in rows]
    with pytest.raises(InputError, match="knows the classes blue, green, red"):
        _write(tmp_path / "variants", photographs, others, model_file)
    with pytest.raises(InputError, match="--diverge-from names yellow"):
        _write(tmp_path / "variants", photographs, rows, model_file, diverge_from=("yellow",))
    assert list(tmp_path.iterdir()) == []


def test_matches_classes_by_number_of_logit(
    tmp_path: Path, variants: Path, photographs: Path, rows: list[DirmapRow], model_file: Path
) -> None:
    others = [
        replace(row, class_name=f"class {row.class_num}", extra={"orig_class_num": str(row.class_num)}) for row in rows
    ]
    _write(tmp_path / "variants", photographs, others, model_file, class_num_col="orig_class_num")
    assert (tmp_path / "variants" / "eps1" / "enhanced.csv").read_bytes() == (
        variants / "eps1" / "enhanced.csv"
    ).read_bytes()


def test_superclass_comprises_several_logits(
    tmp_path: Path, photographs: Path, rows: list[DirmapRow], model_file: Path
) -> None:
    coloured = [
        replace(row, class_name="red" if row.class_name == "red" else "cold", class_num=int(row.class_name != "red"))
        for row in rows[::6]
    ]
    write_dirmap(tmp_path / "two.csv", coloured)
    (tmp_path / "kinds.yaml").write_text("red: [2]\ncold: [0, 1]\n")
    succeed(
        "enhance", "two.csv", "--images", photographs, "--model", model_file, "--eps", "1", "--step", "0.25",
        "--name", "eps{eps}", "--objective", "logit", "--superclasses", "kinds.yaml", folder=tmp_path,
    )  # fmt: skip
    model, out = load_model(model_file), tmp_path / "variants"
    of_variants = read_dirmap(out / "dirmap.csv")
    enhanced, labels = DirmapDataset(out / "eps1", of_variants, size=32).load()
    with torch.no_grad():
        blue, green, red = model(as_float(enhanced)).unbind(dim=1)
    largest = torch.where(labels == 0, red, torch.maximum(blue, green))
    recorded = [float(line["logit_enhanced"]) for line in _recorded(out / "eps1")]
    assert recorded == pytest.approx(largest.tolist(), abs=1e-4)


def test_command_warns_if_storing_loses_the_perturbation(
    tmp_path: Path, photographs: Path, rows: list[DirmapRow], model_file: Path
) -> None:
    write_dirmap(tmp_path / "few.csv", rows[::12])
    command = lwise(
        "enhance", "few.csv", "--images", photographs, "--model", model_file, "--eps", "0.02", "--step", "0.02",
        "--objective", "logit", "--dataset", "colours", folder=tmp_path,
    )  # fmt: skip
    assert command.returncode == 0, command.stderr
    assert "colours_0.02_0.02_1_logit: storing kept" in command.stderr
    assert sorted(path.name for path in (tmp_path / "variants").iterdir()) == [
        "colours_0.02_0.02_1_logit", "dirmap.csv", "natural",
    ]  # fmt: skip


# --- the engine


def test_batch_that_does_not_fit_in_memory_is_halved() -> None:
    sizes: list[int] = []

    def compute(images: torch.Tensor, labels: torch.Tensor) -> list[torch.Tensor]:
        if len(images) > 3:
            raise torch.OutOfMemoryError
        sizes.append(len(images))
        return [images * 2, labels + 1]

    images, labels = torch.arange(10.0)[:, None], torch.arange(10)
    doubled, next_ones = in_parts(compute, images, labels)
    assert torch.equal(doubled, images * 2)
    assert torch.equal(next_ones, labels + 1)
    assert sizes == [2, 3, 2, 3]
    with pytest.raises(torch.OutOfMemoryError):
        in_parts(_never, images, labels)


def _never(images: torch.Tensor, labels: torch.Tensor) -> list[torch.Tensor]:
    raise torch.OutOfMemoryError


@pytest.mark.parametrize("kind", ["bf16", "compiled"])
def test_faster_engines_gain_as_much(kind: str, photographs: Path, rows: list[DirmapRow]) -> None:
    torch.manual_seed(2)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 3),
    )  # fmt: skip
    model = GuideModel(GuideDescription("of this test", _CLASSES, size=32), network, IMAGENET).eval()
    exact = Engine(torch.device("cpu"), folds=False)
    fast = replace(exact, folds=True, precision="bf16") if kind == "bf16" else replace(exact, folds=True, compiles=True)
    images, labels = DirmapDataset(photographs, rows[::8], size=32).load()
    gains = []
    for engine in (exact, fast):
        natural = engine.placed(images)
        with engine.computing():
            result = ascend(engine.prepared(model), natural, labels, objective=logit, budget=Budget(2.0, 0.25, 8))
        gains.append(float((logit(model(result), labels) - logit(model(natural), labels)).mean()))
    assert gains[1] >= 0.98 * gains[0] > 0


def test_engine_leaves_the_model_unchanged(model_file: Path) -> None:
    model = load_model(model_file)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    Engine(torch.device("cpu"), precision="fp64").prepared(model)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert any(isinstance(module, nn.BatchNorm2d) for module in model.modules())

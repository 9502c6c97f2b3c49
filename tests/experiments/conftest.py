"""A small scored data set on disk and studies of it, compiled once for all tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, settings
from PIL import Image

from lwise_core.authoring.compile import CompiledStudy, compile_study
from lwise_core.authoring.template import TaperStudy, write_taper_study
from lwise_core.dirmap import DirmapRow, write_dirmap
from lwise_core.experiments.payloads import expanded
from lwise_core.experiments.study import Study
from lwise_core.experiments.trialset import build_trialset

# How long an example takes says nothing on a busy machine.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

CLASSES = ("aversata", "biselata", "dimidiata")
BUDGETS = ("eps4", "eps2", "eps1")
PER_CLASS = {"train": 30, "val": 8}


@dataclass(frozen=True)
class DataSet:
    """Scored images: `root` holds a folder per variant."""

    root: Path
    rows: Sequence[DirmapRow]


def scored_rows(classes: Sequence[str], per_class: Mapping[str, int], *, bucket: str | None = None) -> list[DirmapRow]:
    """A dirmap in which the difficulties within a class and split are all different and not in the order of the rows.

    With `bucket`, each image has a `url` in that S3 bucket.
    """
    rows = []
    for split, count in per_class.items():
        step = next(step for step in (7, 11, 13) if count % step)
        for class_num, name in enumerate(classes):
            for number in range(count):
                path = f"{split}/{name}/{number:03d}.png"
                rows.append(
                    DirmapRow(
                        split=split,
                        class_name=name,
                        class_num=class_num,
                        im_path=path,
                        robust_gt_logit=float(-number),
                        difficulty=(step * number % count) / count,
                        extra={} if bucket is None else {"url": f"https://{bucket}.s3.amazonaws.com/{path}"},
                    )
                )
    return rows


def write_data_set(
    root: Path, *, classes: Sequence[str] = CLASSES, per_class: Mapping[str, int] = PER_CLASS
) -> DataSet:
    """Tiny images, each with its own colour."""
    rows = scored_rows(classes, per_class)
    for number, row in enumerate(rows):
        for depth, variant in enumerate(("natural", *BUDGETS)):
            path = root / variant / row.im_path
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (2, 2), (number % 256, number // 256, depth)).save(path)
    return DataSet(root, rows)


def write_study(folder: Path, data_set: DataSet, config: Mapping[str, Any]) -> Path:
    """A study folder with this config.yaml; `stimuli.root` is added."""
    return write_url_study(folder, data_set.rows, {**config, "stimuli": {"root": str(data_set.root)}})


def write_url_study(folder: Path, rows: Sequence[DirmapRow], config: Mapping[str, Any]) -> Path:
    """A study folder with exactly this config.yaml."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(dict(config), sort_keys=False), encoding="utf-8")
    write_dirmap(folder / "dirmap.csv", rows)
    return folder


def trials_of(study: Study, trialset_id: int, *, main_only: bool = False) -> list[dict[str, Any]]:
    """Every field of every trial, or only of those that show an image."""
    trials = expanded(study, build_trialset(study, trialset_id))
    return [trial for trial in trials if not (main_only and trial["calibration"])]


def blocks_of(study: Study, trialset_id: int) -> list[list[dict[str, Any]]]:
    """The trials that show an image, block by block."""
    trials = trials_of(study, trialset_id, main_only=True)
    return [[trial for trial in trials if trial["block"] == number] for number in range(len(study.blocks))]


@pytest.fixture(scope="session")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    """Three classes with 30 images for training and 8 for the test, in four variants."""
    return write_data_set(tmp_path_factory.mktemp("data_set"))


@pytest.fixture(scope="session")
def taper_folder(tmp_path_factory: pytest.TempPathFactory, data_set: DataSet) -> Path:
    """The study that `lwise demo` writes: control against enhancement taper with difficulty curriculum."""
    folder = tmp_path_factory.mktemp("studies") / "moths_1"
    sizes = TaperStudy.for_classes(len(CLASSES), BUDGETS)
    write_taper_study(folder, sizes, data_set.rows, title="Moths", stimuli_root=str(data_set.root), seed=11)
    return folder


@pytest.fixture(scope="session")
def taper(taper_folder: Path) -> CompiledStudy:
    """The compiled taper study: condition 0 is the control, condition 1 the taper."""
    return compile_study(taper_folder)

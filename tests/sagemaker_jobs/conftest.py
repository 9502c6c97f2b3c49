"""An account with the stack that jobs need, and a small data set in its bucket."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lwise_core.dirmap import DirmapRow, write_dirmap
from lwise_core.vision.checkpoints.native import save_model
from lwise_core.vision.guide import IMAGENET, GuideDescription, new_guide
from lwise_core.vision.image_folder import index_image_folder
from tests.aws import StandIn, create_stack
from tests.conftest import write_photographs

BUCKET, ROLE = "artefacts", "arn:aws:iam::123456789012:role/jobs"
CLASSES = ("blue", "green", "red")


@dataclass(frozen=True)
class DataSet:
    """A data set as jobs have it: a folder with dirmap.csv and images/."""

    root: Path
    rows: list[DirmapRow]

    @property
    def images(self) -> Path:
        return self.root / "images"


@pytest.fixture(scope="session")
def moths(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    root = tmp_path_factory.mktemp("moths")
    write_photographs(root / "images", per_class={"train": 16, "val": 8})
    rows = index_image_folder(root / "images").rows
    write_dirmap(root / "dirmap.csv", rows)
    return DataSet(root, rows)


@pytest.fixture(scope="session")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained: every network has logits to raise."""
    path = tmp_path_factory.mktemp("guide") / "mine.safetensors"
    description = GuideDescription("small_resnet", CLASSES, size=32, settings={"width": 8})
    save_model(path, new_guide(description, IMAGENET, seed=1), training={}, metrics={})
    return path


@pytest.fixture
def bucket(account: StandIn, moths: DataSet) -> Iterator[Any]:
    """The artefact bucket, with the data set in it."""
    s3 = account.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    create_stack(account, "ComputeStack", {"ArtefactBucket": BUCKET, "JobRole": ROLE})
    for path in moths.root.rglob("*"):
        if path.is_file():
            s3.upload_file(str(path), BUCKET, f"datasets/moths/{path.relative_to(moths.root)}")
    yield s3
    for entry in s3.list_objects_v2(Bucket=BUCKET, MaxKeys=10_000).get("Contents", ()):
        s3.delete_object(Bucket=BUCKET, Key=entry["Key"])
    s3.delete_bucket(Bucket=BUCKET)

"""A folder with the output of each image command, built once per test run."""

from __future__ import annotations

from pathlib import Path

import pytest

from lwise_core.authoring.template import TaperStudy, write_taper_study
from lwise_core.dirmap import read_dirmap
from tests.conftest import shared_once, write_photographs
from tests.run_cli import succeed


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds photographs/, dirmap.csv (scored), guide.safetensors, variants/ and study/."""
    return shared_once("workshop", tmp_path_factory, _build_workshop)


def _build_workshop(folder: Path) -> None:
    write_photographs(folder / "photographs", per_class={"train": 30, "val": 10})
    for command in (
        "dataset index photographs --out dirmap.csv",
        "train dirmap.csv --images photographs --size 32 --epochs 3 --out guide.safetensors",
        "score dirmap.csv --images photographs --model guide.safetensors",
        "enhance dirmap.csv --images photographs --model guide.safetensors --eps 1 --eps 0.5 --step 0.5 "
        "--name eps{eps} --out variants",
    ):
        succeed(*command.split(), folder=folder)
    write_taper_study(
        folder / "study",
        TaperStudy.for_classes(3, ["eps1", "eps0.5"]),
        read_dirmap(folder / "variants" / "dirmap.csv"),
        title="Colours",
        stimuli_root="../variants",
        seed=0,
    )

"""Probes are the least-squares solution, and depth is the layer from which all probes agree with the network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lwise_core.dirmap import DirmapRow, read_dirmap, write_dirmap
from lwise_core.errors import InputError
from lwise_core.vision.architectures import build_network
from lwise_core.vision.checkpoints.native import save_model
from lwise_core.vision.datasets import DirmapDataset
from lwise_core.vision.difficulty.prediction_depth import default_layers, depths, fit_probes, prediction_depth
from lwise_core.vision.engine import Engine
from lwise_core.vision.guide import IMAGENET, GuideDescription, GuideModel, new_guide
from lwise_core.vision.image_folder import index_image_folder
from lwise_core.vision.per_image import measure_images
from lwise_core.vision.targets import targets_for
from tests.conftest import write_photographs
from tests.run_cli import succeed

_ENGINE = Engine(torch.device("cpu"), precision="fp64", at_once=8)
_LAYERS = ["blocks.0", "blocks.1", "blocks.2"]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photographs(tmp_path_factory.mktemp("depth") / "photographs", per_class={"train": 20, "val": 6})


@pytest.fixture(scope="module")
def rows(photographs: Path) -> list[DirmapRow]:
    return index_image_folder(photographs).rows


@pytest.fixture(scope="module")
def model() -> GuideModel:
    description = GuideDescription("small_resnet", ("blue", "green", "red"), size=32, settings={"width": 8})
    return new_guide(description, IMAGENET, seed=1).eval().requires_grad_(False)


def test_depth_is_the_number_of_layers_before_all_others_agree() -> None:
    said = torch.tensor([[1, 0, 0, 1, 2], [1, 0, 1, 1, 2], [1, 1, 0, 0, 2]])
    final = torch.tensor([1, 1, 1, 1, 0])
    # Settled at once; after two layers; never by the last; and so for one that comes round and turns away again.
    assert depths(said, final).tolist() == [0, 2, 3, 3, 3]


def test_probes_solve_the_normal_equations(model: GuideModel, rows: list[DirmapRow], photographs: Path) -> None:
    train = [row for row in rows if row.split == "train"]
    targets = targets_for(model.description, rows, present_only=True)
    probes = fit_probes(model, train, images_root=photographs, targets=targets, engine=_ENGINE, layers=["blocks.0"])
    images, labels = DirmapDataset(photographs, train, size=32).load()
    exact = model.double()
    network = exact.network
    assert isinstance(network, nn.Module)
    inputs = (images.double() / 255 - exact.mean) / exact.std
    features = network.blocks[0](network.stem(inputs)).mean(dim=(2, 3)).numpy()  # type: ignore[operator,index]
    x = np.hstack([np.ones((len(features), 1)), features])
    y = np.eye(3)[labels.numpy()]
    ridge = 1e-3 * len(x) * features.var(axis=0).mean() * np.diag([0, *[1] * features.shape[1]])
    expected = np.linalg.inv(x.T @ x + ridge) @ x.T @ y
    assert probes.weights["blocks.0"].numpy() == pytest.approx(expected, abs=1e-6)
    model.float()


def test_depths_of_images_follow_from_probes_and_network(
    model: GuideModel, rows: list[DirmapRow], photographs: Path
) -> None:
    train = [row for row in rows if row.split == "train"]
    targets = targets_for(model.description, rows, present_only=True)
    layers = default_layers(model.network)
    assert layers == _LAYERS
    probes = fit_probes(model, train, images_root=photographs, targets=targets, engine=_ENGINE, layers=layers)
    measure = prediction_depth(model, probes, targets, _ENGINE)
    found = measure_images(measure, rows, images_root=photographs, engine=_ENGINE, split="val")
    values = [of_one["prediction_depth"] for of_one in found.values.values()]
    assert len(values) == 18
    assert set(values) <= set(map(float, range(len(layers) + 1)))
    # The untrained network says one thing of all; the probes, which learnt the colours, agree for that class only.
    assert len(set(values)) > 1


@pytest.mark.parametrize(
    ("architecture", "layers"),
    [
        ("resnet18", [f"layer{stage}.{block}" for stage in (1, 2, 3, 4) for block in (0, 1)]),
        (
            "timm/xcit_nano_12_p16_224",
            [*(f"blocks.{number}" for number in range(12)), "cls_attn_blocks.0", "cls_attn_blocks.1"],
        ),
    ],
)
def test_default_layers_are_the_blocks(architecture: str, layers: list[str]) -> None:
    network = build_network(architecture, num_classes=4, size=64, settings={})
    assert default_layers(network) == layers


def test_unknown_layer_is_rejected(model: GuideModel, rows: list[DirmapRow], photographs: Path) -> None:
    targets = targets_for(model.description, rows, present_only=True)
    with pytest.raises(InputError, match="--layer is 'layer9'; the layers of the model are stem, blocks"):
        fit_probes(model, rows, images_root=photographs, targets=targets, engine=_ENGINE, layers=["layer9"])


def test_command_adds_the_column(model: GuideModel, rows: list[DirmapRow], photographs: Path, tmp_path: Path) -> None:
    write_dirmap(tmp_path / "dirmap.csv", rows)
    save_model(tmp_path / "guide.safetensors", model, training={}, metrics={})
    printed = succeed(
        "difficulty", "depth", "dirmap.csv", "--images", photographs, "--model", "guide.safetensors", folder=tmp_path
    )
    assert f"layers: {', '.join(_LAYERS)}" in printed
    found = {float(row.extra["prediction_depth"]) for row in read_dirmap(tmp_path / "dirmap.csv")}
    assert found <= set(map(float, range(4)))


def test_superclass_combines_several_logits(rows: list[DirmapRow], photographs: Path, tmp_path: Path) -> None:
    write_dirmap(tmp_path / "dirmap.csv", rows)
    description = GuideDescription("small_resnet", tuple("abcd"), size=32, settings={"width": 8})
    model = new_guide(description, IMAGENET, seed=1).eval().requires_grad_(False)
    save_model(tmp_path / "guide.safetensors", model, training={}, metrics={})
    (tmp_path / "kinds.yaml").write_text("red: [0, 2]\nblue: [1]\ngreen: [3]\n")
    settings = "--model guide.safetensors --superclasses kinds.yaml --split val"
    succeed("difficulty", "depth", "dirmap.csv", "--images", photographs, *settings.split(), folder=tmp_path)

    targets = targets_for(description, rows, superclasses={"red": [0, 2], "blue": [1], "green": [3]})
    engine = Engine(torch.device("cpu"))
    train = [row for row in rows if row.split == "train"]
    probes = fit_probes(model, train, images_root=photographs, targets=targets, engine=engine, layers=_LAYERS)
    measure = prediction_depth(model, probes, targets, engine)
    expected = measure_images(measure, rows, images_root=photographs, engine=engine, split="val").values.values()
    found = [float(row.extra["prediction_depth"]) for row in read_dirmap(tmp_path / "dirmap.csv") if row.split == "val"]
    assert found == [of_one["prediction_depth"] for of_one in expected]
    assert len(set(found)) > 1

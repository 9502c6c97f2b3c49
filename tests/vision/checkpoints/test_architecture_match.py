"""The architecture is found from the weights alone, and only if all names and shapes match."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from torch import Tensor, nn
from torchvision import models as torchvision_models

from lwise_core.errors import InputError
from lwise_core.vision.checkpoints import architecture_match
from lwise_core.vision.checkpoints.architecture_match import ArchitectureMatch, find_architecture, match_architecture

_PATH = Path("model.pt")


def _weights(network: nn.Module) -> dict[str, Tensor]:
    return dict(network.state_dict())


def _find(weights: dict[str, Tensor], *, words: tuple[str, ...] = ()) -> ArchitectureMatch:
    return find_architecture(_PATH, weights, words=words, on_progress=lambda done, total: None)


def test_architectures_of_published_robust_networks_are_found() -> None:
    names = ("resnet18", "wide_resnet50_2", "resnext50_32x4d", "densenet121", "mnasnet1_0", "mobilenet_v2")
    names += ("shufflenet_v2_x1_0", "convnext_tiny", "vgg16_bn", "squeezenet1_0", "vit_b_16", "regnet_y_400mf")
    for name in names:
        # The meta device needs no memory for the weights, whose shapes suffice; it cannot build regnets.
        with torch.device("cpu" if name.startswith("regnet") else "meta"):
            network = torchvision_models.get_model(name, weights=None, num_classes=7)
        assert _find(_weights(network)) == ArchitectureMatch(name, 7, "names and shapes of its weights")


def test_every_torchvision_architecture_has_its_own_shapes() -> None:
    seen: dict[object, str] = {}
    for name in torchvision_models.list_models(module=torchvision_models):
        shapes = tuple(sorted(architecture_match._shapes_of(name, 1000).items()))
        assert seen.setdefault(shapes, name) == name


def test_architecture_named_in_the_file_is_preferred() -> None:
    xcit = _weights(timm.create_model("xcit_nano_12_p16_384", num_classes=3))
    named = _find(xcit, words=("no_such_network", "xcit_nano_12_p16_384"))
    assert named == ArchitectureMatch("timm/xcit_nano_12_p16_384", 3, "the file says xcit_nano_12_p16_384")
    unnamed = _find(xcit)
    assert (unnamed.architecture, unnamed.alternatives) == ("timm/xcit_nano_12_p16_224", ("timm/xcit_nano_12_p16_384",))


def test_architecture_named_in_the_file_is_ignored_if_weights_do_not_match() -> None:
    weights = _weights(torchvision_models.squeezenet1_1(num_classes=4))
    assert _find(weights, words=("resnet18",)).architecture == "squeezenet1_1"


def test_search_reports_progress() -> None:
    calls: list[tuple[int, int]] = []
    weights = _weights(timm.create_model("xcit_nano_12_p16_224"))
    find_architecture(_PATH, weights, words=(), on_progress=lambda done, total: calls.append((done, total)))
    assert calls[0] == (1, len(torchvision_models.list_models(module=torchvision_models)))
    assert calls[-1][0] == calls[-1][1] > 1


def test_given_architecture_must_match_exactly() -> None:
    weights = _weights(torchvision_models.resnet18(num_classes=4))
    assert match_architecture(_PATH, weights, "resnet18") == ArchitectureMatch("resnet18", 4, "--arch")
    with pytest.raises(InputError, match=r"not those of resnet34 with 4 classes: 96 missing \(layer1.2.conv1.weight"):
        match_architecture(_PATH, weights, "resnet34")
    with pytest.raises(InputError, match=r"'resnet19' is not known; expected e.g. "):
        match_architecture(_PATH, weights, "resnet19")
    weights["layer1.0.conv1.weight"] = weights["layer1.0.conv1.weight"][:, :32]
    with pytest.raises(InputError, match=r"of another shape \(layer1.0.conv1.weight \(64, 32, 3, 3\) for \(64, 64, 3"):
        match_architecture(_PATH, weights, "resnet18")

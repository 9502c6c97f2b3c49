"""The architecture is found by the weights alone, and only if each of them has its place."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from torch import Tensor, nn
from torchvision import models as torchvision_models

from lwise_core.errors import InputError
from lwise_core.vision.checkpoints import architecture_match
from lwise_core.vision.checkpoints.architecture_match import Fit, find_fit, fit_to

_PATH = Path("model.pt")


def _weights(network: nn.Module) -> dict[str, Tensor]:
    return dict(network.state_dict())


def _found(weights: dict[str, Tensor], *, words: tuple[str, ...] = ()) -> Fit:
    return find_fit(_PATH, weights, words=words, on_progress=lambda done, total: None)


def test_architectures_in_which_robust_networks_are_published_are_found() -> None:
    names = ("resnet18", "wide_resnet50_2", "resnext50_32x4d", "densenet121", "mnasnet1_0", "mobilenet_v2")
    names += ("shufflenet_v2_x1_0", "convnext_tiny", "vgg16_bn", "squeezenet1_0", "vit_b_16", "regnet_y_400mf")
    for name in names:
        # Without memory for the weights, of which only the shapes count here; regnets cannot be built so.
        with torch.device("cpu" if name.startswith("regnet") else "meta"):
            network = torchvision_models.get_model(name, weights=None, num_classes=7)
        assert _found(_weights(network)) == Fit(name, 7, "names and shapes of its weights")


def test_no_two_architectures_of_torchvision_have_the_same_weights() -> None:
    seen: dict[object, str] = {}
    for name in torchvision_models.list_models(module=torchvision_models):
        shapes = tuple(sorted(architecture_match._shapes_of(name, 1000).items()))
        assert seen.setdefault(shapes, name) == name


def test_what_the_file_says_goes_before_what_else_would_fit() -> None:
    xcit = _weights(timm.create_model("xcit_nano_12_p16_384", num_classes=3))
    said = _found(xcit, words=("no_such_network", "xcit_nano_12_p16_384"))
    assert said == Fit("timm/xcit_nano_12_p16_384", 3, "the file says xcit_nano_12_p16_384")
    untold = _found(xcit)
    assert (untold.architecture, untold.also) == ("timm/xcit_nano_12_p16_224", ("timm/xcit_nano_12_p16_384",))


def test_what_the_file_says_does_not_count_if_the_weights_are_others() -> None:
    weights = _weights(torchvision_models.squeezenet1_1(num_classes=4))
    assert _found(weights, words=("resnet18",)).architecture == "squeezenet1_1"


def test_progress_is_told_while_looking() -> None:
    told: list[tuple[int, int]] = []
    weights = _weights(timm.create_model("xcit_nano_12_p16_224"))
    find_fit(_PATH, weights, words=(), on_progress=lambda done, total: told.append((done, total)))
    assert told[0] == (1, len(torchvision_models.list_models(module=torchvision_models)))
    assert told[-1][0] == told[-1][1] > 1


def test_an_architecture_that_was_named_must_fit_exactly() -> None:
    weights = _weights(torchvision_models.resnet18(num_classes=4))
    assert fit_to(_PATH, weights, "resnet18") == Fit("resnet18", 4, "--arch")
    with pytest.raises(InputError, match=r"not those of resnet34 with 4 classes: 96 missing \(layer1.2.conv1.weight"):
        fit_to(_PATH, weights, "resnet34")
    with pytest.raises(InputError, match=r"'resnet19' is not known; expected e.g. "):
        fit_to(_PATH, weights, "resnet19")
    weights["layer1.0.conv1.weight"] = weights["layer1.0.conv1.weight"][:, :32]
    with pytest.raises(InputError, match=r"of another shape \(layer1.0.conv1.weight \(64, 32, 3, 3\) for \(64, 64, 3"):
        fit_to(_PATH, weights, "resnet18")

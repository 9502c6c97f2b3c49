"""Every layout in which robust networks are published is told apart, and gives the logits of the network it is of."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torchvision import models

from lwise_core.errors import InputError
from lwise_core.vision.checkpoints import architecture_match
from lwise_core.vision.checkpoints.native import is_own, load_model, model_origin, save_model
from lwise_core.vision.checkpoints.third_party import Foreign, as_guide, open_foreign
from lwise_core.vision.guide import GuideModel, Normalisation
from tests.vision.checkpoints.wrappings import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    AttackerModel,
    CustomForward,
    moved,
    normalise_then,
    pictures,
    robustness_file,
)

_OTHER_MEAN, _OTHER_STD = (0.73781, 0.64858, 0.77524), (0.19725, 0.24366, 0.17031)
_ZERO, _ONE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """ResNet-18 with four classes: 122 weights and buffers."""
    torch.manual_seed(0)
    return moved(models.resnet18(num_classes=4))


@pytest.fixture(scope="module")
def xcit() -> nn.Module:
    torch.manual_seed(1)
    return moved(timm.create_model("xcit_nano_12_p16_224", num_classes=5))


def _written(tmp_path: Path, document: Any, name: str = "model.pt") -> Path:
    path = tmp_path / name
    torch.save(document, path)
    return path


def _assert_same(
    foreign: Foreign,
    network: nn.Module,
    *,
    mean: tuple[float, ...] = IMAGENET_MEAN,
    std: tuple[float, ...] = IMAGENET_STD,
    size: int = 64,
) -> GuideModel:
    """Neither a weight too many nor one too few, and the logits of the network on normalised pictures."""
    assert foreign.normalisation == _normalisation(mean, std)
    guide = as_guide(foreign, classes=None, size=size)
    weights = guide.network.state_dict()
    assert foreign.unwrapped.weights.keys() == weights.keys() == network.state_dict().keys()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in network.state_dict().items())
    shown = pictures(size)
    with torch.inference_mode():
        expected = network((shown - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None])
        # Those of XCiT differ by up to 6e-8, as the same weights lie in memory.
        torch.testing.assert_close(guide(shown), expected, rtol=1e-6, atol=1e-6)
    return guide


def _normalisation(mean: tuple[float, ...], std: tuple[float, ...]) -> Normalisation:
    return Normalisation(mean, std)  # type: ignore[arg-type]


def _compiled(network: nn.Module) -> nn.Module:
    compiled: nn.Module = torch.compile(network)  # type: ignore[assignment]
    return compiled


_OF_ROBUSTNESS: dict[str, tuple[Callable[[nn.Module], nn.Module], str]] = {
    "robustness, L-WISE, transfer": (lambda net: nn.DataParallel(AttackerModel(net)), "module.model."),
    "without DataParallel": (AttackerModel, "model."),
    "with a custom forward": (lambda net: nn.DataParallel(AttackerModel(CustomForward(net))), "module.model.model."),
    "nested": (lambda net: nn.DataParallel(AttackerModel(AttackerModel(net))), "module.model.model."),
    "compiled inside": (lambda net: AttackerModel(_compiled(net)), "model._orig_mod."),
}


@pytest.mark.parametrize(("wrap", "prefix"), _OF_ROBUSTNESS.values(), ids=_OF_ROBUSTNESS)
def test_files_of_robustness(
    network: nn.Module, tmp_path: Path, wrap: Callable[[nn.Module], nn.Module], prefix: str
) -> None:
    foreign = open_foreign(_written(tmp_path, robustness_file(wrap(network).state_dict())))
    _assert_same(foreign, network)
    report = foreign.report()
    assert (report["architecture"], report["num_classes"], report["n_weights"]) == ("resnet18", 4, 122)
    assert (report["entry"], report["prefix"]) == ("model", prefix)
    assert all("attacker" in name for name in report["dropped_keys"])
    assert report["dropped_keys"]
    assert report["other_entries"] == ["optimizer"]
    assert report["says"]["epoch"] == 89
    assert report["says"]["adv_prec1"] == 33.25


def test_what_was_converted_is_read_as_our_own_and_says_where_it_is_from(network: nn.Module, tmp_path: Path) -> None:
    wrapped = nn.DataParallel(AttackerModel(network)).state_dict()
    # As older versions of robustness name the entry.
    path = _written(tmp_path, {"state_dict": wrapped, "epoch": 3})
    foreign = open_foreign(path)
    guide = as_guide(foreign, classes=("a", "b", "c", "d"), size=64)
    ours = tmp_path / "ours.safetensors"
    save_model(ours, guide, training={}, metrics={}, origin=foreign.report())
    assert not is_own(path)
    assert is_own(ours)
    assert load_model(ours).description == guide.description
    assert torch.equal(load_model(ours)(pictures()), guide(pictures()))
    assert model_origin(ours) == foreign.report()
    assert model_origin(ours)["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()  # type: ignore[index]


def test_the_normalisation_of_the_file_wins_over_that_of_the_data_set(network: nn.Module, tmp_path: Path) -> None:
    # L-WISE fine-tunes with the numbers of ImageNet whatever the data set is.
    path = _written(tmp_path, robustness_file(nn.DataParallel(AttackerModel(network)).state_dict()))
    other = _normalisation(_OTHER_MEAN, _OTHER_STD)
    foreign = open_foreign(path, of_dataset=other)
    _assert_same(foreign, network)
    assert foreign.normalisation_from == "buffers in the file"
    with pytest.raises(InputError, match=r"holds its own normalisation.*leave --normalisation out"):
        open_foreign(path, normalisation=other)
    bare = _written(tmp_path, network.state_dict(), "bare.pt")
    _assert_same(open_foreign(bare, of_dataset=other), network, mean=_OTHER_MEAN, std=_OTHER_STD)


def test_nested_attackers_that_normalise_differently_are_refused(network: nn.Module, tmp_path: Path) -> None:
    nested = AttackerModel(AttackerModel(network, _OTHER_MEAN, _OTHER_STD))
    path = _written(tmp_path, robustness_file(nested.state_dict()))
    with pytest.raises(InputError, match=r"holds different normalisations \(normalizer.new_mean .*0.73781"):
        open_foreign(path)


def test_a_normalisation_of_pictures_up_to_255_is_refused(network: nn.Module, tmp_path: Path) -> None:
    model = normalise_then(network, (123.7, 116.3, 103.5), (58.4, 57.1, 57.4))
    with pytest.raises(InputError, match=r"normalize.mean.* are \(123.7, .*expected a normalisation of pictures in"):
        open_foreign(_written(tmp_path, model.state_dict()))


_BARE: dict[str, Callable[[nn.Module], Any]] = {
    "torchvision, timm": lambda net: net.state_dict(),
    "torchvision's references": lambda net: {"model": net.state_dict(), "args": argparse.Namespace(lr=0.1), "epoch": 3},
    "CutMix, fast_adversarial": lambda net: {"state_dict": nn.DataParallel(net).state_dict(), "arch": "resnet18"},
    "compiled": lambda net: _compiled(net).state_dict(),
    "compiled in DDP": lambda net: nn.DataParallel(_compiled(net)).state_dict(),
    "DDP, compiled": lambda net: _compiled(nn.DataParallel(net)).state_dict(),
    "moving average": lambda net: AveragedModel(net).state_dict(),
    "parameters": lambda net: dict(net.state_dict(keep_vars=True)),
    "an entry of another name": lambda net: {"teacher": net.state_dict(), "epoch": 3},
}


@pytest.mark.parametrize("document", _BARE.values(), ids=_BARE)
def test_files_without_a_normalisation(
    network: nn.Module, tmp_path: Path, document: Callable[[nn.Module], Any]
) -> None:
    foreign = open_foreign(_written(tmp_path, document(network)))
    _assert_same(foreign, network)
    assert foreign.normalisation_from == "the file holds none; that of ImageNet is taken"


def test_a_safetensors_file(network: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file(network.state_dict(), path, metadata={"format": "pt"})
    foreign = open_foreign(path)
    _assert_same(foreign, network)
    assert foreign.report()["format"] == "safetensors"


def test_of_several_weights_the_moving_average_and_the_best_are_taken(network: nn.Module, tmp_path: Path) -> None:
    other = {name: torch.zeros_like(tensor) for name, tensor in network.state_dict().items()}
    averaged = AveragedModel(network).state_dict()
    foreign = open_foreign(_written(tmp_path, {"model": other, "model_ema": averaged, "epoch": 1}))
    _assert_same(foreign, network)
    assert foreign.report()["dropped_keys"] == ["n_averaged"]
    assert foreign.report()["other_entries"] == ["model"]
    of_robustbench = {"last": other, "best": nn.DataParallel(normalise_then(network)).state_dict()}
    foreign = open_foreign(_written(tmp_path, of_robustbench))
    _assert_same(foreign, network)
    assert (foreign.report()["entry"], foreign.report()["other_entries"]) == ("best", ["last"])


@pytest.mark.parametrize("names", [("mu", "sigma"), ("mean", "std")])
def test_normalisations_under_the_names_of_robustbench(
    network: nn.Module, tmp_path: Path, names: tuple[str, str]
) -> None:
    mean, std = names
    tensors = {f"model.{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {mean: torch.tensor(_OTHER_MEAN).reshape(1, 3, 1, 1), std: torch.tensor(_OTHER_STD).reshape(1, 3, 1, 1)}
    foreign = open_foreign(_written(tmp_path, {"state_dict": tensors}))
    _assert_same(foreign, network, mean=_OTHER_MEAN, std=_OTHER_STD)


# --- XCiT of vits-robustness


def _of_timm(model: nn.Module, **arguments: object) -> dict[str, object]:
    return {
        "epoch": 109,
        "arch": "xcit_nano_12_p16_224",
        "state_dict": model.state_dict(),
        "args": argparse.Namespace(model="xcit_nano_12_p16_224", **arguments),
        "version": 2,
        "metric": 41.78,
    }


def test_a_robust_xcit_takes_pictures_as_they_are(xcit: nn.Module, tmp_path: Path) -> None:
    path = _written(tmp_path, _of_timm(nn.DataParallel(xcit), no_normalize=True), "xcit.pth.tar")
    foreign = open_foreign(path)
    _assert_same(foreign, xcit, mean=_ZERO, std=_ONE, size=224)
    assert foreign.fit.architecture == "timm/xcit_nano_12_p16_224"
    assert foreign.fit.told_by == "the file says xcit_nano_12_p16_224"
    assert foreign.normalisation_from == "arguments of the training in the file"


def test_a_fine_tuned_xcit_has_its_own_normalisation(xcit: nn.Module, tmp_path: Path) -> None:
    path = _written(tmp_path, _of_timm(normalise_then(xcit, _OTHER_MEAN, _OTHER_STD)), "xcit.pth.tar")
    _assert_same(open_foreign(path), xcit, mean=_OTHER_MEAN, std=_OTHER_STD, size=224)


def test_an_xcit_that_does_not_say_is_not_guessed_at(xcit: nn.Module, tmp_path: Path) -> None:
    path = _written(tmp_path, {"model": xcit.state_dict()})
    foreign = open_foreign(path)
    assert foreign.fit.architecture == "timm/xcit_nano_12_p16_224"
    assert foreign.fit.also == ("timm/xcit_nano_12_p16_384",)
    assert foreign.report()["mean"] is None
    with pytest.raises(InputError, match=r"does not say how pictures are normalised.*--normalisation none"):
        as_guide(foreign, classes=None, size=224)
    # The other one has the same logits, so that it does not matter which is taken.
    _assert_same(open_foreign(path, normalisation=_normalisation(_ZERO, _ONE)), xcit, mean=_ZERO, std=_ONE, size=224)
    chosen = open_foreign(path, architecture="timm/xcit_nano_12_p16_224", normalisation=_normalisation(_ZERO, _ONE))
    _assert_same(chosen, xcit, mean=_ZERO, std=_ONE, size=224)


def test_numbers_of_a_training_with_timm_are_taken(network: nn.Module, tmp_path: Path) -> None:
    arguments = argparse.Namespace(mean=list(_OTHER_MEAN), std=list(_OTHER_STD), model="resnet18")
    path = _written(tmp_path, {"state_dict": network.state_dict(), "args": arguments})
    _assert_same(open_foreign(path), network, mean=_OTHER_MEAN, std=_OTHER_STD)


# --- what is no whole network


def test_weights_that_are_not_whole_are_refused(network: nn.Module, tmp_path: Path) -> None:
    weights = network.state_dict()
    del weights["layer3.0.conv1.weight"]
    weights["extra.weight"] = torch.zeros(2)
    path = _written(tmp_path, weights)
    with pytest.raises(InputError, match="not exactly those of any architecture"):
        open_foreign(path)
    with pytest.raises(
        InputError, match=r"1 too many \(extra.weight\); 1 missing \(layer3.0.conv1.weight\).*Leave --arch out"
    ):
        open_foreign(path, architecture="resnet18")


def test_weights_that_are_no_numbers_are_refused(network: nn.Module, tmp_path: Path) -> None:
    weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    weights["conv1.weight"][0, 0, 0, 0] = float("nan")
    foreign = open_foreign(_written(tmp_path, weights))
    with pytest.raises(InputError, match=r"conv1.weight holds values that are no finite numbers"):
        as_guide(foreign, classes=None, size=64)


def test_networks_with_other_logits_from_the_same_weights_are_not_chosen_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # They differ in how pictures are padded. Only they are tried, to be quick.
    candidates = ["timm/efficientnet_lite0", "timm/tf_efficientnet_lite0"]
    monkeypatch.setattr(architecture_match, "_of_timm", lambda shapes: candidates)
    network = moved(timm.create_model("efficientnet_lite0", num_classes=2))
    path = _written(tmp_path, network.state_dict())
    foreign = open_foreign(path)
    assert [foreign.fit.architecture, *foreign.fit.also] == candidates
    with pytest.raises(InputError, match=r"and, with other logits, of .*efficientnet_lite0.*; choose by --arch"):
        as_guide(open_foreign(path, normalisation=_normalisation(_ZERO, _ONE)), classes=None, size=64)
    chosen = open_foreign(path, architecture="timm/efficientnet_lite0")
    _assert_same(chosen, network)


def test_a_normalisation_is_not_guessed_where_networks_with_such_weights_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only these are tried, to be quick.
    candidates = ["timm/deit_tiny_patch16_224", "timm/vit_tiny_patch16_224"]
    monkeypatch.setattr(architecture_match, "_of_timm", lambda shapes: candidates)
    network = timm.create_model("vit_tiny_patch16_224", num_classes=2)
    foreign = open_foreign(_written(tmp_path, network.state_dict()))
    assert [foreign.fit.architecture, *foreign.fit.also] == candidates
    assert foreign.normalisation is None


def test_a_network_for_pictures_of_one_size_says_so(tmp_path: Path) -> None:
    network = moved(timm.create_model("vit_tiny_patch16_224", num_classes=2))
    foreign = open_foreign(_written(tmp_path, {"arch": "vit_tiny_patch16_224", "state_dict": network.state_dict()}))
    # As timm knows of its own weights, which are not ImageNet's usual ones.
    _assert_same(foreign, network, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), size=224)
    with pytest.raises(InputError, match=r"vit_tiny_patch16_224 does not take pictures of 64 pixels .*by --size"):
        as_guide(foreign, classes=None, size=64)


def test_as_many_names_as_logits(network: nn.Module, tmp_path: Path) -> None:
    foreign = open_foreign(_written(tmp_path, network.state_dict()))
    with pytest.raises(InputError, match="has 4 logits; 2 names of classes were given"):
        as_guide(foreign, classes=("a", "b"), size=64)
    assert as_guide(foreign, classes=None, size=64).description.classes == ("0", "1", "2", "3")


def test_half_precision_becomes_single(network: nn.Module, tmp_path: Path) -> None:
    half: dict[str, Tensor] = {
        name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in network.state_dict().items()
    }
    foreign = open_foreign(_written(tmp_path, half))
    assert foreign.report()["dtypes"] == ["float16", "int64"]
    guide = as_guide(foreign, classes=None, size=64)
    assert torch.equal(guide.network.state_dict()["fc.weight"], half["fc.weight"].float())

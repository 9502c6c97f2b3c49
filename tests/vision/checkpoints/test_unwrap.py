"""Every published layout of robust networks converts to a guide model with the logits of the original network."""

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
from lwise_core.vision.checkpoints.native import is_native, load_model, model_provenance, save_model
from lwise_core.vision.checkpoints.third_party import ThirdPartyCheckpoint, open_third_party, to_guide_model
from lwise_core.vision.guide import GuideModel, Normalisation
from tests.vision.checkpoints.wrappings import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    AttackerModel,
    CustomForward,
    moved,
    normalise_then,
    random_images,
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
    checkpoint: ThirdPartyCheckpoint,
    network: nn.Module,
    *,
    mean: tuple[float, ...] = IMAGENET_MEAN,
    std: tuple[float, ...] = IMAGENET_STD,
    size: int = 64,
) -> GuideModel:
    """Exactly the weights of the network, and its logits on normalised images."""
    assert checkpoint.normalisation == _normalisation(mean, std)
    guide = to_guide_model(checkpoint, classes=None, size=size)
    weights = guide.network.state_dict()
    assert checkpoint.unwrapped.weights.keys() == weights.keys() == network.state_dict().keys()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in network.state_dict().items())
    images = random_images(size)
    with torch.inference_mode():
        expected = network((images - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None])
        # XCiT's logits differ by up to 6e-8 with the memory layout of the weights.
        torch.testing.assert_close(guide(images), expected, rtol=1e-6, atol=1e-6)
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
def test_robustness_checkpoint_converts(
    network: nn.Module, tmp_path: Path, wrap: Callable[[nn.Module], nn.Module], prefix: str
) -> None:
    checkpoint = open_third_party(_written(tmp_path, robustness_file(wrap(network).state_dict())))
    _assert_same(checkpoint, network)
    report = checkpoint.report()
    assert (report["architecture"], report["num_classes"], report["n_weights"]) == ("resnet18", 4, 122)
    assert (report["entry"], report["prefix"]) == ("model", prefix)
    assert all("attacker" in name for name in report["dropped_keys"])
    assert report["dropped_keys"]
    assert report["other_entries"] == ["optimizer"]
    assert report["says"]["epoch"] == 89
    assert report["says"]["adv_prec1"] == 33.25


def test_converted_checkpoint_is_native_and_records_its_provenance(network: nn.Module, tmp_path: Path) -> None:
    wrapped = nn.DataParallel(AttackerModel(network)).state_dict()
    # The entry's name in older versions of robustness.
    path = _written(tmp_path, {"state_dict": wrapped, "epoch": 3})
    checkpoint = open_third_party(path)
    guide = to_guide_model(checkpoint, classes=("a", "b", "c", "d"), size=64)
    native = tmp_path / "native.safetensors"
    save_model(native, guide, training={}, metrics={}, provenance=checkpoint.report())
    assert not is_native(path)
    assert is_native(native)
    assert load_model(native).description == guide.description
    assert torch.equal(load_model(native)(random_images()), guide(random_images()))
    assert model_provenance(native) == checkpoint.report()
    assert model_provenance(native)["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()  # type: ignore[index]


def test_normalisation_of_the_file_overrides_that_of_the_data_set(network: nn.Module, tmp_path: Path) -> None:
    # L-WISE fine-tunes with the numbers of ImageNet whatever the data set is.
    path = _written(tmp_path, robustness_file(nn.DataParallel(AttackerModel(network)).state_dict()))
    other = _normalisation(_OTHER_MEAN, _OTHER_STD)
    checkpoint = open_third_party(path, of_dataset=other)
    _assert_same(checkpoint, network)
    assert checkpoint.normalisation_from == "buffers in the file"
    with pytest.raises(InputError, match=r"holds its own normalisation.*leave --normalisation out"):
        open_third_party(path, normalisation=other)
    bare = _written(tmp_path, network.state_dict(), "bare.pt")
    _assert_same(open_third_party(bare, of_dataset=other), network, mean=_OTHER_MEAN, std=_OTHER_STD)


def test_conflicting_normalisations_are_rejected(network: nn.Module, tmp_path: Path) -> None:
    nested = AttackerModel(AttackerModel(network, _OTHER_MEAN, _OTHER_STD))
    path = _written(tmp_path, robustness_file(nested.state_dict()))
    with pytest.raises(InputError, match=r"holds different normalisations \(normalizer.new_mean .*0.73781"):
        open_third_party(path)


def test_normalisation_for_images_up_to_255_is_rejected(network: nn.Module, tmp_path: Path) -> None:
    model = normalise_then(network, (123.7, 116.3, 103.5), (58.4, 57.1, 57.4))
    with pytest.raises(InputError, match=r"normalize.mean.* are \(123.7, .*expected a normalisation of images in"):
        open_third_party(_written(tmp_path, model.state_dict()))


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
def test_checkpoint_without_normalisation_converts(
    network: nn.Module, tmp_path: Path, document: Callable[[nn.Module], Any]
) -> None:
    checkpoint = open_third_party(_written(tmp_path, document(network)))
    _assert_same(checkpoint, network)
    assert checkpoint.normalisation_from == "not in the file; ImageNet's is used"


def test_safetensors_checkpoint_converts(network: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file(network.state_dict(), path, metadata={"format": "pt"})
    checkpoint = open_third_party(path)
    _assert_same(checkpoint, network)
    assert checkpoint.report()["format"] == "safetensors"


def test_moving_average_and_best_weights_are_preferred(network: nn.Module, tmp_path: Path) -> None:
    other = {name: torch.zeros_like(tensor) for name, tensor in network.state_dict().items()}
    averaged = AveragedModel(network).state_dict()
    checkpoint = open_third_party(_written(tmp_path, {"model": other, "model_ema": averaged, "epoch": 1}))
    _assert_same(checkpoint, network)
    assert checkpoint.report()["dropped_keys"] == ["n_averaged"]
    assert checkpoint.report()["other_entries"] == ["model"]
    of_robustbench = {"last": other, "best": nn.DataParallel(normalise_then(network)).state_dict()}
    checkpoint = open_third_party(_written(tmp_path, of_robustbench))
    _assert_same(checkpoint, network)
    assert (checkpoint.report()["entry"], checkpoint.report()["other_entries"]) == ("best", ["last"])


@pytest.mark.parametrize("names", [("mu", "sigma"), ("mean", "std")])
def test_robustbench_normalisation_is_extracted(network: nn.Module, tmp_path: Path, names: tuple[str, str]) -> None:
    mean, std = names
    tensors = {f"model.{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {mean: torch.tensor(_OTHER_MEAN).reshape(1, 3, 1, 1), std: torch.tensor(_OTHER_STD).reshape(1, 3, 1, 1)}
    checkpoint = open_third_party(_written(tmp_path, {"state_dict": tensors}))
    _assert_same(checkpoint, network, mean=_OTHER_MEAN, std=_OTHER_STD)


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


def test_robust_xcit_is_not_normalised(xcit: nn.Module, tmp_path: Path) -> None:
    path = _written(tmp_path, _of_timm(nn.DataParallel(xcit), no_normalize=True), "xcit.pth.tar")
    checkpoint = open_third_party(path)
    _assert_same(checkpoint, xcit, mean=_ZERO, std=_ONE, size=224)
    assert checkpoint.match.architecture == "timm/xcit_nano_12_p16_224"
    assert checkpoint.match.evidence == "the file says xcit_nano_12_p16_224"
    assert checkpoint.normalisation_from == "arguments of the training in the file"


def test_fine_tuned_xcit_keeps_its_normalisation(xcit: nn.Module, tmp_path: Path) -> None:
    path = _written(tmp_path, _of_timm(normalise_then(xcit, _OTHER_MEAN, _OTHER_STD)), "xcit.pth.tar")
    _assert_same(open_third_party(path), xcit, mean=_OTHER_MEAN, std=_OTHER_STD, size=224)


def test_unknown_xcit_normalisation_is_not_guessed(xcit: nn.Module, tmp_path: Path) -> None:
    path = _written(tmp_path, {"model": xcit.state_dict()})
    checkpoint = open_third_party(path)
    assert checkpoint.match.architecture == "timm/xcit_nano_12_p16_224"
    assert checkpoint.match.alternatives == ("timm/xcit_nano_12_p16_384",)
    assert checkpoint.report()["mean"] is None
    with pytest.raises(InputError, match=r"does not give its normalisation.*--normalisation none"):
        to_guide_model(checkpoint, classes=None, size=224)
    # The alternative has the same logits, so either is right.
    _assert_same(
        open_third_party(path, normalisation=_normalisation(_ZERO, _ONE)), xcit, mean=_ZERO, std=_ONE, size=224
    )
    chosen = open_third_party(path, architecture="timm/xcit_nano_12_p16_224", normalisation=_normalisation(_ZERO, _ONE))
    _assert_same(chosen, xcit, mean=_ZERO, std=_ONE, size=224)


def test_normalisation_in_timm_arguments_is_used(network: nn.Module, tmp_path: Path) -> None:
    arguments = argparse.Namespace(mean=list(_OTHER_MEAN), std=list(_OTHER_STD), model="resnet18")
    path = _written(tmp_path, {"state_dict": network.state_dict(), "args": arguments})
    _assert_same(open_third_party(path), network, mean=_OTHER_MEAN, std=_OTHER_STD)


# --- incomplete or ambiguous networks


def test_incomplete_weights_are_rejected(network: nn.Module, tmp_path: Path) -> None:
    weights = network.state_dict()
    del weights["layer3.0.conv1.weight"]
    weights["extra.weight"] = torch.zeros(2)
    path = _written(tmp_path, weights)
    with pytest.raises(InputError, match="not exactly those of any architecture"):
        open_third_party(path)
    with pytest.raises(
        InputError, match=r"1 too many \(extra.weight\); 1 missing \(layer3.0.conv1.weight\).*Leave --arch out"
    ):
        open_third_party(path, architecture="resnet18")


def test_weights_that_are_not_finite_are_rejected(network: nn.Module, tmp_path: Path) -> None:
    weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    weights["conv1.weight"][0, 0, 0, 0] = float("nan")
    checkpoint = open_third_party(_written(tmp_path, weights))
    with pytest.raises(InputError, match=r"conv1.weight holds values that are not finite"):
        to_guide_model(checkpoint, classes=None, size=64)


def test_weights_of_several_networks_with_different_logits_are_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # They differ in their padding. Only they are tried, to be fast.
    candidates = ["timm/efficientnet_lite0", "timm/tf_efficientnet_lite0"]
    monkeypatch.setattr(architecture_match, "_of_timm", lambda shapes: candidates)
    network = moved(timm.create_model("efficientnet_lite0", num_classes=2))
    path = _written(tmp_path, network.state_dict())
    checkpoint = open_third_party(path)
    assert [checkpoint.match.architecture, *checkpoint.match.alternatives] == candidates
    with pytest.raises(InputError, match=r"and, with different logits, .*efficientnet_lite0.*; choose one with --arch"):
        to_guide_model(open_third_party(path, normalisation=_normalisation(_ZERO, _ONE)), classes=None, size=64)
    chosen = open_third_party(path, architecture="timm/efficientnet_lite0")
    _assert_same(chosen, network)


def test_normalisation_is_not_guessed_if_matching_networks_differ_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only these are tried, to be fast.
    candidates = ["timm/deit_tiny_patch16_224", "timm/vit_tiny_patch16_224"]
    monkeypatch.setattr(architecture_match, "_of_timm", lambda shapes: candidates)
    network = timm.create_model("vit_tiny_patch16_224", num_classes=2)
    checkpoint = open_third_party(_written(tmp_path, network.state_dict()))
    assert [checkpoint.match.architecture, *checkpoint.match.alternatives] == candidates
    assert checkpoint.normalisation is None


def test_fixed_size_network_rejects_another_size(tmp_path: Path) -> None:
    network = moved(timm.create_model("vit_tiny_patch16_224", num_classes=2))
    checkpoint = open_third_party(
        _written(tmp_path, {"arch": "vit_tiny_patch16_224", "state_dict": network.state_dict()})
    )
    # The normalisation of timm's weights for it, which is not ImageNet's.
    _assert_same(checkpoint, network, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), size=224)
    with pytest.raises(InputError, match=r"vit_tiny_patch16_224 does not accept images of 64 pixels .*with --size"):
        to_guide_model(checkpoint, classes=None, size=64)


def test_number_of_class_names_must_equal_that_of_logits(network: nn.Module, tmp_path: Path) -> None:
    checkpoint = open_third_party(_written(tmp_path, network.state_dict()))
    with pytest.raises(InputError, match="has 4 logits; 2 class names were given"):
        to_guide_model(checkpoint, classes=("a", "b"), size=64)
    assert to_guide_model(checkpoint, classes=None, size=64).description.classes == ("0", "1", "2", "3")


def test_half_precision_becomes_single(network: nn.Module, tmp_path: Path) -> None:
    half: dict[str, Tensor] = {
        name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in network.state_dict().items()
    }
    checkpoint = open_third_party(_written(tmp_path, half))
    assert checkpoint.report()["dtypes"] == ["float16", "int64"]
    guide = to_guide_model(checkpoint, classes=None, size=64)
    assert torch.equal(guide.network.state_dict()["fc.weight"], half["fc.weight"].float())

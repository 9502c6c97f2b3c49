"""Which architecture a file's weights belong to: the one whose names and shapes are exactly theirs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torchvision import models as torchvision_models

from lwise_core.errors import InputError
from lwise_core.vision.architectures import build_network

Shapes = Mapping[str, tuple[int, ...]]
"""Names of a network's weights and buffers, and their shapes."""

_USUAL_CLASSES = 1000
_SHOWN = 4


@dataclass(frozen=True)
class Fit:
    """An architecture whose names and shapes are those of the weights.

    Attributes
    ----------
    told_by : how it is known, in words.
    also : names of others that have the same names and shapes, of those that were looked at.
    """

    architecture: str
    num_classes: int
    told_by: str
    also: tuple[str, ...] = ()


def fit_to(path: Path, weights: Mapping[str, Tensor], architecture: str) -> Fit:
    """Check weights against an architecture that was named.

    Raises
    ------
    InputError
        If there is no such architecture, or the weights are not exactly its own.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    num_classes = _classes_that_fit(architecture, shapes)
    if num_classes is None:
        likely = _classes_of_head(_shapes_of(architecture, _USUAL_CLASSES), shapes) or _USUAL_CLASSES
        raise InputError(
            f"{path}: its weights are not those of {architecture} with {likely} classes: "
            f"{_differences(shapes, _shapes_of(architecture, likely))}. Leave --arch out to look for one that fits"
        )
    return Fit(architecture, num_classes, "--arch")


def find_fit(
    path: Path,
    weights: Mapping[str, Tensor],
    *,
    words: Iterable[str],
    on_progress: Callable[[int, int], None],
) -> Fit:
    """Find the architecture by what the file says of itself, else by trying torchvision's, then timm's.

    Of timm's only those whose first convolution and classifier are named as in the file are built. Networks that differ
    in nothing but what has no weights, such as their activations, cannot be told apart by a file.

    Raises
    ------
    InputError
        If none fits.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    for word in words:
        for name in (word, f"timm/{word}"):
            if _is_known(name) and (num_classes := _classes_that_fit(name, shapes)) is not None:
                return Fit(name, num_classes, f"the file says {word}")
    told_by = "names and shapes of its weights"
    # No two of torchvision have the same, so that the first one is the one.
    for name, num_classes in _fitting(_of_torchvision(), shapes, on_progress):
        return Fit(name, num_classes, told_by)
    if fitting := dict(_fitting(_of_timm(shapes), shapes, on_progress)):
        first, *others = fitting
        return Fit(first, fitting[first], told_by, tuple(others))
    listed = ", ".join(list(shapes)[:_SHOWN])
    raise InputError(
        f"{path}: its {len(shapes)} weights ({listed}, …) are not exactly those of any architecture of torchvision or "
        "timm; if you know which it should be, --arch NAME says where they differ"
    )


def _fitting(
    candidates: Sequence[str], shapes: Shapes, on_progress: Callable[[int, int], None]
) -> Iterator[tuple[str, int]]:
    """Those that fit, each with its number of classes."""
    for done, name in enumerate(candidates, 1):
        num_classes = _classes_that_fit(name, shapes)
        on_progress(done, len(candidates))
        if num_classes is not None:
            yield name, num_classes


def _classes_that_fit(architecture: str, shapes: Shapes) -> int | None:
    """The number of classes with which the architecture has these names and shapes."""
    usual = _shapes_of(architecture, _USUAL_CLASSES)
    if usual == shapes:
        return _USUAL_CLASSES
    num_classes = _classes_of_head(usual, shapes)
    if usual.keys() != shapes.keys() or num_classes is None or _shapes_of(architecture, num_classes) != shapes:
        return None
    return num_classes


def _classes_of_head(usual: Shapes, shapes: Shapes) -> int | None:
    """The first side of the weights that alone differ in it, which are those of the head."""
    differing = {name for name in usual if name in shapes and usual[name] != shapes[name]}
    found = {shapes[name][0] for name in differing if shapes[name] and usual[name][1:] == shapes[name][1:]}
    return found.pop() if len(found) == 1 else None


@functools.cache
def _shapes_of(architecture: str, num_classes: int) -> Shapes:
    """Of a network that is built without memory for its weights."""
    try:
        with torch.device("meta"):
            network = build_network(architecture, num_classes=num_classes, size=224)
    except InputError:
        # Some compute their widths by tensors, which must be real.
        with _WeightsOnMeta():
            network = build_network(architecture, num_classes=num_classes, size=224)
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


class _WeightsOnMeta(TorchFunctionMode):
    """Gives memory to all tensors but those that layers make for their weights."""

    def __torch_function__(
        self, function: Any, types: Any, arguments: Sequence[Any] = (), named: Mapping[str, Any] | None = None
    ) -> Any:
        elsewhere = {"device": "meta"} if function is torch.empty else {}
        return function(*arguments, **{**(named or {}), **elsewhere})


def _is_known(architecture: str) -> bool:
    if architecture.startswith("timm/"):
        return bool(timm.is_model(architecture.removeprefix("timm/")))
    return architecture in torchvision_models.list_models(module=torchvision_models)


def _of_torchvision() -> list[str]:
    """Those that are most often made robust first."""
    names = torchvision_models.list_models(module=torchvision_models)
    return sorted(names, key=lambda name: not name.startswith(("resnet", "wide_resnet")))


def _of_timm(shapes: Shapes) -> list[str]:
    """Those of timm whose first convolution and classifier are in the file."""
    return [f"timm/{name}" for name in timm.list_models() if all(layer in shapes for layer in _landmarks(name))]


def _landmarks(name: str) -> Iterator[str]:
    settings = timm.get_pretrained_cfg(name)
    for layers in (settings.first_conv, settings.classifier) if settings else ():
        for layer in (layers,) if isinstance(layers, str) else layers or ():
            yield f"{layer}.weight"


def _differences(shapes: Shapes, expected: Shapes) -> str:
    extra = [name for name in shapes if name not in expected]
    missing = [name for name in expected if name not in shapes]
    other = [
        f"{name} {shapes[name]} for {expected[name]}"
        for name in shapes
        if name in expected and shapes[name] != expected[name]
    ]
    parts = (("too many", extra), ("missing", missing), ("of another shape", other))
    return "; ".join(
        f"{len(names)} {word} ({', '.join(names[:_SHOWN])}{', …' if len(names) > _SHOWN else ''})"
        for word, names in parts
        if names
    )

"""Find the architecture that a checkpoint's weights belong to, by their exact names and shapes."""

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
class ArchitectureMatch:
    """An architecture with exactly the names and shapes of the weights.

    Attributes
    ----------
    evidence : how it was found, in words.
    alternatives : other architectures with the same names and shapes, among those tried.
    """

    architecture: str
    num_classes: int
    evidence: str
    alternatives: tuple[str, ...] = ()


def match_architecture(path: Path, weights: Mapping[str, Tensor], architecture: str) -> ArchitectureMatch:
    """Check weights against a given architecture.

    Raises
    ------
    InputError
        If there is no such architecture, or the weights do not match it exactly.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    num_classes = _matching_classes(architecture, shapes)
    if num_classes is None:
        likely = _classes_of_head(_shapes_of(architecture, _USUAL_CLASSES), shapes) or _USUAL_CLASSES
        raise InputError(
            f"{path}: its weights are not those of {architecture} with {likely} classes: "
            f"{_differences(shapes, _shapes_of(architecture, likely))}. Leave --arch out to search for one that fits"
        )
    return ArchitectureMatch(architecture, num_classes, "--arch")


def find_architecture(
    path: Path,
    weights: Mapping[str, Tensor],
    *,
    words: Iterable[str],
    on_progress: Callable[[int, int], None],
) -> ArchitectureMatch:
    """Find the architecture from the file's metadata, else by trying those of torchvision, then of timm.

    Only timm models whose first convolution and classifier have the file's names are built. Networks that differ only
    in parts without weights, such as activations, cannot be distinguished.

    Raises
    ------
    InputError
        If none fits.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    for word in words:
        for name in (word, f"timm/{word}"):
            if _is_known(name) and (num_classes := _matching_classes(name, shapes)) is not None:
                return ArchitectureMatch(name, num_classes, f"the file says {word}")
    evidence = "names and shapes of its weights"
    # No two torchvision models have equal names and shapes, so the first match is the only one.
    for name, num_classes in _matching(_of_torchvision(), shapes, on_progress):
        return ArchitectureMatch(name, num_classes, evidence)
    if matches := dict(_matching(_of_timm(shapes), shapes, on_progress)):
        first, *others = matches
        return ArchitectureMatch(first, matches[first], evidence, tuple(others))
    listed = ", ".join(list(shapes)[:_SHOWN])
    raise InputError(
        f"{path}: its {len(shapes)} weights ({listed}, …) are not exactly those of any architecture of torchvision or "
        "timm; if you know the architecture, --arch NAME shows where they differ"
    )


def _matching(
    candidates: Sequence[str], shapes: Shapes, on_progress: Callable[[int, int], None]
) -> Iterator[tuple[str, int]]:
    """The candidates that match, with their number of classes."""
    for done, name in enumerate(candidates, 1):
        num_classes = _matching_classes(name, shapes)
        on_progress(done, len(candidates))
        if num_classes is not None:
            yield name, num_classes


def _matching_classes(architecture: str, shapes: Shapes) -> int | None:
    """The number of classes with which the architecture has these names and shapes, or None."""
    usual = _shapes_of(architecture, _USUAL_CLASSES)
    if usual == shapes:
        return _USUAL_CLASSES
    num_classes = _classes_of_head(usual, shapes)
    if usual.keys() != shapes.keys() or num_classes is None or _shapes_of(architecture, num_classes) != shapes:
        return None
    return num_classes


def _classes_of_head(usual: Shapes, shapes: Shapes) -> int | None:
    """The number of classes of the head: the first dimension of the only weights that differ in it."""
    differing = {name for name in usual if name in shapes and usual[name] != shapes[name]}
    sizes = {shapes[name][0] for name in differing if shapes[name] and usual[name][1:] == shapes[name][1:]}
    return sizes.pop() if len(sizes) == 1 else None


@functools.cache
def _shapes_of(architecture: str, num_classes: int) -> Shapes:
    """Shapes of a network that is built without memory for its weights."""
    try:
        with torch.device("meta"):
            network = build_network(architecture, num_classes=num_classes, size=224)
    except InputError:
        # Some networks compute their widths with tensors, which must be real.
        with _WeightsOnMeta():
            network = build_network(architecture, num_classes=num_classes, size=224)
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


class _WeightsOnMeta(TorchFunctionMode):
    """Puts the tensors that layers create for their weights on the meta device, and no others."""

    def __torch_function__(
        self, function: Any, types: Any, arguments: Sequence[Any] = (), named: Mapping[str, Any] | None = None
    ) -> Any:
        placement = {"device": "meta"} if function is torch.empty else {}
        return function(*arguments, **{**(named or {}), **placement})


def _is_known(architecture: str) -> bool:
    if architecture.startswith("timm/"):
        return bool(timm.is_model(architecture.removeprefix("timm/")))
    return architecture in torchvision_models.list_models(module=torchvision_models)


def _of_torchvision() -> list[str]:
    """Torchvision's models, those with common robust checkpoints first."""
    names = torchvision_models.list_models(module=torchvision_models)
    return sorted(names, key=lambda name: not name.startswith(("resnet", "wide_resnet")))


def _of_timm(shapes: Shapes) -> list[str]:
    """Timm's models whose first convolution and classifier are in the file."""
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

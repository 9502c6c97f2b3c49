"""The initial model of a training: random weights, or pretrained ones with a new head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import nn

from lwise_core.errors import InputError
from lwise_core.vision.guide import GuideDescription, GuideModel, Normalisation, new_guide
from lwise_core.vision.pixels import as_float
from lwise_core.vision.training.batches import Images

_FOR_STATISTICS = 2048
"""Images from which the mean and standard deviation of a data set are estimated."""
_SMALLEST_STD = 1e-3


def new_model(
    description: GuideDescription, images: Images, *, seed: int, normalisation: Normalisation | None = None
) -> GuideModel:
    """A guide model with random weights.

    Parameters
    ----------
    normalisation : None for the mean and standard deviation of up to 2,048 of the images.
    """
    return new_guide(description, normalisation or _normalisation_of(images), seed=seed)


def from_pretrained(model: GuideModel, classes: Sequence[str], *, size: int, seed: int) -> GuideModel:
    """A model with the weights and normalisation of another, and a new head if the classes differ.

    Raises
    ------
    InputError
        If the network has no recognisable head, or does not accept images of that size.
    """
    description = replace(model.description, classes=tuple(classes), size=size)
    initial = new_guide(description, _normalisation_in(model), seed=seed)
    weights = model.state_dict()
    if tuple(classes) != model.description.classes:
        head = head_name(initial)
        weights = {name: value for name, value in weights.items() if not name.startswith(f"{head}.")}
    state = initial.state_dict()
    if unfit := [name for name, value in weights.items() if name not in state or state[name].shape != value.shape]:
        raise InputError(
            f"size is {size}, but the shape of {unfit[0].removeprefix('network.')} depends on the size; expected "
            f"{model.description.size}, the size that the model was trained on"
        )
    initial.load_state_dict({**state, **weights})
    return initial


def head_name(model: GuideModel) -> str:
    """The name, within the guide model, of the last layer with one output per class.

    Raises
    ------
    InputError
        If the network has no such layer.
    """
    n_classes = len(model.description.classes)
    heads: list[str] = [
        name
        for name, module in model.named_modules()
        if (isinstance(module, nn.Linear) and module.out_features == n_classes)
        or (isinstance(module, nn.Conv2d) and module.out_channels == n_classes and module.kernel_size == (1, 1))
    ]
    if not heads:
        raise InputError(
            f"{model.description.architecture}: no layer has {n_classes} outputs and could be the head; choose another "
            "architecture"
        )
    return heads[-1]


def freeze(model: GuideModel, *, convolutions: int, head_only: bool) -> list[nn.Module]:
    """Freeze weights; returns the modules to keep in evaluation mode during training.

    Parameters
    ----------
    convolutions : freeze this many convolutions, in the network's order, and all other weights before the next one.
    head_only : freeze everything but the last layer.

    Raises
    ------
    InputError
        If that would freeze every convolution of the network.
    """
    if head_only:
        head = head_name(model)
        frozen = [module for name, module in _leaves(model.network, "network") if name != head]
    else:
        frozen = list(_first(model, convolutions))
    for module in frozen:
        module.requires_grad_(False)
    if head_only:
        # Some weights belong to no layer, such as the class token of a transformer.
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name.startswith(f"{head}."))
    return frozen


def _first(model: GuideModel, n: int) -> Iterator[nn.Module]:
    """The layers before convolution n, counted from 0; none if n is 0."""
    layers = [layer for _, layer in _leaves(model.network, "network")]
    indices = [index for index, layer in enumerate(layers) if isinstance(layer, nn.Conv2d)]
    if n and n >= len(indices):
        raise InputError(
            f"freeze_convolutions is {n}; {model.description.architecture} has {len(indices)} convolutions, and at "
            "least one must stay trainable; to train the head alone, use head_only"
        )
    return iter(layers[: indices[n]] if n else [])


def _leaves(network: nn.Module, prefix: str) -> list[tuple[str, nn.Module]]:
    return [(name, module) for name, module in network.named_modules(prefix=prefix) if not any(module.children())]


def _normalisation_of(images: Images) -> Normalisation:
    indices = torch.linspace(0, len(images) - 1, min(len(images), _FOR_STATISTICS)).round().long().tolist()
    pixels = as_float(torch.stack([images[index][0] for index in indices]))
    red, green, blue = pixels.mean(dim=(0, 2, 3)).tolist()
    of_red, of_green, of_blue = pixels.std(dim=(0, 2, 3)).clamp_min(_SMALLEST_STD).tolist()
    return Normalisation((red, green, blue), (of_red, of_green, of_blue))


def _normalisation_in(model: GuideModel) -> Normalisation:
    red, green, blue = model.mean.flatten().tolist()
    of_red, of_green, of_blue = model.std.flatten().tolist()
    return Normalisation((red, green, blue), (of_red, of_green, of_blue))

"""The model that a training begins with: a new one, or another's weights with a head for other classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import nn

from lwise_core.errors import InputError
from lwise_core.vision.guide import GuideDescription, GuideModel, Normalisation, new_guide
from lwise_core.vision.pixels import as_float
from lwise_core.vision.training.pictures import Pictures

_FOR_STATISTICS = 2048
"""Pictures from which a data set's mean and standard deviation are taken."""
_SMALLEST_STD = 1e-3


def new_model(
    description: GuideDescription, pictures: Pictures, *, seed: int, normalisation: Normalisation | None = None
) -> GuideModel:
    """Random weights.

    Parameters
    ----------
    normalisation : None: by the mean and standard deviation of up to 2,048 of the pictures.
    """
    return new_guide(description, normalisation or _normalisation_of(pictures), seed=seed)


def fine_tuned_from(model: GuideModel, classes: Sequence[str], *, size: int, seed: int) -> GuideModel:
    """A model's weights and normalisation, with a new head if it has other classes.

    Raises
    ------
    InputError
        If the head cannot be found, or the network does not take pictures of that size.
    """
    description = replace(model.description, classes=tuple(classes), size=size)
    begun = new_guide(description, _normalisation_in(model), seed=seed)
    weights = model.state_dict()
    if tuple(classes) != model.description.classes:
        head = head_name(begun)
        weights = {name: value for name, value in weights.items() if not name.startswith(f"{head}.")}
    kept = begun.state_dict()
    if strange := [name for name, value in weights.items() if name not in kept or kept[name].shape != value.shape]:
        raise InputError(
            f"size is {size}: the network's {strange[0].removeprefix('network.')} has another shape then; expected "
            f"{model.description.size}, the size that the model was trained on"
        )
    begun.load_state_dict({**kept, **weights})
    return begun


def head_name(model: GuideModel) -> str:
    """The name, within the guide model, of the last layer, which has an output for each class.

    Raises
    ------
    InputError
        If the network ends in another kind of layer.
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
            f"{model.description.architecture}: no layer with {n_classes} outputs was found to be the head; choose "
            "another architecture"
        )
    return heads[-1]


def freeze(model: GuideModel, *, convolutions: int, head_only: bool) -> list[nn.Module]:
    """Take weights out of the training; returns the modules that are left in evaluation mode meanwhile.

    Parameters
    ----------
    convolutions : the first so many, in the network's order, and what belongs to them: all weights before the next one.
    head_only : everything but the last layer.

    Raises
    ------
    InputError
        If the network has not more convolutions than that.
    """
    if head_only:
        head = head_name(model)
        frozen = [module for name, module in _leaves(model.network, "network") if name != head]
    else:
        frozen = list(_first(model, convolutions))
    for module in frozen:
        module.requires_grad_(False)
    if head_only:
        # Weights that are a transformer's own and no layer's, such as its class token.
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name.startswith(f"{head}."))
    return frozen


def _first(model: GuideModel, n: int) -> Iterator[nn.Module]:
    """The network's layers before its convolution number n, counted from 0; none if n is 0."""
    layers = [layer for _, layer in _leaves(model.network, "network")]
    places = [place for place, layer in enumerate(layers) if isinstance(layer, nn.Conv2d)]
    if n and n >= len(places):
        raise InputError(
            f"freeze_convolutions is {n}; {model.description.architecture} has {len(places)} convolutions, and one at "
            "least must be left to learn. head_only leaves everything but the head as it is"
        )
    return iter(layers[: places[n]] if n else [])


def _leaves(network: nn.Module, prefix: str) -> list[tuple[str, nn.Module]]:
    return [(name, module) for name, module in network.named_modules(prefix=prefix) if not any(module.children())]


def _normalisation_of(pictures: Pictures) -> Normalisation:
    numbers = torch.linspace(0, len(pictures) - 1, min(len(pictures), _FOR_STATISTICS)).round().long().tolist()
    pixels = as_float(torch.stack([pictures[number][0] for number in numbers]))
    red, green, blue = pixels.mean(dim=(0, 2, 3)).tolist()
    of_red, of_green, of_blue = pixels.std(dim=(0, 2, 3)).clamp_min(_SMALLEST_STD).tolist()
    return Normalisation((red, green, blue), (of_red, of_green, of_blue))


def _normalisation_in(model: GuideModel) -> Normalisation:
    red, green, blue = model.mean.flatten().tolist()
    of_red, of_green, of_blue = model.std.flatten().tolist()
    return Normalisation((red, green, blue), (of_red, of_green, of_blue))

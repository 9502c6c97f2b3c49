"""The guide model: any classifier, including its normalisation, so that it takes images in [0, 1]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from lwise_core.vision.architectures import build_network


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of each channel (red, green, blue), in [0, 1] pixels."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


NONE = Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
"""For networks without normalisation."""

IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""For nearly all networks trained on ImageNet."""


@dataclass(frozen=True)
class GuideDescription:
    """What is needed to rebuild a guide model.

    Attributes
    ----------
    architecture : a name that `architectures.build_network` accepts.
    classes : names of the classes in the order of the logits; their numbers if the model came without names.
    size : side of the images in pixels.
    settings : further arguments of the architecture.
    """

    architecture: str
    classes: tuple[str, ...]
    size: int
    settings: Mapping[str, Any] = field(default_factory=dict)


class GuideModel(nn.Module):
    """Images (N, 3, H, W) in [0, 1] -> logits (N, C)."""

    mean: Tensor
    std: Tensor

    def __init__(self, description: GuideDescription, network: nn.Module, normalisation: Normalisation) -> None:
        super().__init__()
        self.description = description
        self.network = network
        self.register_buffer("mean", torch.tensor(normalisation.mean)[:, None, None])
        self.register_buffer("std", torch.tensor(normalisation.std)[:, None, None])

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network((images - self.mean) / self.std)
        return logits

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self.mean.device


def new_guide(description: GuideDescription, normalisation: Normalisation, *, seed: int) -> GuideModel:
    """A guide model with random weights, reproducible by seed.

    Raises
    ------
    InputError
        If the architecture cannot be built.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GuideModel(description, _network(description), normalisation)


def empty_guide(description: GuideDescription) -> GuideModel:
    """A guide model whose weights and normalisation are then read from a file."""
    return GuideModel(description, _network(description), NONE)


def _network(description: GuideDescription) -> nn.Module:
    return build_network(
        description.architecture,
        num_classes=len(description.classes),
        size=description.size,
        settings=description.settings,
    )

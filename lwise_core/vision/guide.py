"""The guide model: any classifier, with its normalisation inside, so that it takes pictures in [0, 1]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from lwise_core.vision.architectures import build_network


@dataclass(frozen=True)
class Normalisation:
    """What is taken off each channel (red, green, blue), and what it is then divided by, in [0, 1] pixels."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


NONE = Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
"""Of networks that take pictures as they are."""

IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""What nearly every network that was trained on ImageNet expects."""


@dataclass(frozen=True)
class GuideDescription:
    """What is needed to build a guide model again.

    Attributes
    ----------
    architecture : a name that `architectures.build_network` takes.
    classes : their names in the order of the logits; of a model that came without names, the numbers of its logits.
    size : side of its pictures in pixels.
    settings : further arguments of the architecture.
    """

    architecture: str
    classes: tuple[str, ...]
    size: int
    settings: Mapping[str, Any] = field(default_factory=dict)


class GuideModel(nn.Module):
    """Pictures (N, 3, H, W) in [0, 1] -> logits (N, C)."""

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
        """Where it computes."""
        return self.mean.device


def new_guide(description: GuideDescription, normalisation: Normalisation, *, seed: int) -> GuideModel:
    """A guide model with weights drawn at random; the same seed gives the same weights.

    Raises
    ------
    InputError
        If the architecture cannot be built.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GuideModel(description, _network(description), normalisation)


def empty_guide(description: GuideDescription) -> GuideModel:
    """A guide model whose weights and normalisation are about to be read from a file."""
    return GuideModel(description, _network(description), NONE)


def _network(description: GuideDescription) -> nn.Module:
    return build_network(
        description.architecture,
        num_classes=len(description.classes),
        size=description.size,
        settings=description.settings,
    )

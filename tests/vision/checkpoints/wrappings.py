"""Networks wrapped as other programs wrap them, so that the names in their files are the real ones."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def moved(network: nn.Module, *, seed: int = 0) -> nn.Module:
    """The network in evaluation mode, with distinct running statistics, so that swapping two of them is noticed."""
    random = torch.Generator().manual_seed(seed)
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.copy_(torch.randn(buffer.shape, generator=random) * 0.1)
        elif name.endswith("running_var"):
            buffer.copy_(torch.rand(buffer.shape, generator=random) + 0.5)
    return network.eval()


def random_images(size: int = 64) -> Tensor:
    """Three images in [0, 1]."""
    return torch.rand(3, 3, size, size, generator=torch.Generator().manual_seed(5))


class Normaliser(nn.Module):
    """The normaliser of robustness: buffers `new_mean` and `new_std` (3, 1, 1)."""

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("new_mean", torch.tensor(mean)[:, None, None])
        self.register_buffer("new_std", torch.tensor(std)[:, None, None])


class Attacker(nn.Module):
    """The attacker of robustness: holds the network a second time."""

    def __init__(self, model: nn.Module, normalize: nn.Module) -> None:
        super().__init__()
        self.normalize = normalize
        self.model = model


class AttackerModel(nn.Module):
    """The wrapper of robustness and L-WISE."""

    def __init__(
        self, model: nn.Module, mean: tuple[float, ...] = IMAGENET_MEAN, std: tuple[float, ...] = IMAGENET_STD
    ) -> None:
        super().__init__()
        self.normalizer = Normaliser(mean, std)
        self.model = model
        self.attacker = Attacker(model, Normaliser(mean, std))


class CustomForward(nn.Module):
    """The wrapper of robust-models-transfer: takes another argument, and names the network `model` again."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model


class RobustBenchNormaliser(nn.Module):
    """RobustBench's normaliser: buffers of shape (1, 3, 1, 1)."""

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).reshape(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).reshape(1, 3, 1, 1))


def normalise_then(
    model: nn.Module, mean: tuple[float, ...] = IMAGENET_MEAN, std: tuple[float, ...] = IMAGENET_STD
) -> nn.Module:
    """A normalisation before a network, as in RobustBench and the fine-tuning of vits-robustness."""
    both = nn.Module()
    both.normalize = RobustBenchNormaliser(mean, std)
    both.model = model
    return both


def robustness_file(model: Mapping[str, Tensor], **more: object) -> dict[str, object]:
    """The container that robustness writes."""
    return {
        "model": model,
        "optimizer": {"state": {0: {"momentum_buffer": torch.zeros(2)}}, "param_groups": [{"lr": 0.1}]},
        "schedule": None,
        "epoch": 89,
        "amp": None,
        "adv_prec1": torch.tensor(33.25),
        **more,
    }

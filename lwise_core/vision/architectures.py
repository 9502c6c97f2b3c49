"""Networks by name: ours, torchvision's (`resnet50`) and timm's (`timm/xcit_small_12_p16_224`), without weights.

Knows nothing of normalisation, classes' names or files.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from torch import nn
from torchvision import models as torchvision_models

from lwise_core.errors import InputError
from lwise_core.vision.small_resnet import SmallResNet

SMALL_RESNET = "small_resnet"

_TIMM = "timm/"
_OF_SMALL_RESNET = ("width",)
_SHOWN = 5


def build_network(
    architecture: str, *, num_classes: int, size: int, settings: Mapping[str, Any] | None = None
) -> nn.Module:
    """A network with random weights: normalised pictures (N, 3, size, size) -> logits (N, num_classes).

    Parameters
    ----------
    settings : further arguments of the architecture; of `small_resnet`: `width`.

    Raises
    ------
    InputError
        If there is no such architecture, or it cannot be built so.
    """
    chosen = dict(settings or {})
    if architecture == SMALL_RESNET:
        _refuse_strange(architecture, chosen, _OF_SMALL_RESNET)
        return SmallResNet(num_classes=num_classes, size=size, **chosen)
    try:
        if architecture.startswith(_TIMM):
            return _build_of_timm(architecture.removeprefix(_TIMM), num_classes=num_classes, **chosen)
        if architecture in torchvision_models.list_models(module=torchvision_models):
            if architecture in ("googlenet", "inception_v3"):
                # Their second heads serve training from scratch alone, and make `forward` return no tensor.
                chosen = {"aux_logits": False, "init_weights": True, **chosen}
            network: nn.Module = torchvision_models.get_model(
                architecture, weights=None, num_classes=num_classes, **chosen
            )
            return network
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"architecture {architecture}: cannot be built ({error})") from None
    raise InputError(f"architecture {architecture!r} is not known; {_suggestion(architecture)}")


def known_architectures() -> list[str]:
    """Names that `build_network` takes, timm's only where timm is installed."""
    return [SMALL_RESNET, *torchvision_models.list_models(module=torchvision_models), *_names_of_timm()]


def _build_of_timm(name: str, *, num_classes: int, **settings: Any) -> nn.Module:
    try:
        import timm
    except ModuleNotFoundError:
        raise InputError(f"architecture {_TIMM}{name}: needs the package timm; run `pip install timm`") from None
    if not timm.is_model(name):
        raise InputError(f"architecture {_TIMM}{name} is not known; {_suggestion(_TIMM + name)}")
    network: nn.Module = timm.create_model(name, pretrained=False, num_classes=num_classes, **settings)
    return network


def _names_of_timm() -> list[str]:
    try:
        import timm
    except ModuleNotFoundError:
        return []
    return [f"{_TIMM}{name}" for name in timm.list_models()]


def _suggestion(architecture: str) -> str:
    near = difflib.get_close_matches(architecture, known_architectures(), n=_SHOWN, cutoff=0.5)
    return f"expected e.g. {', '.join(near or (SMALL_RESNET, 'resnet50', 'timm/xcit_small_12_p16_224'))}"


def _refuse_strange(architecture: str, settings: Mapping[str, Any], known: tuple[str, ...]) -> None:
    if strange := sorted(settings.keys() - set(known)):
        raise InputError(f"architecture {architecture}: has no {', '.join(strange)}; expected {', '.join(known)}")

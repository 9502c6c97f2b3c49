"""Networks by name: ours, torchvision's (`resnet50`) and timm's (`timm/xcit_small_12_p16_224`), without weights.

Knows nothing of normalisation, class names or files.
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
_SMALL_RESNET_SETTINGS = ("width",)
_N_SUGGESTIONS = 5


def build_network(
    architecture: str, *, num_classes: int, size: int, settings: Mapping[str, Any] | None = None
) -> nn.Module:
    """A network with random weights: normalised images (N, 3, size, size) -> logits (N, num_classes).

    Parameters
    ----------
    settings : further arguments of the architecture; for `small_resnet`: `width`.

    Raises
    ------
    InputError
        If the architecture is unknown, or cannot be built with these settings.
    """
    chosen = dict(settings or {})
    if architecture == SMALL_RESNET:
        _reject_unknown(architecture, chosen, _SMALL_RESNET_SETTINGS)
        return SmallResNet(num_classes=num_classes, size=size, **chosen)
    try:
        if architecture.startswith(_TIMM):
            return _build_timm(architecture.removeprefix(_TIMM), num_classes=num_classes, **chosen)
        if architecture in torchvision_models.list_models(module=torchvision_models):
            if architecture in ("googlenet", "inception_v3"):
                # Their auxiliary heads only serve training from scratch, and `forward` would return a tuple.
                chosen = {"aux_logits": False, "init_weights": True, **chosen}
            network: nn.Module = torchvision_models.get_model(
                architecture, weights=None, num_classes=num_classes, **chosen
            )
            return network
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"architecture {architecture}: cannot be built ({error})") from None
    raise InputError(f"architecture {architecture!r} is not known; {_suggestion(architecture)}")


def known_architectures() -> list[str]:
    """Names that `build_network` accepts, timm's included if it is installed."""
    return [SMALL_RESNET, *torchvision_models.list_models(module=torchvision_models), *_timm_names()]


def _build_timm(name: str, *, num_classes: int, **settings: Any) -> nn.Module:
    try:
        import timm
    except ModuleNotFoundError:
        raise InputError(f"architecture {_TIMM}{name}: needs the package timm; run `pip install timm`") from None
    if not timm.is_model(name):
        raise InputError(f"architecture {_TIMM}{name} is not known; {_suggestion(_TIMM + name)}")
    network: nn.Module = timm.create_model(name, pretrained=False, num_classes=num_classes, **settings)
    return network


def _timm_names() -> list[str]:
    try:
        import timm
    except ModuleNotFoundError:
        return []
    return [f"{_TIMM}{name}" for name in timm.list_models()]


def _suggestion(architecture: str) -> str:
    similar = difflib.get_close_matches(architecture, known_architectures(), n=_N_SUGGESTIONS, cutoff=0.5)
    return f"expected e.g. {', '.join(similar or (SMALL_RESNET, 'resnet50', 'timm/xcit_small_12_p16_224'))}"


def _reject_unknown(architecture: str, settings: Mapping[str, Any], known: tuple[str, ...]) -> None:
    if unknown := sorted(settings.keys() - set(known)):
        raise InputError(
            f"architecture {architecture}: has no setting {', '.join(unknown)}; expected {', '.join(known)}"
        )

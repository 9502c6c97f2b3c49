"""Augmentation as data: a YAML file lists transforms of `torchvision.transforms.v2`.

    margin: 1.15                     # images are loaded this many times larger than the network's input
    transforms:
      - RandomCrop: {size: 100%}     # a percentage of the network's side, in whole pixels

`presets/` has ready ones; any other file works as well.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchvision.transforms import v2

from lwise_core.errors import InputError
from lwise_core.yaml_files import read_yaml

_PRESETS = Path(__file__).parent / "presets"
_MAX_MARGIN = 4.0
_DEFAULT = "small"


@dataclass(frozen=True)
class Augmentation:
    """Random transforms of one image.

    Attributes
    ----------
    loaded_size : side of the images that `apply` expects.
    transforms : applied in order; they draw from PyTorch's global generator.
    """

    loaded_size: int
    transforms: tuple[v2.Transform, ...]

    def apply(self, image: Tensor, *, seed: int) -> Tensor:
        """uint8 (3, loaded_size, loaded_size) -> uint8 (3, size, size). Seeds PyTorch's global generator."""
        torch.default_generator.manual_seed(seed)
        for transform in self.transforms:
            image = transform(image)
        return image


def augmentation(name: str | None, *, size: int) -> Augmentation:
    """The augmentation of a preset or a YAML file, for a network whose input has side `size`.

    Parameters
    ----------
    name : None for the preset `small`.

    Raises
    ------
    InputError
        If there is no such preset or file, it names unknown transforms, or it returns no uint8 images of that size.
    """
    name = name or _DEFAULT
    path = Path(name) if name.endswith((".yaml", ".yml")) else _PRESETS / f"{name}.yaml"
    margin, steps = _read(path, name)
    result = Augmentation(round(size * margin), tuple(_transform(path, step, size) for step in steps))
    _check_result(path, result, size)
    return result


def presets() -> list[str]:
    """Names of the presets."""
    return sorted(path.stem for path in _PRESETS.glob("*.yaml"))


def _read(path: Path, name: str) -> tuple[float, Sequence[Any]]:
    try:
        document = read_yaml(path)
    except FileNotFoundError:
        known = ", ".join(presets())
        raise InputError(f"augment is {name!r}; expected one of {known}, or the path of a .yaml file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); expected a .yaml file") from None
    if not isinstance(document, dict) or document.keys() - {"margin", "transforms"}:
        raise InputError(f"{path}: expected `margin: 1.0` and `transforms:` with a list, and nothing else")
    margin, steps = document.get("margin", 1.0), document.get("transforms")
    if not isinstance(margin, int | float) or not 1 <= margin <= _MAX_MARGIN:
        raise InputError(f"{path}: margin is {margin!r}; expected a number from 1 to {_MAX_MARGIN:g}")
    if not isinstance(steps, list):
        raise InputError(f"{path}: transforms is {steps!r}; expected a list, each `- Name: {{setting: value}}`")
    return margin, steps


def _transform(path: Path, step: Any, size: int) -> v2.Transform:
    name, settings = next(iter(step.items())) if isinstance(step, Mapping) and len(step) == 1 else (step, {})
    transform = getattr(v2, name, None) if isinstance(name, str) else None
    if not (inspect.isclass(transform) and issubclass(transform, v2.Transform) and isinstance(settings or {}, Mapping)):
        raise InputError(
            f"{path}: {step!r} is not a transform; expected a name from torchvision.transforms.v2 with its settings, "
            "such as `- RandomHorizontalFlip: {p: 0.5}`"
        )
    try:
        return transform(**{key: _value(key, value, size) for key, value in (settings or {}).items()})
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: {name} does not accept {settings!r} ({error})") from None


def _value(key: str, value: Any, size: int) -> Any:
    """Convert percentages of the side to pixels, at least one, and names of interpolations to their enumeration."""
    if key == "interpolation":
        return v2.InterpolationMode(value)
    if isinstance(value, str) and value.endswith("%") and value[:-1].replace(".", "", 1).isdecimal():
        return max(1, round(float(value[:-1]) / 100 * size))
    return [_value(key, item, size) for item in value] if isinstance(value, list) else value


def _check_result(path: Path, augmentation: Augmentation, size: int) -> None:
    """Raise InputError now for what would stop the training at its first image."""
    grey = torch.full((3, augmentation.loaded_size, augmentation.loaded_size), 128, dtype=torch.uint8)
    with torch.random.fork_rng(devices=[]):
        try:
            result = augmentation.apply(grey, seed=0)
        except (TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"{path}: cannot transform an image ({error})") from None
    if result.dtype != torch.uint8 or result.shape != (3, size, size):
        raise InputError(
            f"{path}: turns an image of {augmentation.loaded_size} pixels into {result.dtype} {tuple(result.shape)}; "
            f"expected torch.uint8 (3, {size}, {size}). Add a crop to `size: 100%`"
        )

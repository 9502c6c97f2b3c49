"""Augmentation as data: a YAML file names transforms of `torchvision.transforms.v2`, in their order.

    margin: 1.15                     # pictures are loaded so many times as large as the network takes them
    transforms:
      - RandomCrop: {size: 100%}     # a percentage is one of the network's side, in whole pixels

Presets lie in `presets/`; anybody's own file does as well.
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
_LARGEST_MARGIN = 4.0
_FOR_ANY = "small"


@dataclass(frozen=True)
class Augmentation:
    """Random changes of one picture.

    Attributes
    ----------
    loaded_size : side of the pictures that it takes.
    transforms : one after the other; they draw from PyTorch's random numbers.
    """

    loaded_size: int
    transforms: tuple[v2.Transform, ...]

    def apply(self, picture: Tensor, *, seed: int) -> Tensor:
        """uint8 (3, loaded_size, loaded_size) -> uint8 (3, size, size). Sets PyTorch's random numbers."""
        torch.default_generator.manual_seed(seed)
        for transform in self.transforms:
            picture = transform(picture)
        return picture


def augmentation(name: str | None, *, size: int) -> Augmentation:
    """The augmentation of a preset, or of a YAML file, for a network that takes pictures of side `size`.

    Parameters
    ----------
    name : None: the preset `small`.

    Raises
    ------
    InputError
        If there is no such preset or file, or it does not make uint8 pictures of that size by known transforms.
    """
    name = name or _FOR_ANY
    path = Path(name) if name.endswith((".yaml", ".yml")) else _PRESETS / f"{name}.yaml"
    margin, steps = _read(path, name)
    made = Augmentation(round(size * margin), tuple(_transform(path, step, size) for step in steps))
    _try_out(path, made, size)
    return made


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
    if not isinstance(margin, int | float) or not 1 <= margin <= _LARGEST_MARGIN:
        raise InputError(f"{path}: margin is {margin!r}; expected a number from 1 to {_LARGEST_MARGIN:g}")
    if not isinstance(steps, list):
        raise InputError(f"{path}: transforms is {steps!r}; expected a list, each `- Name: {{setting: value}}`")
    return margin, steps


def _transform(path: Path, step: Any, size: int) -> v2.Transform:
    name, settings = next(iter(step.items())) if isinstance(step, Mapping) and len(step) == 1 else (step, {})
    found = getattr(v2, name, None) if isinstance(name, str) else None
    if not (inspect.isclass(found) and issubclass(found, v2.Transform) and isinstance(settings or {}, Mapping)):
        raise InputError(
            f"{path}: {step!r} is no transform; expected a name from torchvision.transforms.v2 with its settings, such "
            "as `- RandomHorizontalFlip: {p: 0.5}`"
        )
    try:
        return found(**{key: _value(key, value, size) for key, value in (settings or {}).items()})
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: {name} cannot be made with {settings!r} ({error})") from None


def _value(key: str, value: Any, size: int) -> Any:
    """Percentages of the side become pixels, one at least; interpolations have names."""
    if key == "interpolation":
        return v2.InterpolationMode(value)
    if isinstance(value, str) and value.endswith("%") and value[:-1].replace(".", "", 1).isdecimal():
        return max(1, round(float(value[:-1]) / 100 * size))
    return [_value(key, one, size) for one in value] if isinstance(value, list) else value


def _try_out(path: Path, made: Augmentation, size: int) -> None:
    """Find out now what would stop the training at its first picture."""
    grey = torch.full((3, made.loaded_size, made.loaded_size), 128, dtype=torch.uint8)
    with torch.random.fork_rng(devices=[]):
        try:
            result = made.apply(grey, seed=0)
        except (TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"{path}: does not take a picture ({error})") from None
    if result.dtype != torch.uint8 or result.shape != (3, size, size):
        raise InputError(
            f"{path}: makes {result.dtype} {tuple(result.shape)} of a picture of {made.loaded_size} pixels; expected "
            f"torch.uint8 (3, {size}, {size}). Let a crop to `size: 100%` be among the transforms"
        )

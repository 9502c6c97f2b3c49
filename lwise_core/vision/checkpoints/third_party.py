"""Models of others become ours: what a file holds, told before anything is written, and a guide model made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor

from lwise_core.errors import InputError
from lwise_core.vision.checkpoints.architecture_match import Fit, find_fit, fit_to
from lwise_core.vision.checkpoints.native import file_sha256
from lwise_core.vision.checkpoints.safe_load import Content, read
from lwise_core.vision.checkpoints.unwrap import Unwrapped, unwrap
from lwise_core.vision.guide import IMAGENET, NONE, GuideDescription, GuideModel, Normalisation, empty_guide

_ARCHITECTURE_WORDS = ("arch", "architecture", "args.arch", "args.model", "args.model_name")
_TIMM = "timm/"
_XCIT = "timm/xcit"
_WRONG_SIZE = (RuntimeError, AssertionError)
"""What networks raise for pictures of a size that they do not take."""


@dataclass(frozen=True)
class Foreign:
    """A model file of others, and how it is understood."""

    path: Path
    sha256: str
    content: Content
    unwrapped: Unwrapped
    fit: Fit
    normalisation: Normalisation | None
    normalisation_from: str

    def report(self) -> dict[str, Any]:
        """All that is known, for people and for the metadata of what it is converted to; plain values."""
        unwrapped, normalisation = self.unwrapped, self.normalisation
        return {
            "file": self.path.name,
            "sha256": self.sha256,
            "format": self.content.format,
            "architecture": self.fit.architecture,
            "told_by": self.fit.told_by,
            "fits_also": list(self.fit.also),
            "num_classes": self.fit.num_classes,
            "n_weights": len(unwrapped.weights),
            "dtypes": sorted({str(tensor.dtype).removeprefix("torch.") for tensor in unwrapped.weights.values()}),
            "mean": None if normalisation is None else list(normalisation.mean),
            "std": None if normalisation is None else list(normalisation.std),
            "normalisation_from": self.normalisation_from,
            "entry": unwrapped.entry,
            "prefix": unwrapped.prefix,
            "dropped_keys": list(unwrapped.dropped),
            "other_entries": list(unwrapped.other_entries),
            "refused_globals": list(self.content.refused),
            "says": dict(unwrapped.facts),
        }


def open_foreign(
    path: Path,
    *,
    architecture: str | None = None,
    trust_pickle: bool = False,
    normalisation: Normalisation | None = None,
    of_dataset: Normalisation | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Foreign:
    """Read a model file of others and find out what it is.

    Parameters
    ----------
    architecture : a name that `architectures.build_network` takes; None: found by the file's own words or its weights.
    trust_pickle : as in `safe_load.read`.
    normalisation : of a file that holds none and says nothing of it.
    of_dataset : the same, but it may give way to what the file holds.
    on_progress : called with (architectures tried, those to try) while looking for one.

    Raises
    ------
    InputError
        If the file cannot be read, holds no weights, or they fit no architecture exactly; if `normalisation`
        contradicts the file.
    """
    content = read(path, trust_pickle=trust_pickle)
    unwrapped = unwrap(path, content.document, content.words)
    fit = (
        find_fit(path, unwrapped.weights, words=_architecture_words(unwrapped.facts), on_progress=on_progress)
        if architecture is None
        else fit_to(path, unwrapped.weights, architecture)
    )
    chosen, source = _normalisation(path, unwrapped, fit, normalisation, of_dataset)
    return Foreign(path, file_sha256(path), content, unwrapped, fit, chosen, source)


def as_guide(foreign: Foreign, *, classes: Sequence[str] | None, size: int) -> GuideModel:
    """The guide model of a file, in evaluation mode, frozen, its weights in 32 bits.

    Parameters
    ----------
    classes : names in the order of the logits; None: their numbers.
    size : side of its pictures in pixels.

    Raises
    ------
    InputError
        If the number of names is another, the network does not take such pictures, holds values that are no finite
        numbers, the file does not tell its normalisation, or several networks with other logits have such weights.
    """
    path, fit = foreign.path, foreign.fit
    if foreign.normalisation is None:
        raise InputError(
            f"{path}: does not say how pictures are normalised, and networks of the kind of {fit.architecture} differ "
            "in that: give --normalisation none if they are taken as they are, as by robust XCiT of vits-robustness, "
            "--normalisation imagenet if by its mean and standard deviation, or --arch"
        )
    names = tuple(classes or map(str, range(fit.num_classes)))
    if len(names) != fit.num_classes:
        raise InputError(f"{path}: has {fit.num_classes} logits; {len(names)} names of classes were given")
    _check_numbers(path, foreign.unwrapped.weights)
    guide = _filled(foreign, GuideDescription(fit.architecture, names, size), foreign.normalisation)
    shown = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    try:
        logits = guide(shown)
    except _WRONG_SIZE as error:
        raise InputError(
            f"{path}: {fit.architecture} does not take pictures of {size} pixels ({error}); give the side that it was "
            "made for by --size"
        ) from None
    _check_alone(foreign, guide, shown, logits)
    return guide


def _architecture_words(facts: Mapping[str, Any]) -> list[str]:
    said = (facts.get(key) for key in _ARCHITECTURE_WORDS)
    return [word for word in said if isinstance(word, str)]


def _normalisation(
    path: Path,
    unwrapped: Unwrapped,
    fit: Fit,
    given: Normalisation | None,
    of_dataset: Normalisation | None,
) -> tuple[Normalisation | None, str]:
    """How pictures are normalised, and who says so; None where a guess would as often be wrong as right."""
    of_file, source = unwrapped.normalisation, "buffers in the file"
    if of_file is None:
        of_file, source = _of_arguments(unwrapped.facts), "arguments of the training in the file"
    if of_file is not None:
        if given not in (None, of_file):
            raise InputError(
                f"{path}: holds its own normalisation, mean {of_file.mean} and std {of_file.std}; leave "
                "--normalisation out"
            )
        return of_file, source
    if given is not None:
        return given, "--normalisation"
    if of_dataset is not None:
        return of_dataset, "the data set"
    of_library = {_of_library(architecture) for architecture in (fit.architecture, *fit.also)}
    if len(of_library) > 1 or fit.architecture.startswith(_XCIT):
        return None, "not known"
    return of_library.pop()


def _of_arguments(facts: Mapping[str, Any]) -> Normalisation | None:
    """From the arguments of timm's training."""
    if facts.get("args.no_normalize") is True:
        return NONE
    mean, std = facts.get("args.mean"), facts.get("args.std")
    if isinstance(mean, list | tuple) and isinstance(std, list | tuple) and len(mean) == len(std) == 3:
        return _as_normalisation(mean, std)
    return None


def _as_normalisation(mean: Sequence[float], std: Sequence[float]) -> Normalisation:
    red, green, blue = zip(map(float, mean), map(float, std), strict=True)
    return Normalisation((red[0], green[0], blue[0]), (red[1], green[1], blue[1]))


def _of_library(architecture: str) -> tuple[Normalisation, str]:
    settings = timm.get_pretrained_cfg(architecture.removeprefix(_TIMM)) if architecture.startswith(_TIMM) else None
    if settings is None or len(settings.mean) != 3:
        return IMAGENET, "the file holds none; that of ImageNet is taken"
    return _as_normalisation(settings.mean, settings.std), "the file holds none; that of timm's own weights is taken"


def _check_numbers(path: Path, weights: Mapping[str, Tensor]) -> None:
    for name, tensor in weights.items():
        if tensor.layout != torch.strided or tensor.is_quantized:
            raise InputError(f"{path}: {name} is quantised or sparse; expected ordinary numbers")
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise InputError(f"{path}: {name} holds values that are no finite numbers; the training must have failed")


def _filled(foreign: Foreign, description: GuideDescription, normalisation: Normalisation) -> GuideModel:
    guide = empty_guide(description)
    try:
        guide.network.load_state_dict(dict(foreign.unwrapped.weights))
    except RuntimeError as error:
        raise InputError(
            f"{foreign.path}: its weights do not fit {description.architecture} at {description.size} pixels ({error})"
        ) from None
    guide.mean.copy_(torch.tensor(normalisation.mean)[:, None, None])
    guide.std.copy_(torch.tensor(normalisation.std)[:, None, None])
    return guide.eval().requires_grad_(False)


def _check_alone(foreign: Foreign, guide: GuideModel, shown: Tensor, logits: Tensor) -> None:
    """Refuse to choose between networks that make other logits of the same weights, by their padding perhaps."""
    others = []
    for architecture in foreign.fit.also:
        other = _filled(foreign, replace(guide.description, architecture=architecture), foreign.normalisation or NONE)
        with suppress(*_WRONG_SIZE):
            if not torch.allclose(other(shown), logits, rtol=1e-3, atol=1e-3 * float(logits.abs().max())):
                others.append(architecture)
    if others:
        raise InputError(
            f"{foreign.path}: its weights are those of {foreign.fit.architecture} and, with other logits, of "
            f"{', '.join(others)}; choose by --arch"
        )

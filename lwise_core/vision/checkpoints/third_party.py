"""Third-party checkpoints: find out what a model file holds, and convert it to a guide model."""

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
from lwise_core.vision.checkpoints.architecture_match import ArchitectureMatch, find_architecture, match_architecture
from lwise_core.vision.checkpoints.native import file_sha256
from lwise_core.vision.checkpoints.safe_load import Content, read
from lwise_core.vision.checkpoints.unwrap import Unwrapped, unwrap
from lwise_core.vision.guide import IMAGENET, NONE, GuideDescription, GuideModel, Normalisation, empty_guide

_ARCHITECTURE_WORDS = ("arch", "architecture", "args.arch", "args.model", "args.model_name")
_TIMM = "timm/"
_XCIT = "timm/xcit"
_WRONG_SIZE = (RuntimeError, AssertionError)
"""What networks raise for images of a size that they do not accept."""


@dataclass(frozen=True)
class ThirdPartyCheckpoint:
    """A third-party model file and what was found out about it."""

    path: Path
    sha256: str
    content: Content
    unwrapped: Unwrapped
    match: ArchitectureMatch
    normalisation: Normalisation | None
    normalisation_from: str

    def report(self) -> dict[str, Any]:
        """Everything known, as plain values: for people, and for the metadata of the converted model."""
        unwrapped, normalisation = self.unwrapped, self.normalisation
        return {
            "file": self.path.name,
            "sha256": self.sha256,
            "format": self.content.format,
            "architecture": self.match.architecture,
            "told_by": self.match.evidence,
            "fits_also": list(self.match.alternatives),
            "num_classes": self.match.num_classes,
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


def open_third_party(
    path: Path,
    *,
    architecture: str | None = None,
    trust_pickle: bool = False,
    normalisation: Normalisation | None = None,
    of_dataset: Normalisation | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> ThirdPartyCheckpoint:
    """Read a third-party model file and find its architecture and normalisation.

    Parameters
    ----------
    architecture : a name that `architectures.build_network` accepts; None to infer it from the file.
    trust_pickle : as in `safe_load.read`.
    normalisation : for a file that does not give one.
    of_dataset : the same, but overridden by what the file gives.
    on_progress : called with (architectures tried, total) while searching.

    Raises
    ------
    InputError
        If the file cannot be read, holds no weights, or they fit no architecture exactly; if `normalisation`
        contradicts the file.
    """
    content = read(path, trust_pickle=trust_pickle)
    unwrapped = unwrap(path, content.document, content.metadata)
    match = (
        find_architecture(path, unwrapped.weights, words=_architecture_words(unwrapped.facts), on_progress=on_progress)
        if architecture is None
        else match_architecture(path, unwrapped.weights, architecture)
    )
    chosen, source = _normalisation(path, unwrapped, match, normalisation, of_dataset)
    return ThirdPartyCheckpoint(path, file_sha256(path), content, unwrapped, match, chosen, source)


def to_guide_model(checkpoint: ThirdPartyCheckpoint, *, classes: Sequence[str] | None, size: int) -> GuideModel:
    """Convert a checkpoint to a guide model, in evaluation mode, frozen, with 32-bit weights.

    Parameters
    ----------
    classes : names in the order of the logits; None for their numbers.
    size : side of the input images in pixels.

    Raises
    ------
    InputError
        If the number of names differs, the network does not accept such images, weights are not finite, the
        normalisation is unknown, or the weights fit several architectures that compute different logits.
    """
    path, match = checkpoint.path, checkpoint.match
    if checkpoint.normalisation is None:
        raise InputError(
            f"{path}: does not give its normalisation, and networks like {match.architecture} differ in it: give "
            "--normalisation none if the network expects images in [0, 1], as robust XCiT of vits-robustness does, "
            "--normalisation imagenet if it expects ImageNet's mean and standard deviation, or --arch"
        )
    names = tuple(classes or map(str, range(match.num_classes)))
    if len(names) != match.num_classes:
        raise InputError(f"{path}: has {match.num_classes} logits; {len(names)} class names were given")
    _check_numbers(path, checkpoint.unwrapped.weights)
    guide = _load_weights(checkpoint, GuideDescription(match.architecture, names, size), checkpoint.normalisation)
    images = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    try:
        logits = guide(images)
    except _WRONG_SIZE as error:
        raise InputError(
            f"{path}: {match.architecture} does not accept images of {size} pixels ({error}); give the size that it "
            "was trained at with --size"
        ) from None
    _check_unambiguous(checkpoint, guide, images, logits)
    return guide


def _architecture_words(facts: Mapping[str, Any]) -> list[str]:
    values = (facts.get(key) for key in _ARCHITECTURE_WORDS)
    return [word for word in values if isinstance(word, str)]


def _normalisation(
    path: Path,
    unwrapped: Unwrapped,
    match: ArchitectureMatch,
    requested: Normalisation | None,
    of_dataset: Normalisation | None,
) -> tuple[Normalisation | None, str]:
    """The normalisation and where it was found; None where a guess would be as often wrong as right."""
    of_file, source = unwrapped.normalisation, "buffers in the file"
    if of_file is None:
        of_file, source = _of_arguments(unwrapped.facts), "arguments of the training in the file"
    if of_file is not None:
        if requested not in (None, of_file):
            raise InputError(
                f"{path}: holds its own normalisation, mean {of_file.mean} and std {of_file.std}; leave "
                "--normalisation out"
            )
        return of_file, source
    if requested is not None:
        return requested, "--normalisation"
    if of_dataset is not None:
        return of_dataset, "the data set"
    of_library = {_of_library(architecture) for architecture in (match.architecture, *match.alternatives)}
    if len(of_library) > 1 or match.architecture.startswith(_XCIT):
        return None, "not known"
    return of_library.pop()


def _of_arguments(facts: Mapping[str, Any]) -> Normalisation | None:
    """Read it from the arguments of a timm training."""
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
        return IMAGENET, "not in the file; ImageNet's is used"
    return _as_normalisation(settings.mean, settings.std), "not in the file; that of timm's weights is used"


def _check_numbers(path: Path, weights: Mapping[str, Tensor]) -> None:
    for name, tensor in weights.items():
        if tensor.layout != torch.strided or tensor.is_quantized:
            raise InputError(f"{path}: {name} is quantised or sparse; expected ordinary numbers")
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise InputError(f"{path}: {name} holds values that are not finite; the training must have failed")


def _load_weights(
    checkpoint: ThirdPartyCheckpoint, description: GuideDescription, normalisation: Normalisation
) -> GuideModel:
    guide = empty_guide(description)
    try:
        guide.network.load_state_dict(dict(checkpoint.unwrapped.weights))
    except RuntimeError as error:
        raise InputError(
            f"{checkpoint.path}: its weights do not fit {description.architecture} at {description.size} pixels "
            f"({error})"
        ) from None
    guide.mean.copy_(torch.tensor(normalisation.mean)[:, None, None])
    guide.std.copy_(torch.tensor(normalisation.std)[:, None, None])
    return guide.eval().requires_grad_(False)


def _check_unambiguous(checkpoint: ThirdPartyCheckpoint, guide: GuideModel, images: Tensor, logits: Tensor) -> None:
    """Reject weights that fit several networks with different logits, for example through their padding."""
    others = []
    for architecture in checkpoint.match.alternatives:
        other = _load_weights(
            checkpoint, replace(guide.description, architecture=architecture), checkpoint.normalisation or NONE
        )
        with suppress(*_WRONG_SIZE):
            if not torch.allclose(other(images), logits, rtol=1e-3, atol=1e-3 * float(logits.abs().max())):
                others.append(architecture)
    if others:
        raise InputError(
            f"{checkpoint.path}: its weights fit {checkpoint.match.architecture} and, with different logits, "
            f"{', '.join(others)}; choose one with --arch"
        )

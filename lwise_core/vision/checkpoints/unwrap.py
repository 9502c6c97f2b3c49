"""Unwrap the content of a model file to the weights of one network, under the names of its architecture.

Programs wrap a network before they save it: in DataParallel (`module.`), in a compiled module (`_orig_mod.`), in an
attacker that normalises images (`model.`, `normalizer.`, `attacker.`), in a moving average (`n_averaged`). This module
removes the wrappers, extracts the normalisation, and lists what was not used.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lwise_core.errors import InputError
from lwise_core.vision.checkpoints.inert_pickle import Inert
from lwise_core.vision.guide import Normalisation

_ENTRIES = ("state_dict_ema", "model_ema", "ema", "state_dict", "model_state_dict", "model", "best", "net", "last")
"""Where containers hold weights, in order of preference: moving averages are what their authors evaluated."""

_ARGUMENTS = "args"
_WRAPPERS = ("module", "_orig_mod", "model")
_NORMALISERS = {"new_mean": "new_std", "mean": "std", "mu": "sigma"}


@dataclass(frozen=True)
class Unwrapped:
    """The weights of a network, and what else the file contains.

    Attributes
    ----------
    weights : under the names of the architecture.
    normalisation : None if the file holds none.
    entry : the container's entry with the weights; None if the file holds nothing but weights.
    prefix : removed from every name, e.g. `module.model.`.
    dropped : names of tensors that belong to a wrapper.
    other_entries : unused entries of the container.
    facts : plain values beside the weights: epoch, accuracy, `arch`, arguments of the training.
    """

    weights: Mapping[str, Tensor]
    normalisation: Normalisation | None
    entry: str | None
    prefix: str
    dropped: tuple[str, ...]
    other_entries: tuple[str, ...]
    facts: Mapping[str, Any]


def unwrap(path: Path, document: Any, metadata: Mapping[str, str]) -> Unwrapped:
    """Find the weights in a document of `safe_load.read` and remove the wrappers.

    Raises
    ------
    InputError
        If there are no weights, or several normalisations, or one that is not for images in [0, 1].
    """
    entry, tensors = _find_weights(path, document)
    container = document if entry is not None else {}
    tensors, dropped = _without_attackers(tensors)
    tensors, normalisations = _extract_normalisations(path, tensors)
    weights, prefix = _without_wrappers(tensors)
    return Unwrapped(
        weights=weights,
        normalisation=_only_normalisation(path, normalisations),
        entry=entry,
        prefix=prefix,
        dropped=tuple(dropped),
        other_entries=tuple(
            str(name) for name, value in container.items() if name not in (entry, _ARGUMENTS) and not _is_plain(value)
        ),
        facts={**metadata, **_facts(container)},
    )


def _find_weights(path: Path, document: Any) -> tuple[str | None, dict[str, Tensor]]:
    """The container's entry with the weights, or None if the document itself is weights."""
    if _is_weights(document):
        return None, dict(document)
    if isinstance(document, Mapping):
        holding = [name for name, value in document.items() if isinstance(name, str) and _is_weights(value)]
        for name in (*_ENTRIES, *holding[:1]):
            if name in holding:
                return name, dict(document[name])
        if objects := [value.of for value in document.values() if isinstance(value, Inert)]:
            raise InputError(
                f"{path}: holds pickled objects ({', '.join(objects)}) and no weights; if you trust the file, open "
                "it with the program that wrote it, save the network's state_dict(), and convert that"
            )
    raise InputError(f"{path}: holds no weights; expected a dictionary of tensors, such as a network's state_dict()")


def _is_weights(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and len(value) > 0
        and all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in value.items())
    )


def _without_attackers(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Remove the copy of the network in an attacker and the counter of a moving average."""
    dropped = [name for name in tensors if not {"attacker", "n_averaged"}.isdisjoint(name.split("."))]
    return {name: tensor for name, tensor in tensors.items() if name not in dropped}, dropped


def _extract_normalisations(
    path: Path, tensors: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], dict[str, Normalisation]]:
    """The remaining tensors, and normalisations by the name of their mean."""
    remaining = dict(tensors)
    normalisations = {}
    for name in tensors:
        stem, _, last = name.rpartition(".")
        other = f"{stem}.{_NORMALISERS.get(last)}".removeprefix(".")
        if last in _NORMALISERS and other in tensors and tensors[name].numel() == tensors[other].numel() == 3:
            normalisations[name] = _normalisation(path, name, remaining.pop(name), remaining.pop(other))
    return remaining, normalisations


def _normalisation(path: Path, name: str, mean: Tensor, std: Tensor) -> Normalisation:
    means, stds = (tuple(map(_shortest, values.flatten())) for values in (mean, std))
    if not all(0 <= value <= 1 for value in means) or not all(0 < value <= 1 for value in stds):
        raise InputError(
            f"{path}: {name} and its standard deviation are {means} and {stds}; expected a normalisation of images in "
            "[0, 1]"
        )
    return Normalisation(means, stds)  # type: ignore[arg-type]


def _shortest(value: Tensor) -> float:
    """0.485 instead of 0.48500001430511475, which is the same number in 32 bits."""
    exact = float(value)
    rounded = float(f"{exact:.7g}")
    return rounded if torch.tensor(rounded, dtype=torch.float32) == torch.tensor(exact, dtype=torch.float32) else exact


def _only_normalisation(path: Path, normalisations: Mapping[str, Normalisation]) -> Normalisation | None:
    """The normalisation, of which nested attackers hold equal copies."""
    if len(set(normalisations.values())) > 1:
        listing = "; ".join(f"{name} {one.mean}, {one.std}" for name, one in normalisations.items())
        raise InputError(f"{path}: holds different normalisations ({listing}); expected one")
    return next(iter(normalisations.values()), None)


def _without_wrappers(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """Remove wrapper prefixes that all names share, and `_orig_mod` anywhere in a name."""
    prefix = ""
    names = {name: ".".join(part for part in name.split(".") if part != "_orig_mod") for name in tensors}
    while names and (first := _common_wrapper(names.values())):
        prefix += f"{first}."
        names = {name: inner.removeprefix(f"{first}.") for name, inner in names.items()}
    if any("_orig_mod" in name for name in tensors):
        prefix += "_orig_mod."
    return {inner: tensors[name] for name, inner in names.items()}, prefix


def _common_wrapper(names: Any) -> str | None:
    firsts = {name.partition(".")[0] for name in names}
    return firsts.pop() if len(firsts) == 1 and firsts <= set(_WRAPPERS) else None


def _facts(container: Mapping[Any, Any]) -> dict[str, Any]:
    """Plain values of a container, and those of its `args` as `args.NAME`."""
    facts = {str(name): _plain(value) for name, value in container.items() if _is_plain(value)}
    arguments = container.get(_ARGUMENTS)
    if isinstance(arguments, argparse.Namespace):
        arguments = vars(arguments)
    if isinstance(arguments, Mapping):
        facts |= {f"{_ARGUMENTS}.{name}": _plain(value) for name, value in arguments.items() if _is_plain(value)}
    return facts


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(isinstance(item, bool | int | float | str) for item in value)
    return value is None or isinstance(value, bool | int | float | str) or _is_number(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, Tensor) and value.numel() == 1


def _plain(value: Any) -> Any:
    return value.item() if _is_number(value) else value

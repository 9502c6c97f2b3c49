"""From what a model file holds to the weights of one network, under the names that its architecture gives them.

Programs wrap a network in others before they save it: in DataParallel (`module.`), in a compiled module (`_orig_mod.`),
in an attacker that normalises pictures (`model.`, `normalizer.`, `attacker.`), in a moving average (`n_averaged`). Here
the wrappings are taken off, the normalisation is lifted out, and all that was left out is kept as a list.
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
"""Where containers hold weights, the preferred first: moving averages are what their authors measured."""

_ARGUMENTS = "args"
_WRAPPERS = ("module", "_orig_mod", "model")
_NORMALISERS = {"new_mean": "new_std", "mean": "std", "mu": "sigma"}


@dataclass(frozen=True)
class Unwrapped:
    """The weights of a network, and what else the file says.

    Attributes
    ----------
    weights : named as the architecture names them.
    normalisation : if the file holds one.
    entry : of the container, in which the weights were; None where the file is nothing but weights.
    prefix : what was taken off every name, e.g. `module.model.`.
    dropped : names of tensors that belong to a wrapping.
    other_entries : further entries of the container, of which nothing was taken.
    facts : numbers and words that stand beside the weights: epoch, accuracy, `arch`, arguments of the training.
    """

    weights: Mapping[str, Tensor]
    normalisation: Normalisation | None
    entry: str | None
    prefix: str
    dropped: tuple[str, ...]
    other_entries: tuple[str, ...]
    facts: Mapping[str, Any]


def unwrap(path: Path, document: Any, words: Mapping[str, str]) -> Unwrapped:
    """Find the weights in a document of `reading.read` and take the wrappings off.

    Raises
    ------
    InputError
        If there are no weights, or two different normalisations, or one that is none of pictures in [0, 1].
    """
    entry, tensors = _find_weights(path, document)
    container = document if entry is not None else {}
    kept, dropped = _without_attackers(tensors)
    kept, normalisations = _lift_normalisations(path, kept)
    weights, prefix = _without_wrappers(kept)
    return Unwrapped(
        weights=weights,
        normalisation=_the_one(path, normalisations),
        entry=entry,
        prefix=prefix,
        dropped=tuple(dropped),
        other_entries=tuple(
            str(name) for name, value in container.items() if name not in (entry, _ARGUMENTS) and not _is_plain(value)
        ),
        facts={**words, **_facts(container)},
    )


def _find_weights(path: Path, document: Any) -> tuple[str | None, dict[str, Tensor]]:
    """The entry of the container with the weights, or None where the document is nothing but weights."""
    if _is_weights(document):
        return None, dict(document)
    if isinstance(document, Mapping):
        holding = [name for name, value in document.items() if isinstance(name, str) and _is_weights(value)]
        for name in (*_ENTRIES, *holding[:1]):
            if name in holding:
                return name, dict(document[name])
        if objects := [value.of for value in document.values() if isinstance(value, Inert)]:
            raise InputError(
                f"{path}: holds pickled objects ({', '.join(objects)}) and no weights; where you trust the file, open "
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
    """Without the copy of the network in an attacker and the counter of a moving average."""
    dropped = [name for name in tensors if not {"attacker", "n_averaged"}.isdisjoint(name.split("."))]
    return {name: tensor for name, tensor in tensors.items() if name not in dropped}, dropped


def _lift_normalisations(
    path: Path, tensors: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], dict[str, Normalisation]]:
    """The other tensors, and normalisations by the name of their mean."""
    rest = dict(tensors)
    found = {}
    for name in tensors:
        stem, _, last = name.rpartition(".")
        other = f"{stem}.{_NORMALISERS.get(last)}".removeprefix(".")
        if last in _NORMALISERS and other in tensors and tensors[name].numel() == tensors[other].numel() == 3:
            found[name] = _normalisation(path, name, rest.pop(name), rest.pop(other))
    return rest, found


def _normalisation(path: Path, name: str, mean: Tensor, std: Tensor) -> Normalisation:
    means, stds = (tuple(map(_shortest, values.flatten())) for values in (mean, std))
    if not all(0 <= value <= 1 for value in means) or not all(0 < value <= 1 for value in stds):
        raise InputError(
            f"{path}: {name} and what belongs to it are {means} and {stds}; expected a normalisation of pictures in "
            "[0, 1]"
        )
    return Normalisation(means, stds)  # type: ignore[arg-type]


def _shortest(value: Tensor) -> float:
    """0.485 and not 0.48500001430511475, which is the same number in 32 bits."""
    exact = float(value)
    rounded = float(f"{exact:.7g}")
    return rounded if torch.tensor(rounded, dtype=torch.float32) == torch.tensor(exact, dtype=torch.float32) else exact


def _the_one(path: Path, found: Mapping[str, Normalisation]) -> Normalisation | None:
    """Nested attackers hold one each; pictures are normalised once."""
    if len(set(found.values())) > 1:
        held = "; ".join(f"{name} {one.mean}, {one.std}" for name, one in found.items())
        raise InputError(f"{path}: holds different normalisations ({held}); expected one")
    return next(iter(found.values()), None)


def _without_wrappers(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """Take off what all names begin with; inside of a name only `_orig_mod` is a wrapping without doubt."""
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
    """Plain values of a container, and those of its `args`, as `args.NAME`."""
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

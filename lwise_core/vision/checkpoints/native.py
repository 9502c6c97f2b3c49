"""The native model file: one safetensors file with the weights and, as metadata, the description of the model.

Safetensors holds numbers and text only, so opening an untrusted file cannot run code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from lwise_core import atomic_files
from lwise_core.errors import InputError
from lwise_core.vision.guide import GuideDescription, GuideModel, empty_guide

_METADATA_KEY = "lwise"
"""All metadata is one JSON text: safetensors writes several keys in random order; equal models must be equal files."""
_PROVENANCE_KEY = "origin"


def save_model(
    path: Path,
    model: GuideModel,
    *,
    training: Mapping[str, Any],
    metrics: Mapping[str, Any],
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Save a model with its training settings and its accuracy.

    Parameters
    ----------
    provenance : of a converted model: the source file, and what of it was not used.
    """
    description = {"model": asdict(model.description), "training": training, "metrics": metrics}
    if provenance is not None:
        description[_PROVENANCE_KEY] = provenance
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    atomic_files.write_bytes(path, save(weights, metadata={_METADATA_KEY: json.dumps(description)}))


def load_model(path: Path) -> GuideModel:
    """Read a model written by `save_model`, in evaluation mode, its weights frozen.

    Raises
    ------
    InputError
        If the file is missing or not a native model file.
    """
    description, weights = _read(path)
    model = empty_guide(_model_description(path, description["model"]))
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(f"{path}: its weights do not fit its own description ({error})") from None
    return model.eval().requires_grad_(False)


def model_metrics(path: Path) -> dict[str, Any]:
    """The accuracy recorded in a model's file."""
    description, _ = _read(path)
    metrics: dict[str, Any] = description["metrics"]
    return metrics


def model_provenance(path: Path) -> dict[str, Any] | None:
    """The file from which a model was converted, and what of it was not used; None for a model trained by lwise."""
    description, _ = _read(path)
    provenance: dict[str, Any] | None = description.get(_PROVENANCE_KEY)
    return provenance


def is_native(path: Path) -> bool:
    """Whether `save_model` wrote a file; other files are for `checkpoints.third_party`."""
    try:
        with safe_open(path, framework="pt") as file:
            return _METADATA_KEY in (file.metadata() or {})
    except (OSError, SafetensorError):
        return False


def file_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file: the name under which provenance records a model."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The description of a model and its weights."""
    if not path.is_file():
        raise InputError(f"{path}: no such model file; make one with `lwise train`")
    try:
        with safe_open(path, framework="pt") as file:
            description = json.loads((file.metadata() or {}).get(_METADATA_KEY, "{}"))
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        remedy = "make one with `lwise checkpoints convert`"
        raise InputError(f"{path}: not a safetensors file ({error}); {remedy}") from None
    except ValueError as error:
        raise InputError(f"{path}: its description is not JSON ({error}); expected a file from `lwise train`") from None
    if not isinstance(description, dict) or "model" not in description:
        raise InputError(
            f"{path}: does not describe its model; expected a file from `lwise train`, or make one with "
            "`lwise checkpoints convert`"
        )
    return description, weights


def _model_description(path: Path, values: Any) -> GuideDescription:
    try:
        return GuideDescription(**{**values, "classes": tuple(values["classes"])})
    except (TypeError, KeyError):
        raise InputError(f"{path}: written by another version of lwise; train or convert it again") from None

"""Provenance of variants: their provenance.json, and the file beside a manifest with that of published variants."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lwise_core import atomic_files
from lwise_core.errors import InputError
from lwise_core.experiments.study import VariantProvenance
from lwise_core.file_names import PROVENANCE_FILE

Provenance = Mapping[str, Any]
"""The content of a provenance.json; empty if there is none."""


def read_provenance(folder: Path) -> Provenance:
    """The provenance in a variant's folder.

    Raises
    ------
    InputError
        If its provenance.json is not a JSON object.
    """
    return _json_object(folder / PROVENANCE_FILE)


def read_published_provenance(manifest: Path) -> dict[str, Provenance]:
    """The provenance recorded beside a manifest, by variant; empty for manifests of earlier versions.

    Raises
    ------
    InputError
        If the file does not have a JSON object for each variant.
    """
    path = _beside(manifest)
    by_variant = _json_object(path)
    if invalid := [variant for variant, provenance in by_variant.items() if not isinstance(provenance, dict)]:
        raise InputError(f"{path}: {invalid[0]}: expected a JSON object; make it with `lwise stimuli publish`")
    return by_variant


def write_published_provenance(manifest: Path, by_variant: Mapping[str, Provenance]) -> None:
    """Write the file beside a manifest, sorted by variant; variants of unknown provenance are omitted."""
    known = {variant: dict(provenance) for variant, provenance in by_variant.items() if provenance}
    atomic_files.write_text(_beside(manifest), json.dumps(known, indent=2, sort_keys=True) + "\n")


def summarise(by_variant: Mapping[str, Provenance], variants: Iterable[str]) -> tuple[VariantProvenance, ...]:
    """The provenance that a study stores of its variants; variants of unknown provenance are omitted."""
    return tuple(_summary(variant, by_variant[variant]) for variant in sorted(set(variants)) if by_variant.get(variant))


def _summary(variant: str, provenance: Provenance) -> VariantProvenance:
    epsilon = provenance.get("epsilon")
    return VariantProvenance(
        variant=variant,
        epsilon=float(epsilon) if isinstance(epsilon, int | float) and math.isfinite(epsilon) else None,
        method=_method(provenance),
        model_sha256=_text(provenance.get("model_sha256")),
        package_version=_text(provenance.get("package_version")),
    )


def _method(provenance: Provenance) -> str | None:
    objective = _text(provenance.get("objective"))
    if objective is None:
        return _text(provenance.get("method"))
    return f"{objective}, lowered" if provenance.get("lower", provenance.get("turned")) is True else objective


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _beside(manifest: Path) -> Path:
    return manifest.with_name(f"{manifest.stem}.provenance.json")


def _json_object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_reject_constant)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error})") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON object, found {type(content).__name__}")
    return content


def _reject_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")

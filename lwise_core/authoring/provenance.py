"""How each variant was made: its provenance.json, and the file beside a manifest that keeps those of published ones."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lwise_core import atomic_files
from lwise_core.errors import InputError
from lwise_core.experiments.study import VariantProvenance

Provenance = Mapping[str, Any]
"""The content of a provenance.json; empty where there is none."""


def read_provenance(folder: Path) -> Provenance:
    """What a variant's folder says of how it was made.

    Raises
    ------
    InputError
        If its provenance.json is no JSON object.
    """
    return _json_object(folder / "provenance.json")


def read_published_provenance(manifest: Path) -> dict[str, Provenance]:
    """What is recorded beside a manifest, by variant; of manifests of earlier versions nothing is.

    Raises
    ------
    InputError
        If the file does not hold a JSON object for each variant.
    """
    path = _beside(manifest)
    recorded = _json_object(path)
    if strange := [variant for variant, told in recorded.items() if not isinstance(told, dict)]:
        raise InputError(f"{path}: {strange[0]}: expected a JSON object; make it with `lwise stimuli publish`")
    return dict(recorded)


def write_published_provenance(manifest: Path, by_variant: Mapping[str, Provenance]) -> None:
    """Write the file beside a manifest, sorted by variant; nothing for variants of which nothing is known."""
    known = {variant: dict(told) for variant, told in by_variant.items() if told}
    atomic_files.write_text(_beside(manifest), json.dumps(known, indent=2, sort_keys=True) + "\n")


def summarise(by_variant: Mapping[str, Provenance], variants: Iterable[str]) -> tuple[VariantProvenance, ...]:
    """What a study keeps of the provenance of its variants; those of which nothing is known are left out."""
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
    return f"{objective}, lowered" if provenance.get("turned") is True else objective


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _beside(manifest: Path) -> Path:
    return manifest.with_name(f"{manifest.stem}.provenance.json")


def _json_object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error})") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: expected a JSON object, found {type(found).__name__}")
    return found


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")

"""Add published variants to an existing manifest: other variants keep their rows, and names keep their meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from lwise_core.authoring.manifest import Published, read_manifest, write_manifest
from lwise_core.authoring.provenance import (
    Provenance,
    read_published_provenance,
    write_published_provenance,
)
from lwise_core.errors import raise_if_any


@dataclass(frozen=True)
class Publication:
    """Rows of a manifest, and the provenance of its variants as far as it is known."""

    rows: Published
    provenance: Mapping[str, Provenance]


def read_publication(manifest: Path) -> Publication:
    """What has been published so far; empty if there is no manifest.

    Raises
    ------
    InputError
        Naming everything that is wrong with the files.
    """
    if not manifest.exists():
        return Publication({}, {})
    return Publication(read_manifest(manifest), read_published_provenance(manifest))


def write_publication(manifest: Path, publication: Publication) -> None:
    """Write both files, provenance first, so that no row lacks its provenance."""
    write_published_provenance(manifest, publication.provenance)
    write_manifest(manifest, publication.rows)


def merged(before: Publication, new: Publication, *, overwrite: bool, manifest: Path) -> Publication:
    """Existing and new rows together.

    Parameters
    ----------
    overwrite : whether a different variant may take over an existing name; the existing one gets a version suffix
        (`eps8@1`), for the studies that showed it.

    Raises
    ------
    InputError
        Naming every such variant, without `overwrite`.
    """
    conflicting = [
        variant for variant in sorted({variant for variant, _ in new.rows}) if _differs(variant, before, new)
    ]
    if not overwrite:
        raise_if_any(
            manifest,
            [
                f"{variant}: a different variant of this name was published before; choose another name, or use "
                f"--overwrite, which renames the old one to {_versioned_name(variant, before)}"
                for variant in conflicting
            ],
        )
    new_names = {variant: _versioned_name(variant, before) for variant in conflicting}
    return Publication(
        {
            **{(new_names.get(variant, variant), path): name for (variant, path), name in before.rows.items()},
            **new.rows,
        },
        {**{new_names.get(variant, variant): known for variant, known in before.provenance.items()}, **new.provenance},
    )


def _differs(variant: str, before: Publication, new: Publication) -> bool:
    """Whether the existing variant of this name differs: in its provenance, or in the copy of an image."""
    if before.provenance.get(variant) and before.provenance[variant] != new.provenance.get(variant, {}):
        return any(name == variant for name, _ in before.rows)
    return any(before.rows.get(key, name) != name for key, name in new.rows.items() if key[0] == variant)


def _versioned_name(variant: str, before: Publication) -> str:
    names = {name for name, _ in before.rows}
    return next(name for version in count(1) if (name := f"{variant}@{version}") not in names)

"""Publishing into a manifest that is there: other variants keep their rows, and a name never changes its meaning."""

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
from lwise_core.errors import refuse_if_any


@dataclass(frozen=True)
class Publication:
    """Rows of a manifest, and the provenance of its variants (of some perhaps nothing)."""

    rows: Published
    provenance: Mapping[str, Provenance]


def read_publication(manifest: Path) -> Publication:
    """What was published before: nothing, if there is no manifest.

    Raises
    ------
    InputError
        Naming everything that is wrong with the files.
    """
    if not manifest.exists():
        return Publication({}, {})
    return Publication(read_manifest(manifest), read_published_provenance(manifest))


def write_publication(manifest: Path, publication: Publication) -> None:
    """Write both files; the provenance first, so that no row is without what is known of it."""
    write_published_provenance(manifest, publication.provenance)
    write_manifest(manifest, publication.rows)


def merged(before: Publication, new: Publication, *, overwrite: bool, manifest: Path) -> Publication:
    """Both together.

    Parameters
    ----------
    overwrite : whether a variant of another making may take a name that is taken; what had it is kept with a version
        behind its name (`eps8@1`), for the studies that showed it.

    Raises
    ------
    InputError
        Naming every such variant, without `overwrite`.
    """
    taken = [variant for variant in sorted({variant for variant, _ in new.rows}) if _differs(variant, before, new)]
    if not overwrite:
        refuse_if_any(
            manifest,
            [
                f"{variant}: was published before, made otherwise; give the new one another name, or publish with "
                f"--overwrite, which keeps the old one as {_kept_name(variant, before)}"
                for variant in taken
            ],
        )
    kept = {variant: _kept_name(variant, before) for variant in taken}
    return Publication(
        {**{(kept.get(variant, variant), path): name for (variant, path), name in before.rows.items()}, **new.rows},
        {**{kept.get(variant, variant): told for variant, told in before.provenance.items()}, **new.provenance},
    )


def _differs(variant: str, before: Publication, new: Publication) -> bool:
    """Whether what has the name is another variant: made otherwise, or with another copy of an image."""
    if before.provenance.get(variant) and before.provenance[variant] != new.provenance.get(variant, {}):
        return any(name == variant for name, _ in before.rows)
    return any(before.rows.get(key, name) != name for key, name in new.rows.items() if key[0] == variant)


def _kept_name(variant: str, before: Publication) -> str:
    names = {name for name, _ in before.rows}
    return next(name for version in count(1) if (name := f"{variant}@{version}") not in names)

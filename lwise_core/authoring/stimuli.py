"""The images of a study: where each copy is, and opaque names for hosted images.

A published image keeps its name in the manifest, whether or not the file is on this machine.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from lwise_core.authoring.config import Stimuli
from lwise_core.authoring.manifest import Published, read_manifest
from lwise_core.authoring.provenance import (
    Provenance,
    read_provenance,
    read_published_provenance,
    summarise,
)
from lwise_core.authoring.trialsets_csv import checked_address
from lwise_core.dirmap import DirmapRow
from lwise_core.errors import InputError, raise_if_any
from lwise_core.experiments.payloads import S3_HOST
from lwise_core.experiments.study import ImageSource, StudyImage, VariantProvenance

MAX_IMAGES = 100_000
"""More do not fit into the function that serves participants."""

DEFAULT_ROOT = "variants"


class HostedImages:
    """Images in a folder of variants, named by their content so that names do not reveal the class."""

    def __init__(
        self, root: Path, published: Published | None = None, provenance: Mapping[str, Provenance] | None = None
    ) -> None:
        """
        Parameters
        ----------
        published : names of the published images; None: the study is deployed with its own.
        provenance : of the published variants.
        """
        self._root = root
        self._published = published
        self._provenance = provenance or {}
        self._missing: list[str] = []
        self.files: dict[str, Path] = {}

    @classmethod
    def of(cls, stimuli: Stimuli, study: Path) -> HostedImages:
        """The hosted images of a study in this folder.

        Raises
        ------
        InputError
            If it uses a published data set and has no manifest.
        """
        root = (study / (stimuli.root or DEFAULT_ROOT)).resolve()
        if stimuli.dataset is None:
            return cls(root)
        manifest = study / stimuli.manifest
        return cls(root, read_manifest(manifest), read_published_provenance(manifest))

    def raise_if_missing(self) -> None:
        """Raise `InputError` naming every image that was requested and does not exist."""
        raise_if_any(self._root, self._missing)

    def provenance(self, sources: Iterable[ImageSource]) -> tuple[VariantProvenance, ...]:
        """Provenance of the variants among these sources, as far as it is known.

        Raises
        ------
        InputError
            If a provenance.json is not a JSON object.
        """
        variants = {source.variant for source in sources if source.variant is not None}
        if self._published is not None:
            return summarise(self._provenance, variants)
        return summarise({variant: read_provenance(self._root / variant) for variant in variants}, variants)

    def name_of(self, variant: str, im_path: str) -> str:
        """The opaque name of an image; empty if it is missing, which `raise_if_missing` reports."""
        path = self._root / variant / im_path
        published_name = None if self._published is None else self._published.get((variant, im_path))
        if self._published is not None and published_name is None:
            self._missing.append(f"{variant}/{im_path}: is not published; run `lwise stimuli publish`")
            return ""
        try:
            name = opaque_name(path)
        except OSError:
            if published_name is None:
                self._missing.append(
                    f"{path}: no such image; run `lwise enhance` or name another variant in config.yaml"
                )
            return published_name or ""
        if published_name not in (None, name):
            self._missing.append(f"{path}: is not the published image; run `lwise stimuli publish`")
            return ""
        self.files[name] = path
        return name


def opaque_name(path: Path) -> str:
    """The name of an image where participants can see it."""
    return opaque_name_of(hashlib.sha256(path.read_bytes()).hexdigest(), path.suffix)


def opaque_name_of(sha256: str, suffix: str) -> str:
    """The same for an image whose SHA-256 (hexadecimal) is known."""
    return f"{sha256[:32]}{suffix.lower()}"


def check_urls(rows: Sequence[DirmapRow], sources: Iterable[ImageSource]) -> list[str]:
    """Problems with the images' own addresses for these sources."""
    buckets = sorted(source.bucket for source in sources if source.bucket is not None)
    problems = []
    for row in rows:
        url = row.extra.get("url", "")
        try:
            checked_address(url)
        except InputError as error:
            problems.append(f"{row.im_path}: {error}")
            continue
        if buckets and S3_HOST not in url:
            problems.append(
                f"{row.im_path}: url is {url!r}; expected one with {S3_HOST}, so that bucket {buckets[0]} can replace "
                "the part before it"
            )
    return problems


def likely_duplicates(images: Sequence[StudyImage]) -> list[str]:
    """A warning about possible duplicates: images of equal content or, if that is unknown, equal file names."""
    groups: dict[str, list[str]] = defaultdict(list)
    for image in images:
        groups[next(iter(image.objects.values()), PurePosixPath(image.im_path).name)].append(image.im_path)
    duplicates = [group for group in groups.values() if len(group) > 1]
    if not duplicates:
        return []
    what = "are the same image" if images[0].objects else "have the same file name"
    more = f", and {len(duplicates) - 1} more groups" if len(duplicates) > 1 else ""
    return [f"{' and '.join(duplicates[0][:2])} {what}{more}; a session may show one image as if it were two"]


def revealing_addresses(images: Sequence[StudyImage], classes: Sequence[str]) -> list[str]:
    """A warning about external images whose address reveals their class."""
    revealing = [
        image.url for image in images if image.url is not None and classes[image.class_num] in unquote(image.url)
    ]
    if not revealing:
        return []
    return [
        f"{len(revealing)} of {len(images)} images have an address that contains their class, e.g. {revealing[0]}; "
        "participants can read it, whereas hosted images (a trial type's `variant`) hide it"
    ]

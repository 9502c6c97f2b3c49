"""The pictures of a study: where each copy lies, and opaque names for those that the project holds.

A picture that was put online keeps the name that its manifest gives it, whether or not it is on this machine.
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
from lwise_core.errors import InputError, refuse_if_any
from lwise_core.experiments.payloads import S3_HOST
from lwise_core.experiments.study import ImageSource, StudyImage, VariantProvenance

MAX_IMAGES = 100_000
"""More would not fit into a function that serves participants."""

DEFAULT_ROOT = "variants"


class HostedImages:
    """Pictures in a folder of variants, named by their content so that a name says nothing of the class."""

    def __init__(
        self, root: Path, published: Published | None = None, provenance: Mapping[str, Provenance] | None = None
    ) -> None:
        """
        Parameters
        ----------
        published : names of the pictures that were put online; None: the study brings its own.
        provenance : of the variants that were put online.
        """
        self._root = root
        self._published = published
        self._provenance = provenance or {}
        self._missing: list[str] = []
        self.files: dict[str, Path] = {}

    @classmethod
    def of(cls, stimuli: Stimuli, study: Path) -> HostedImages:
        """Those that a study in this folder holds.

        Raises
        ------
        InputError
            If it has pictures of a published data set, and no manifest of them.
        """
        root = (study / (stimuli.root or DEFAULT_ROOT)).resolve()
        if stimuli.dataset is None:
            return cls(root)
        manifest = study / stimuli.manifest
        return cls(root, read_manifest(manifest), read_published_provenance(manifest))

    def refuse_if_any_is_missing(self) -> None:
        """Raise `InputError` naming every picture that was asked for and is not there."""
        refuse_if_any(self._root, self._missing)

    def provenance(self, sources: Iterable[ImageSource]) -> tuple[VariantProvenance, ...]:
        """How the variants among these sources were made, as far as it is known.

        Raises
        ------
        InputError
            If a provenance.json is no JSON object.
        """
        variants = {source.variant for source in sources if source.variant is not None}
        if self._published is not None:
            return summarise(self._provenance, variants)
        return summarise({variant: read_provenance(self._root / variant) for variant in variants}, variants)

    def name_of(self, variant: str, im_path: str) -> str:
        """The opaque name of a picture; of one that is not there, nothing, to be complained of at the end."""
        path = self._root / variant / im_path
        online = None if self._published is None else self._published.get((variant, im_path))
        if self._published is not None and online is None:
            self._missing.append(f"{variant}/{im_path}: was not put online; run `lwise stimuli publish`")
            return ""
        try:
            name = opaque_name(path)
        except OSError:
            if online is None:
                self._missing.append(
                    f"{path}: no such picture; run `lwise enhance` or name another variant in config.yaml"
                )
            return online or ""
        if online not in (None, name):
            self._missing.append(f"{path}: is not the picture that was put online; run `lwise stimuli publish`")
            return ""
        self.files[name] = path
        return name


def opaque_name(path: Path) -> str:
    """What a picture is called where participants can see its name."""
    return opaque_name_of(hashlib.sha256(path.read_bytes()).hexdigest(), path.suffix)


def opaque_name_of(sha256: str, suffix: str) -> str:
    """The same of a picture whose SHA-256 (hexadecimal) is known."""
    return f"{sha256[:32]}{suffix.lower()}"


def check_urls(rows: Sequence[DirmapRow], sources: Iterable[ImageSource]) -> list[str]:
    """What keeps the pictures' own addresses from being used as the sources demand."""
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
                f"{row.im_path}: url is {url!r}; expected one with {S3_HOST}, so that bucket {buckets[0]} can take the "
                "place of what stands before it"
            )
    return problems


def likely_duplicates(images: Sequence[StudyImage]) -> list[str]:
    """A warning about images that may be one: equal content or, where that is not known, equal file names."""
    groups: dict[str, list[str]] = defaultdict(list)
    for image in images:
        groups[next(iter(image.objects.values()), PurePosixPath(image.im_path).name)].append(image.im_path)
    same = [group for group in groups.values() if len(group) > 1]
    if not same:
        return []
    what = "are one and the same picture" if images[0].objects else "have the same file name"
    more = f", and {len(same) - 1} more such groups" if len(same) > 1 else ""
    return [f"{' and '.join(same[0][:2])} {what}{more}; a session may show one picture as if it were two"]


def revealing_addresses(images: Sequence[StudyImage], classes: Sequence[str]) -> list[str]:
    """A warning about pictures outside of the project whose address says what they show."""
    telling = [
        image.url for image in images if image.url is not None and classes[image.class_num] in unquote(image.url)
    ]
    if not telling:
        return []
    return [
        f"{len(telling)} of {len(images)} pictures have an address that names their class, e.g. {telling[0]}; "
        "participants can read it, and pictures that the project holds (a trial type's `variant`) hide it"
    ]

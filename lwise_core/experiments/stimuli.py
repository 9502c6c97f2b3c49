"""The pictures of a study: where each copy lies, and opaque names for those that the project holds."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from lwise_core.dirmap import DirmapRow
from lwise_core.errors import InputError
from lwise_core.experiments.study import Source
from lwise_core.experiments.trialsets_csv import checked_address
from lwise_core.experiments.views import S3_HOST

MAX_IMAGES = 100_000
"""More would not fit into a function that serves participants."""

DEFAULT_ROOT = "variants"


class HeldPictures:
    """Pictures in a folder of variants, named by their content so that a name says nothing of the class."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.files: dict[str, Path] = {}

    def name_of(self, variant: str, im_path: str) -> str:
        """The opaque name of a picture; raises `InputError` if it is not there."""
        path = self._root / variant / im_path
        try:
            content = path.read_bytes()
        except OSError:
            raise InputError(
                f"{path}: no such picture; run `lwise enhance` or name another variant in config.yaml"
            ) from None
        name = f"{hashlib.sha256(content).hexdigest()[:32]}{path.suffix.lower()}"
        self.files[name] = path
        return name


def check_urls(rows: Sequence[DirmapRow], sources: Iterable[Source]) -> list[str]:
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


def lookalikes(paths: Sequence[str], objects: Sequence[Mapping[str, str]]) -> list[str]:
    """Warnings about images that may be the same one: equal content or, where that is not known, equal file names."""
    groups: dict[str, list[str]] = defaultdict(list)
    for path, names in zip(paths, objects, strict=True):
        groups[next(iter(names.values()), PurePosixPath(path).name)].append(path)
    same = [group for group in groups.values() if len(group) > 1]
    if not same:
        return []
    what = "the same picture" if any(objects) else "pictures of the same file name"
    more = f" and {len(same) - 1} more" if len(same) > 1 else ""
    return [f"{' and '.join(same[0][:2])} are {what}{more}; a session may show both, as if they were two"]

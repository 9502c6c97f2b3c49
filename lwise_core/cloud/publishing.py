"""Pictures that a job left in S3 into the bucket of a `StimulusStack`, copied by S3 without passing through here.

What S3 made of each copy is checked against the SHA-256 that the job measured. Nothing of the original but its content
is taken along: whoever is shown a picture can read the headers of its object.
"""

from __future__ import annotations

import base64
import hashlib
import mimetypes
from collections.abc import Mapping
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from lwise_core.authoring.manifest import Published
from lwise_core.authoring.stimuli import opaque_name_of
from lwise_core.cloud.aws_client import asking, at_once, client
from lwise_core.cloud.uploading import FOR_EVER, sizes_in
from lwise_core.errors import raise_if_any
from lwise_core.experiments.payloads import STIMULUS_FOLDER
from lwise_core.progress import OnProgress


def publish_from_s3(
    bucket: str, *, source: str, prefix: str, sha256: Mapping[tuple[str, str], str], on_progress: OnProgress
) -> Published:
    """Copy pictures into the stimulus bucket under their opaque names; those that are there in their size stay.

    May be cut short and called again: it goes on where it stopped.

    Parameters
    ----------
    source, prefix : bucket and folder (no slash at its end) with `<variant>/<im_path>` below it.
    sha256 : (variant, im_path) -> SHA-256 of the picture's content, hexadecimal.

    Returns
    -------
    The rows of the manifest.

    Raises
    ------
    InputError
        Naming every picture that is missing (nothing is copied then) or differs (its copy is taken away again).
    """
    keys = {picture: f"{prefix}/{'/'.join(picture)}" for picture in sha256}
    sizes = sizes_in(source, f"{prefix}/")
    where = f"s3://{source}/{prefix}"
    raise_if_any(where, [f"{'/'.join(picture)}: no such picture" for picture, key in keys.items() if key not in sizes])
    published = {
        (variant, im_path): opaque_name_of(digest, PurePosixPath(im_path).suffix)
        for (variant, im_path), digest in sha256.items()
    }
    there = sizes_in(bucket, f"{STIMULUS_FOLDER}/")
    # Equal pictures of two variants are one object, copied once.
    waiting = {
        target: picture
        for picture, name in published.items()
        if there.get(target := f"{STIMULUS_FOLDER}/{name}") != sizes[keys[picture]]
    }
    with asking(f"bucket {bucket}, copying from {where}"):
        s3 = client("s3")
        copies = at_once(
            (
                partial(_copy_is_right, s3, (source, keys[picture]), (bucket, target), sha256[picture])
                for target, picture in waiting.items()
            ),
            on_progress=on_progress,
        )
    differing = [
        f"{'/'.join(picture)}: is not the picture that the job recorded; run it again"
        for picture, is_right in zip(waiting.values(), copies, strict=True)
        if not is_right
    ]
    raise_if_any(where, sorted(differing))
    return published


def _copy_is_right(s3: Any, source: tuple[str, str], target: tuple[str, str], sha256: str) -> bool:
    """Copy an object; if its content is not what it should be it is taken away, or the next run would keep it."""
    place = {"Bucket": target[0], "Key": target[1]}
    try:
        made = s3.copy_object(
            **place,
            CopySource={"Bucket": source[0], "Key": source[1]},
            MetadataDirective="REPLACE",
            TaggingDirective="REPLACE",
            ContentType=mimetypes.guess_type(target[1])[0] or "application/octet-stream",
            CacheControl=FOR_EVER,
            ChecksumAlgorithm="SHA256",
        )
        is_right = _sha256_of(s3, place, made["CopyObjectResult"]) == sha256
    except BaseException:
        s3.delete_object(**place)
        raise
    if not is_right:
        s3.delete_object(**place)
    return is_right


def _sha256_of(s3: Any, place: Mapping[str, str], made: Mapping[str, Any]) -> str:
    """Hexadecimal SHA-256 of an object: as S3 says with the copy, as it says when asked, or of what is read from it."""
    told = made.get("ChecksumSHA256") or s3.head_object(**place, ChecksumMode="ENABLED").get("ChecksumSHA256")
    # "-2" behind it: made of the checksums of two parts, not of the content.
    if told is not None and "-" not in told:
        return base64.b64decode(told).hex()
    digest = hashlib.sha256()
    for chunk in s3.get_object(**place)["Body"].iter_chunks(2**20):
        digest.update(chunk)
    return digest.hexdigest()

"""Publish the images of a job: S3 copies them to the bucket of a `StimulusStack`, without a download.

Each copy is verified against the SHA-256 that the job recorded. No metadata is copied, because participants can read an
object's headers.
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
from lwise_core.cloud.aws_client import client, explain_aws_errors, run_parallel
from lwise_core.cloud.uploading import IMMUTABLE, sizes_in
from lwise_core.errors import raise_if_any
from lwise_core.experiments.payloads import STIMULUS_FOLDER
from lwise_core.progress import OnProgress


def publish_from_s3(
    bucket: str, *, source: str, prefix: str, sha256: Mapping[tuple[str, str], str], on_progress: OnProgress
) -> Published:
    """Copy images to the stimulus bucket under their opaque names, except those that it has in the same size.

    An interrupted call can be repeated and resumes.

    Parameters
    ----------
    source, prefix : bucket and folder (no slash at its end) with `<variant>/<im_path>` below it.
    sha256 : (variant, im_path) -> SHA-256 of the image's content, hexadecimal.

    Returns
    -------
    The rows of the manifest.

    Raises
    ------
    InputError
        If images are missing (then nothing is copied) or differ (then their copies are deleted); names all of them.
    """
    keys = {image: f"{prefix}/{'/'.join(image)}" for image in sha256}
    sizes = sizes_in(source, f"{prefix}/")
    where = f"s3://{source}/{prefix}"
    raise_if_any(where, [f"{'/'.join(image)}: no such image" for image, key in keys.items() if key not in sizes])
    published = {
        (variant, im_path): opaque_name_of(digest, PurePosixPath(im_path).suffix)
        for (variant, im_path), digest in sha256.items()
    }
    existing = sizes_in(bucket, f"{STIMULUS_FOLDER}/")
    # Equal images of two variants are one object, copied once.
    missing = {
        target: image
        for image, name in published.items()
        if existing.get(target := f"{STIMULUS_FOLDER}/{name}") != sizes[keys[image]]
    }
    with explain_aws_errors(f"bucket {bucket}, copying from {where}"):
        s3 = client("s3")
        copies = run_parallel(
            (
                partial(_copy_and_check, s3, (source, keys[image]), (bucket, target), sha256[image])
                for target, image in missing.items()
            ),
            on_progress=on_progress,
        )
    differing = [
        f"{'/'.join(image)}: differs from the image that the job recorded; run the job again"
        for image, is_right in zip(missing.values(), copies, strict=True)
        if not is_right
    ]
    raise_if_any(where, sorted(differing))
    return published


def _copy_and_check(s3: Any, source: tuple[str, str], target: tuple[str, str], sha256: str) -> bool:
    """Copy an object and verify it; a wrong copy is deleted, because the next run would skip it."""
    place = {"Bucket": target[0], "Key": target[1]}
    try:
        made = s3.copy_object(
            **place,
            CopySource={"Bucket": source[0], "Key": source[1]},
            MetadataDirective="REPLACE",
            TaggingDirective="REPLACE",
            ContentType=mimetypes.guess_type(target[1])[0] or "application/octet-stream",
            CacheControl=IMMUTABLE,
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
    """Hexadecimal SHA-256 of an object: from the copy's result, from its metadata, or else of its content."""
    checksum = made.get("ChecksumSHA256") or s3.head_object(**place, ChecksumMode="ENABLED").get("ChecksumSHA256")
    # A suffix such as "-2": a checksum of the checksums of two parts, not of the content.
    if checksum is not None and "-" not in checksum:
        return base64.b64decode(checksum).hex()
    digest = hashlib.sha256()
    for chunk in s3.get_object(**place)["Body"].iter_chunks(2**20):
        digest.update(chunk)
    return digest.hexdigest()

"""Upload files to a bucket in parallel: only missing ones, each verified by S3 against its SHA-256."""

from __future__ import annotations

import base64
import hashlib
import mimetypes
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from lwise_core.cloud.aws_client import N_PARALLEL, client, explain_aws_errors, run_parallel
from lwise_core.errors import InputError
from lwise_core.progress import OnProgress

IMMUTABLE = "public, max-age=31536000, immutable"
"""Cache-Control of objects that never change."""

_LARGEST_AT_ONCE = 64 * 2**20
"""Maximum bytes of an upload in one request with its SHA-256; larger files are uploaded in verified parts."""


def sizes_in(bucket: str, prefix: str) -> dict[str, int]:
    """Size in bytes of each object below a prefix, by its key.

    Raises
    ------
    InputError
    """
    return {key: entry["Size"] for key, entry in _objects_in(bucket, prefix).items()}


def missing_in(bucket: str, prefix: str, files: Mapping[str, Path]) -> dict[str, Path]:
    """Files that are missing in the bucket or have another size there, by key; keys begin with `prefix`.

    Raises
    ------
    InputError
    """
    existing = sizes_in(bucket, prefix)
    return {key: path for key, path in files.items() if existing.get(key) != path.stat().st_size}


def changed_in(bucket: str, prefix: str, files: Mapping[str, Path]) -> dict[str, Path]:
    """Files that are missing in the bucket or have other content there, by key; keys begin with `prefix`.

    An object's ETag is its MD5 if it was uploaded in one request to a bucket without a KMS key. Any other object counts
    as changed.

    Raises
    ------
    InputError
    """
    existing = _objects_in(bucket, prefix)

    def is_same(key: str) -> bool:
        entry, path = existing.get(key), files[key]
        return entry is not None and entry["Size"] == path.stat().st_size and entry["ETag"].strip('"') == _md5(path)

    with ThreadPoolExecutor(N_PARALLEL) as workers:
        return {key: files[key] for key, same in zip(files, workers.map(is_same, files), strict=True) if not same}


def put_files(
    bucket: str,
    files: Mapping[str, Path],
    *,
    immutable: bool = False,
    expected: Callable[[str, str], bool] = lambda key, sha256: True,
    on_progress: OnProgress,
) -> None:
    """Upload files by key.

    Parameters
    ----------
    expected : (key, SHA-256 in hexadecimal) -> whether the file is still the intended one.

    Raises
    ------
    InputError
        If an upload fails; earlier uploads stay and are not repeated.
    """
    cache = {"CacheControl": IMMUTABLE} if immutable else {}
    with explain_aws_errors(f"bucket {bucket}"):
        s3 = client("s3")

        def put(key: str, path: Path) -> None:
            about = {"ContentType": mimetypes.guess_type(key)[0] or "application/octet-stream", **cache}
            if path.stat().st_size > _LARGEST_AT_ONCE:
                s3.upload_file(str(path), bucket, key, ExtraArgs={**about, "ChecksumAlgorithm": "SHA256"})
                return
            content = path.read_bytes()
            digest = hashlib.sha256(content)
            if not expected(key, digest.hexdigest()):
                raise InputError(f"{path}: changed during the upload; run the command again")
            checksum = base64.b64encode(digest.digest()).decode()
            s3.put_object(Bucket=bucket, Key=key, Body=content, ChecksumSHA256=checksum, **about)

        run_parallel((partial(put, key, path) for key, path in files.items()), on_progress=on_progress)


def _objects_in(bucket: str, prefix: str) -> dict[str, dict[str, Any]]:
    with explain_aws_errors(f"bucket {bucket}"):
        pages = client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {entry["Key"]: entry for page in pages for entry in page.get("Contents", ())}


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()

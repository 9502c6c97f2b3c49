"""Files into a bucket: only those that it lacks, several at once, each checked by S3 against what was read here."""

from __future__ import annotations

import base64
import hashlib
import mimetypes
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from lwise_core.cloud.aws_client import AT_ONCE, asking, at_once, client
from lwise_core.errors import InputError
from lwise_core.progress import OnProgress

FOR_EVER = "public, max-age=31536000, immutable"
"""The cache rule of objects that never change under their name."""

_LARGEST_AT_ONCE = 64 * 2**20
"""Bytes up to which a file is put in one request, its SHA-256 with it; larger ones go in parts, each checked."""


def sizes_in(bucket: str, prefix: str) -> dict[str, int]:
    """Size in bytes of each object below a prefix, by its key.

    Raises
    ------
    InputError
    """
    return {key: entry["Size"] for key, entry in _objects_in(bucket, prefix).items()}


def missing_in(bucket: str, prefix: str, files: Mapping[str, Path]) -> dict[str, Path]:
    """Those files that the bucket lacks, or has in another size, by their keys, which begin with `prefix`.

    Raises
    ------
    InputError
    """
    there = sizes_in(bucket, prefix)
    return {key: path for key, path in files.items() if there.get(key) != path.stat().st_size}


def changed_in(bucket: str, prefix: str, files: Mapping[str, Path]) -> dict[str, Path]:
    """Those files that the bucket lacks, or has with another content, by their keys, which begin with `prefix`.

    S3 tells the MD5 of an object that was put in one request into a bucket without a KMS key; of any other it tells
    something else, so that its file counts as changed.

    Raises
    ------
    InputError
    """
    there = _objects_in(bucket, prefix)

    def is_there(key: str) -> bool:
        entry, path = there.get(key), files[key]
        return entry is not None and entry["Size"] == path.stat().st_size and entry["ETag"].strip('"') == _md5(path)

    with ThreadPoolExecutor(AT_ONCE) as workers:
        return {key: files[key] for key, same in zip(files, workers.map(is_there, files), strict=True) if not same}


def put_files(
    bucket: str,
    files: Mapping[str, Path],
    *,
    cached_for_ever: bool = False,
    expected: Callable[[str, str], bool] = lambda key, sha256: True,
    on_progress: OnProgress,
) -> None:
    """Put files into the bucket, by their keys.

    Parameters
    ----------
    expected : (key, SHA-256 in hexadecimals) -> whether the file is still the one that was meant.

    Raises
    ------
    InputError
        What was put there before it stays, and need not be put there again.
    """
    cache = {"CacheControl": FOR_EVER} if cached_for_ever else {}
    with asking(f"bucket {bucket}"):
        s3 = client("s3")

        def put(key: str, path: Path) -> None:
            about = {"ContentType": mimetypes.guess_type(key)[0] or "application/octet-stream", **cache}
            if path.stat().st_size > _LARGEST_AT_ONCE:
                s3.upload_file(str(path), bucket, key, ExtraArgs={**about, "ChecksumAlgorithm": "SHA256"})
                return
            content = path.read_bytes()
            digest = hashlib.sha256(content)
            if not expected(key, digest.hexdigest()):
                raise InputError(f"{path}: has changed meanwhile; run the command again")
            checksum = base64.b64encode(digest.digest()).decode()
            s3.put_object(Bucket=bucket, Key=key, Body=content, ChecksumSHA256=checksum, **about)

        at_once((partial(put, key, path) for key, path in files.items()), on_progress=on_progress)


def _objects_in(bucket: str, prefix: str) -> dict[str, dict[str, Any]]:
    with asking(f"bucket {bucket}"):
        pages = client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {entry["Key"]: entry for page in pages for entry in page.get("Contents", ())}


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()

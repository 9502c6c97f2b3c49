"""Pictures into the bucket of a `StimulusStack`, each under a name that tells nothing but its content.

So there is no folder per variant: its name would tell a participant which copy is shown, and two variants that have the
same picture need it once. An object that is there is never changed.
"""

from __future__ import annotations

import base64
import hashlib
import mimetypes
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from lwise_core.cloud.asking import AT_ONCE, asking, client
from lwise_core.cloud.naming import stimulus_stack_name
from lwise_core.errors import InputError, refuse_if_any
from lwise_core.experiments.authoring.manifest import Published
from lwise_core.experiments.authoring.stimuli import opaque_name
from lwise_core.experiments.views import STIMULUS_FOLDER

OnProgress = Callable[[int, int], None]

_FOR_EVER = "public, max-age=31536000, immutable"


def stimulus_bucket(dataset: str) -> str:
    """The bucket of a data set.

    Raises
    ------
    InputError
        If its stack is not in the region, or AWS cannot be asked.
    """
    stack = stimulus_stack_name(dataset)
    try:
        with asking(stack):
            (described,) = client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    except InputError as error:
        raise InputError(
            f"{error}. A stack is there once a study names the data set (stimuli.dataset: {dataset}) and you have run "
            f"`npx cdk deploy {stack}`"
        ) from None
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", ())}
    return str(outputs["StimulusBucket"])


def name_pictures(
    variants: Path, names: Iterable[str], im_paths: Iterable[str], *, on_progress: OnProgress
) -> tuple[Published, Mapping[str, Path]]:
    """The manifest of these copies of these images, and where each object is on this machine.

    Raises
    ------
    InputError
        Naming every picture that is not there.
    """
    wanted = [(variant, im_path) for variant in names for im_path in im_paths]
    published: dict[tuple[str, str], str] = {}
    files: dict[str, Path] = {}
    missing = []
    for done, (variant, im_path) in enumerate(wanted, start=1):
        path = variants / variant / im_path
        try:
            name = opaque_name(path)
        except OSError:
            missing.append(f"{variant}/{im_path}: no such picture")
        else:
            published[variant, im_path] = name
            files[name] = path
        on_progress(done, len(wanted))
    refuse_if_any(variants, missing)
    return published, files


def not_there(bucket: str, files: Mapping[str, Path]) -> dict[str, Path]:
    """Those that the bucket lacks, or has in another size.

    Raises
    ------
    InputError
    """
    with asking(f"bucket {bucket}"):
        pages = client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{STIMULUS_FOLDER}/")
        there = {entry["Key"]: entry["Size"] for page in pages for entry in page.get("Contents", ())}
    return {name: path for name, path in files.items() if there.get(_key(name)) != path.stat().st_size}


def upload(bucket: str, files: Mapping[str, Path], *, on_progress: OnProgress) -> None:
    """Put pictures into the bucket, several at once; S3 checks that what arrives is what was read here.

    Raises
    ------
    InputError
        What was put there before it stays, and need not be put there again.
    """
    with asking(f"bucket {bucket}"), ThreadPoolExecutor(AT_ONCE) as workers:
        s3 = client("s3")

        def put(name: str, path: Path) -> None:
            content = path.read_bytes()
            digest = hashlib.sha256(content)
            if not name.startswith(digest.hexdigest()[:32]):
                raise InputError(f"{path}: has changed meanwhile; run the command again")
            s3.put_object(
                Bucket=bucket,
                Key=_key(name),
                Body=content,
                ChecksumSHA256=base64.b64encode(digest.digest()).decode(),
                ContentType=mimetypes.guess_type(name)[0] or "application/octet-stream",
                CacheControl=_FOR_EVER,
            )

        putting = [workers.submit(put, name, path) for name, path in files.items()]
        try:
            for done, one in enumerate(as_completed(putting), start=1):
                one.result()
                on_progress(done, len(putting))
        except BaseException:
            workers.shutdown(cancel_futures=True)
            raise


def _key(name: str) -> str:
    """Where a study's distribution looks for a picture."""
    return f"{STIMULUS_FOLDER}/{name}"

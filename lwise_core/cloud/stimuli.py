"""Upload images to the bucket of a `StimulusStack`, each named by a hash of its content.

There is no folder per variant, because its name would tell participants which copy they see; variants with the same
image share one object. Existing objects never change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from lwise_core.authoring.manifest import Published
from lwise_core.authoring.stimuli import opaque_name
from lwise_core.aws_names import STIMULUS_BUCKET
from lwise_core.cloud.deployed import stack_outputs
from lwise_core.cloud.naming import stimulus_stack_name
from lwise_core.cloud.uploading import missing_in, put_files
from lwise_core.errors import raise_if_any
from lwise_core.experiments.payloads import STIMULUS_FOLDER
from lwise_core.progress import OnProgress


def stimulus_bucket(dataset: str) -> str:
    """The bucket of a data set.

    Raises
    ------
    InputError
        If its stack is not in the region, or AWS cannot be asked.
    """
    stack = stimulus_stack_name(dataset)
    remedy = f"To create it, name the data set in a study (stimuli.dataset: {dataset}) and run `npx cdk deploy {stack}`"
    return stack_outputs(stack, remedy=remedy)[STIMULUS_BUCKET]


def name_images(
    variants: Path, names: Iterable[str], im_paths: Iterable[str], *, on_progress: OnProgress
) -> tuple[Published, Mapping[str, Path]]:
    """The manifest of these images in these variants, and the local file of each object.

    Raises
    ------
    InputError
        If images are missing; names all of them.
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
            missing.append(f"{variant}/{im_path}: no such image")
        else:
            published[variant, im_path] = name
            files[name] = path
        on_progress(done, len(wanted))
    raise_if_any(variants, missing)
    return published, files


def missing_stimuli(bucket: str, files: Mapping[str, Path]) -> dict[str, Path]:
    """Images that are missing in the bucket or have another size there, by opaque name.

    Raises
    ------
    InputError
    """
    by_key = missing_in(bucket, f"{STIMULUS_FOLDER}/", {_key(name): path for name, path in files.items()})
    return {name: path for name, path in files.items() if _key(name) in by_key}


def upload(bucket: str, files: Mapping[str, Path], *, on_progress: OnProgress) -> None:
    """Upload images under their opaque names, as `uploading.put_files`.

    Raises
    ------
    InputError
    """
    by_key = {_key(name): path for name, path in files.items()}
    put_files(bucket, by_key, immutable=True, expected=_is_named_after, on_progress=on_progress)


def _is_named_after(key: str, sha256: str) -> bool:
    """Whether an image still has the content that its opaque name was made from."""
    return key.rpartition("/")[2].startswith(sha256[:32])


def _key(name: str) -> str:
    """The key under which a study's distribution finds an image."""
    return f"{STIMULUS_FOLDER}/{name}"

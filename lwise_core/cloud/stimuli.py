"""Pictures into the bucket of a `StimulusStack`, each under a name that tells nothing but its content.

So there is no folder per variant: its name would tell a participant which copy is shown, and two variants that have the
same picture need it once. An object that is there is never changed.
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
    remedy = (
        f"A stack is there once a study names the data set (stimuli.dataset: {dataset}) and you have run "
        f"`npx cdk deploy {stack}`"
    )
    return stack_outputs(stack, remedy=remedy)[STIMULUS_BUCKET]


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
    raise_if_any(variants, missing)
    return published, files


def not_there(bucket: str, files: Mapping[str, Path]) -> dict[str, Path]:
    """Those that the bucket lacks, or has in another size, by their opaque names.

    Raises
    ------
    InputError
    """
    by_key = missing_in(bucket, f"{STIMULUS_FOLDER}/", {_key(name): path for name, path in files.items()})
    return {name: path for name, path in files.items() if _key(name) in by_key}


def upload(bucket: str, files: Mapping[str, Path], *, on_progress: OnProgress) -> None:
    """Put pictures into the bucket under their opaque names; as `uploading.upload`.

    Raises
    ------
    InputError
    """
    by_key = {_key(name): path for name, path in files.items()}
    put_files(bucket, by_key, cached_for_ever=True, expected=_is_named_after, on_progress=on_progress)


def _is_named_after(key: str, sha256: str) -> bool:
    """Whether a picture is still what its opaque name was made of."""
    return key.rpartition("/")[2].startswith(sha256[:32])


def _key(name: str) -> str:
    """Where a study's distribution looks for a picture."""
    return f"{STIMULUS_FOLDER}/{name}"

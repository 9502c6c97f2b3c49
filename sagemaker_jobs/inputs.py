"""Check a job's inputs and copy them, except the images, to the job's folder in S3.

Everything that would make the job fail after its machines are paid for is checked here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lwise_core.aws_names import JOBS
from lwise_core.cloud.aws_client import client, explain_aws_errors
from lwise_core.cloud.uploading import put_files, sizes_in
from lwise_core.dirmap import DirmapRow, read_dirmap
from lwise_core.errors import InputError, raise_if_any
from lwise_core.progress import OnProgress
from sagemaker_jobs.artefacts import Artefacts, S3Place, dataset_place
from sagemaker_jobs.container.job import Job, packed
from sagemaker_jobs.container.opt_ml import DIRMAP_FILE, MODEL_FILE, UNFINISHED
from sagemaker_jobs.launch import IMAGES, Launch, folder_of


def prepare(job: Job, id_: str, where: Artefacts, *, on_progress: OnProgress = lambda done, total: None) -> Launch:
    """Check a job's inputs and copy them, except the images, to its folder.

    Raises
    ------
    InputError
        If there is no such data set or model, an image of the dirmap is missing, or there are more machines than rows.
    """
    place = dataset_place(job.dataset, where)
    model = None if job.model is None else _model_of(job.model)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        made = packed(job, root / "job")
        _fetch_dirmap(place, root / "dirmap" / DIRMAP_FILE)
        _check(job, _rows(root / "dirmap" / DIRMAP_FILE, place), place)
        files = {_key(id_, path.parent.name, path.name): path for path in root.glob("*/*")}
        if isinstance(model, Path):
            files[_key(id_, "model", MODEL_FILE)] = model
        put_files(where.bucket, files, on_progress=on_progress)
    if isinstance(model, S3Place):
        with explain_aws_errors(str(model)):
            source = {"Bucket": model.bucket, "Key": model.prefix}
            client("s3").copy(source, where.bucket, _key(id_, "model", MODEL_FILE))
    ready = replace(rehearsed(job, id_, where), job=made)
    if UNFINISHED in ready.inputs and not sizes_in(where.bucket, S3Place.of(ready.inputs[UNFINISHED]).prefix + "/"):
        raise InputError(f"goes_on is {job.goes_on}: {ready.inputs[UNFINISHED]} is empty; omit goes_on")
    return ready


def rehearsed(job: Job, id_: str, where: Artefacts) -> Launch:
    """The launch that `prepare` would return, without checks or copies."""
    names = ["job", "dirmap", *(["model"] if job.model is not None else [])]
    inputs = {name: where.uri(_key(id_, name, "")) for name in names}
    if job.goes_on is not None:
        inputs[UNFINISHED] = f"{folder_of(job.goes_on, where)}/output/"
    return Launch(id_, job, where, {IMAGES: f"{dataset_place(job.dataset, where)}/{IMAGES}/", **inputs})


def _key(id_: str, name: str, file: str) -> str:
    return f"{JOBS}/{id_}/input/{name}/{file}"


def _fetch_dirmap(place: S3Place, path: Path) -> None:
    path.parent.mkdir(parents=True)
    try:
        with explain_aws_errors(f"{place}/{DIRMAP_FILE}"):
            client("s3").download_file(place.bucket, f"{place.prefix}/{DIRMAP_FILE}", str(path))
    except InputError as error:
        raise InputError(
            f"{error}. A data set for jobs consists of {DIRMAP_FILE} and {IMAGES}/; upload it with `lwise jobs upload`"
        ) from None


def _rows(path: Path, place: S3Place) -> list[DirmapRow]:
    try:
        return read_dirmap(path)
    except InputError as error:
        raise InputError(str(error).replace(str(path), f"{place}/{DIRMAP_FILE}")) from None


def _check(job: Job, rows: Sequence[DirmapRow], place: S3Place) -> None:
    n_machines = job.compute.instance_count
    if n_machines > len(rows):
        raise InputError(f"instance_count is {n_machines}; expected at most the {len(rows)} rows of the dirmap")
    root = f"{place.prefix}/{IMAGES}/"
    existing = sizes_in(place.bucket, root)
    missing = [f"{row.im_path}: no such image" for row in rows if root + row.im_path not in existing]
    if not job.settings.get("skip_bad"):
        raise_if_any(f"{place}/{IMAGES}", missing)


def _model_of(name: str) -> Path | S3Place:
    """The model: a local file, an S3 object, or the result of a training job of this name."""
    if name.startswith("s3://"):
        return S3Place.of(name)
    path = Path(name)
    if path.suffix == ".safetensors":
        if not path.is_file():
            raise InputError(f"model is {name}: no such file")
        return path
    with explain_aws_errors(f"training job {name}"):
        description = client("sagemaker").describe_training_job(TrainingJobName=name)
    if description["TrainingJobStatus"] != "Completed":
        raise InputError(f"training job {name} is {description['TrainingJobStatus']}; expected one that is Completed")
    output = S3Place.of(description["OutputDataConfig"]["S3OutputPath"])
    return S3Place(output.bucket, f"{output.prefix}/{name}/output/model/{MODEL_FILE}")

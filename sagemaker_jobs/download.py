"""What a job left, from S3 to this machine, checked to be whole."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from lwise_core.cloud.aws_client import client, explain_aws_errors, run_parallel
from lwise_core.cloud.uploading import sizes_in
from lwise_core.dirmap import read_dirmap
from lwise_core.errors import InputError
from lwise_core.progress import OnProgress
from sagemaker_jobs.artefacts import S3Place, artefacts
from sagemaker_jobs.container.job import read_job
from sagemaker_jobs.container.opt_ml import DIRMAP_FILE, JOB_FILE, MODEL_FILE
from sagemaker_jobs.launch import folder_of
from sagemaker_jobs.monitor import job_status
from sagemaker_jobs.results import complete, take_model


def fetch(name: str, out: Path, *, on_progress: OnProgress) -> list[str]:
    """Write a job's result to `out`, as a run of the job on this machine would.

    May be cut short and run again: what was fetched until then lies in `out.fetched`.

    Returns
    -------
    What was skipped, a sentence per image.

    Raises
    ------
    InputError
        If the job has not ended, or its result is not whole.
    """
    if out.exists():
        raise InputError(f"{out} exists already; choose another name or remove it first")
    status = job_status(name)
    if status.is_active:
        raise InputError(f"job {name} is {status.status}; wait for it with `lwise jobs wait {name}`")
    folder, here = folder_of(name, artefacts()), out.with_name(f"{out.name}.fetched")
    download(S3Place(folder.bucket, f"{folder.prefix}/input/job"), here / "input" / "job")
    job = read_job(here / "input" / "job" / JOB_FILE)
    if job.kind == "train":
        left = S3Place(folder.bucket, f"{folder.prefix}/output/{name}/output/model")
        download(left, here / "model", on_progress=on_progress)
        take_model(here / "model", out)
        return []
    download(S3Place(folder.bucket, f"{folder.prefix}/input"), here / "input", on_progress=on_progress)
    download(S3Place(folder.bucket, f"{folder.prefix}/output"), here / "output", on_progress=on_progress)
    rows = read_dirmap(here / "input" / "dirmap" / DIRMAP_FILE)
    model = here / "input" / "model" / MODEL_FILE
    return complete(job, here / "output", rows=rows, model=model, images=here / "images", out=out)


def download(
    place: S3Place,
    folder: Path,
    *,
    suffixes: tuple[str, ...] = ("",),
    on_progress: OnProgress = lambda done, total: None,
) -> None:
    """All objects of a place whose keys end so into a folder, but for those that are there in their size.

    Raises
    ------
    InputError
        If there are none.
    """
    sizes = {key: size for key, size in sizes_in(place.bucket, f"{place.prefix}/").items() if key.endswith(suffixes)}
    if not sizes:
        raise InputError(f"{place}: nothing is there")
    paths = {key: folder / key.removeprefix(f"{place.prefix}/") for key in sizes}
    left = {key: path for key, path in paths.items() if not path.is_file() or path.stat().st_size != sizes[key]}
    with explain_aws_errors(str(place)):
        s3 = client("s3")

        def get(key: str, path: Path) -> None:
            path.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(place.bucket, key, str(path))

        run_parallel((partial(get, key, path) for key, path in left.items()), on_progress=on_progress)

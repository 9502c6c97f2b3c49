"""Run a job locally: the same entry point as in the cloud, on a tree like SageMaker's.

Running an interrupted job again resumes it.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from lwise_core.dirmap import read_dirmap
from lwise_core.errors import InputError
from sagemaker_jobs.container.job import Job, packed
from sagemaker_jobs.container.opt_ml import DIRMAP_FILE, MODEL_FILE, Container
from sagemaker_jobs.local_container import fabricate, started
from sagemaker_jobs.results import complete, take_model

_POLL_INTERVAL_S = 0.2


def run_locally(job: Job, dataset: Path, model: Path | None, out: Path, *, on_line: Callable[[str], None]) -> list[str]:
    """Run a job on inputs of this machine, and write its result to `out`.

    A training's result is a folder with the model and its log, an enhancement's the folder of variants, a scoring's
    the scored dirmap.

    Parameters
    ----------
    dataset : folder with dirmap.csv and images/.
    model : file of the guide model; for a training, the initial model.
    on_line : called with each line of the first machine's log.

    Returns
    -------
    What was skipped, a sentence per image.

    Raises
    ------
    InputError
        If something is missing, or the job fails: with its reason.
    """
    if out.exists():
        raise InputError(f"{out} exists already; choose another name or remove it first")
    work = out.with_name(f"{out.name}.job")
    inputs = {**_inputs(dataset, model, work), "job": work / "input" / "job"}
    job = packed(job, inputs["job"])
    hosts = [f"algo-{number}" for number in range(1, job.compute.instance_count + 1)]
    containers = [
        fabricate(
            work / host,
            is_training=job.kind == "train",
            hosts=hosts,
            current=host,
            inputs=inputs,
            hyperparameters={name: json.dumps(value) for name, value in job.settings.items()},
            # All machines write to one place, as in S3.
            shared=work,
        )
        for host in hosts
    ]
    _run(job, containers, on_line)
    first = containers[0]
    if job.kind == "train":
        take_model(first.model, out)
        skipped = []
    else:
        rows = read_dirmap(first.channel("dirmap") / DIRMAP_FILE)
        model_file = first.channel("model") / MODEL_FILE
        skipped = complete(job, first.output, rows=rows, model=model_file, images=first.channel("images"), out=out)
    shutil.rmtree(work)
    return skipped


def _inputs(dataset: Path, model: Path | None, work: Path) -> dict[str, Path]:
    """Folder of each input by name, as in the cloud."""
    images, dirmap = dataset / "images", dataset / DIRMAP_FILE
    if not images.is_dir() or not dirmap.is_file():
        raise InputError(f"{dataset}: expected a folder with {DIRMAP_FILE} and images/")
    files = {"dirmap": (dirmap, DIRMAP_FILE)}
    if model is not None:
        files["model"] = (model, MODEL_FILE)
    folders = {"images": images}
    for name, (file, called) in files.items():
        folders[name] = work / "input" / name
        folders[name].mkdir(parents=True, exist_ok=True)
        if not file.is_file():
            raise InputError(f"{file}: no such file")
        link = folders[name] / called
        link.unlink(missing_ok=True)
        link.symlink_to(file.resolve())
    return folders


def _run(job: Job, containers: Sequence[Container], on_line: Callable[[str], None]) -> None:
    logs = [container.root.with_suffix(".log") for container in containers]
    with ExitStack() as files:
        running = started(job.kind, containers, [files.enter_context(path.open("wb")) for path in logs])
        log = files.enter_context(logs[0].open(encoding="utf-8", errors="replace"))
        try:
            while any(process.poll() is None for process in running) and not any(one.returncode for one in running):
                for line in log:
                    on_line(line.rstrip("\n"))
                time.sleep(_POLL_INTERVAL_S)
        finally:
            # On SIGTERM, a training saves its state.
            for process in running:
                process.terminate()
            for process in running:
                process.wait()
        for line in log:
            on_line(line.rstrip("\n"))
    for process, container, path in zip(running, containers, logs, strict=True):
        if process.returncode:
            raise InputError(f"{container.failure or f'exit code {process.returncode}'} (the whole log is {path})")

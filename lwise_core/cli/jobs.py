"""`lwise jobs`: the image side on SageMaker, or on this machine by the same entry points."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lwise_core.aws_names import JobKind
from lwise_core.cli.many_numbers import ManyNumbers
from lwise_core.cli.progress import console, say, step, warn
from lwise_core.cli.setting_options import with_settings
from lwise_core.errors import InputError
from lwise_core.vision.enhancement_config import EnhancementConfig
from lwise_core.vision.scoring_config import ScoringConfig
from lwise_core.vision.settings import fields_of
from lwise_core.vision.training.config import TrainingConfig
from sagemaker_jobs.container.job import Compute, Job, new_job, read_job, write_job

if TYPE_CHECKING:
    from sagemaker_jobs.monitor import JobStatus

app = typer.Typer(help="Train, enhance and score on SageMaker.", no_args_is_help=True)

_DATASET = typer.Argument(
    help="Data set in the artefact bucket, or s3://bucket/prefix; with --local a folder with dirmap.csv and images/."
)
_MODEL = typer.Option(
    ..., "--model", "-m", help="Guide model: name of a training job, s3://….safetensors, or a file here."
)
_NAME = typer.Argument(help="The job's name on SageMaker, as `lwise jobs list` says it.")
_LOCAL = typer.Option(False, "--local", help="Run it here, by the entry point that runs on SageMaker.")
_OUT = typer.Option(None, "--out", "-o", help="With --local: where to write the result.")
_DRY_RUN = typer.Option(False, "--dry-run", help="Print the exact request and the price, and send nothing.")
_YES = typer.Option(False, "--yes", help="Do not ask before it costs something.")
_SAVE = typer.Option(None, help="Write the job as a YAML file for `lwise jobs run`, and do nothing else.")


@app.command(cls=ManyNumbers)
@with_settings(Compute)
@with_settings(TrainingConfig)
def train(
    dataset: str = _DATASET,
    begin_from: str | None = typer.Option(None, "--from", help="Model to begin from, as --model of `enhance`."),
    local: bool = _LOCAL,
    out: Path | None = _OUT,
    dry_run: bool = _DRY_RUN,
    yes: bool = _YES,
    save: Path | None = _SAVE,
    **told: Any,
) -> None:
    """Train a guide model, as `lwise train` does, on all cards of all machines.

    Example: `lwise jobs train idaea4 --eps 3 --architecture resnet50 --instance-type ml.g5.12xlarge`
    """
    job = _job("train", dataset, begin_from, TrainingConfig, told)
    _do(job, local=local, out=out, dry_run=dry_run, yes=yes, save=save)


@app.command(cls=ManyNumbers)
@with_settings(Compute)
@with_settings(EnhancementConfig)
def enhance(
    dataset: str = _DATASET,
    model: str = _MODEL,
    goes_on: str | None = typer.Option(
        None, help="Name of an interrupted job with the same settings, whose finished images are reused."
    ),
    local: bool = _LOCAL,
    out: Path | None = _OUT,
    dry_run: bool = _DRY_RUN,
    yes: bool = _YES,
    save: Path | None = _SAVE,
    **told: Any,
) -> None:
    """Enhance every image within each budget, as `lwise enhance` does; variants are called eps8 and so on.

    Example: `lwise jobs enhance idaea4 --model lwise-train-idaea4-1f2e-20261125101500 --eps 0.25 0.5 1 2 4 8`
    """
    job = _job("enhance", dataset, model, EnhancementConfig, {**told, "name": told["name"] or "eps{eps}"})
    _do(job.model_copy(update={"goes_on": goes_on}), local=local, out=out, dry_run=dry_run, yes=yes, save=save)


@app.command(cls=ManyNumbers)
@with_settings(Compute)
@with_settings(ScoringConfig)
def score(
    dataset: str = _DATASET,
    model: str = _MODEL,
    local: bool = _LOCAL,
    out: Path | None = _OUT,
    dry_run: bool = _DRY_RUN,
    yes: bool = _YES,
    save: Path | None = _SAVE,
    **told: Any,
) -> None:
    """Score how hard each image is, as `lwise score` does.

    Example: `lwise jobs score idaea4 --model lwise-train-idaea4-1f2e-20261125101500 --instance-count 2`
    """
    job = _job("score", dataset, model, ScoringConfig, told)
    _do(job, local=local, out=out, dry_run=dry_run, yes=yes, save=save)


@app.command()
def run(
    file: Path = typer.Argument(help="The job (.yaml), as --save writes it and every launch keeps it."),
    local: bool = _LOCAL,
    out: Path | None = _OUT,
    dry_run: bool = _DRY_RUN,
    yes: bool = _YES,
) -> None:
    """Run a job that is written down.

    Example: `lwise jobs run job.yaml --dry-run`
    """
    _do(read_job(file), local=local, out=out, dry_run=dry_run, yes=yes, save=None)


@app.command()
def upload(
    dataset: str = typer.Argument(help="Name that the data set gets in the artefact bucket."),
    dirmap: Path = typer.Argument(help="Its dirmap."),
    images: Path = typer.Option(..., "--images", help="Folder that the dirmap's im_path starts from."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would be uploaded, and change nothing."),
) -> None:
    """Put a data set where jobs read it: what is not there yet, or is there with another content.

    May be cut short and run again: it goes on where it stopped.

    Example: `lwise jobs upload idaea4 dirmap.csv --images photos`
    """
    from lwise_core.cloud.uploading import changed_in, put_files
    from lwise_core.dirmap import read_dirmap
    from lwise_core.errors import raise_if_any
    from sagemaker_jobs.artefacts import artefacts, dataset_place
    from sagemaker_jobs.container.opt_ml import DIRMAP_FILE

    rows = read_dirmap(dirmap)
    place = dataset_place(dataset, artefacts())
    files = {f"{place.prefix}/images/{row.im_path}": images / row.im_path for row in rows}
    raise_if_any(images, [f"{path}: no such image" for path in files.values() if not path.is_file()])
    with step("Comparing with what is there"):
        left = changed_in(place.bucket, f"{place.prefix}/images/", files)
    megabytes = sum(path.stat().st_size for path in left.values()) / 1e6
    what = f"{len(left)} of {len(files)} images ({megabytes:.1f} MB)"
    if dry_run:
        say(f"{place}: {what} and the dirmap would be uploaded")
        return
    with step("Uploading") as on_progress:
        put_files(place.bucket, left, on_progress=on_progress)
        # Last, so that it never names missing images.
        put_files(place.bucket, {f"{place.prefix}/{DIRMAP_FILE}": dirmap}, on_progress=lambda done, total: None)
    say(f"{place}: {what} and the dirmap uploaded")


@app.command("list")
def list_(
    n: int = typer.Option(20, "-n", min=1, max=100, help="How many, the newest first."),
    as_json: bool = typer.Option(False, "--json", help="For programs."),
) -> None:
    """Show the newest jobs.

    Example: `lwise jobs list -n 5`
    """
    from rich.table import Table

    from sagemaker_jobs.monitor import list_jobs

    found = list_jobs(n)
    if as_json:
        typer.echo(json.dumps([asdict(job) for job in found], default=str, indent=2))
        return
    table = Table("job", "status", "created", "ended")
    for job in found:
        ended = "" if job.ended is None else f"{job.ended:%Y-%m-%d %H:%M}"
        table.add_row(job.name, job.status, f"{job.created:%Y-%m-%d %H:%M}", ended)
    console.print(table)


@app.command()
def show(name: str = _NAME, as_json: bool = typer.Option(False, "--json", help="For programs.")) -> None:
    """Say how a job is, and why it failed if it did.

    Example: `lwise jobs show lwise-enhance-idaea4-90ab-20261125120000`
    """
    from sagemaker_jobs.monitor import job_status

    status = job_status(name)
    if as_json:
        typer.echo(json.dumps(asdict(status), default=str, indent=2))
        return
    _say_status(status)


@app.command()
def logs(name: str = _NAME) -> None:
    """Print what a job's machines logged.

    Example: `lwise jobs logs lwise-enhance-idaea4-90ab-20261125120000`
    """
    from sagemaker_jobs.monitor import log_lines

    for line in log_lines(name):
        typer.echo(line)


@app.command()
def stop(name: str = _NAME) -> None:
    """Stop a job. A training keeps its state; what an enhancement has made until then is kept too.

    Example: `lwise jobs stop lwise-enhance-idaea4-90ab-20261125120000`
    """
    from sagemaker_jobs.monitor import stop_job

    stop_job(name)
    say(f"{name}: stopping")


@app.command()
def wait(name: str = _NAME) -> None:
    """Wait until a job has ended; exit code 1 if it did not complete.

    Example: `lwise jobs wait lwise-enhance-idaea4-90ab-20261125120000`
    """
    from sagemaker_jobs.monitor import wait_for

    status = wait_for(name, on_status=lambda now: warn(f"{now.status} {now.step}".strip()))
    _say_status(status)
    if status.status != "Completed":
        raise typer.Exit(1)


@app.command()
def fetch(name: str = _NAME, out: Path = typer.Option(..., "--out", "-o", help="Where to write the result.")) -> None:
    """Bring a job's result to this machine: a model, a folder of variants, or a scored dirmap, checked to be whole.

    Example: `lwise jobs fetch lwise-score-idaea4-77aa-20261125130000 --out scored.csv`
    """
    from sagemaker_jobs.download import fetch as fetch_result

    with step("Fetching") as on_progress:
        skipped = fetch_result(name, out, on_progress=on_progress)
    _say_skipped(skipped)
    say(f"{out}: the result of {name}")


@app.command()
def publish(
    name: str = _NAME,
    manifest: Path = typer.Option(
        Path("stimuli.csv"), help="Manifest of the published images, for the study's folder."
    ),
    dirmap: Path | None = typer.Option(None, help="Where to write the dirmap of the variants, for the study's folder."),
    dataset: str | None = typer.Option(None, help="Data set whose StimulusStack shows them (default: the job's)."),
    variant: list[str] = typer.Option([], help="Only this variant; may be given several times (default: all)."),
    overwrite: bool = typer.Option(
        False, "--overwrite", help="Let a variant take the name of one made otherwise; that one is kept as NAME@1 …"
    ),
) -> None:
    """Put the variants of an enhancement online, from S3 to S3, and their names into a study's manifest.

    Example: `lwise jobs publish lwise-enhance-idaea4-90ab-20261125120000 --manifest mystudy_0/stimuli.csv`
    """
    from sagemaker_jobs.publishing import publish_job

    with step("Copying the images") as on_progress:
        n_images = publish_job(
            name,
            manifest=manifest,
            dirmap=dirmap,
            dataset=dataset,
            variants=variant,
            overwrite=overwrite,
            on_progress=on_progress,
        )
    say(f"{manifest}: {n_images} images of {name}")


def _job(kind: JobKind, dataset: str, model: str | None, config: type, told: dict[str, Any]) -> Job:
    """The job of a command line; options that were not given are None, or an empty list."""
    given = {name: value for name, value in told.items() if value not in (None, [])}
    compute = {name: value for name, value in given.items() if name in fields_of(Compute)}
    settings = {name: value for name, value in given.items() if name in fields_of(config)}
    return new_job(kind, dataset, model=model, settings=settings, compute=compute)


def _do(job: Job, *, local: bool, out: Path | None, dry_run: bool, yes: bool, save: Path | None) -> None:
    if save is not None:
        write_job(save, job)
        say(f"{save}: the job")
    elif local:
        _run_here(job, out)
    else:
        if out is not None:
            raise InputError("--out goes with --local; `lwise jobs fetch` brings the result of a job on SageMaker")
        _launch(job, dry_run=dry_run, yes=yes)


def _run_here(job: Job, out: Path | None) -> None:
    from sagemaker_jobs.local import run_locally

    if out is None:
        raise InputError("--local needs --out, where to write the result")
    model = None if job.model is None else Path(job.model)
    skipped = run_locally(job, Path(job.dataset), model, out, on_line=warn)
    _say_skipped(skipped)
    say(f"{out}: done ({job.kind}, on this machine)")


def _launch(job: Job, *, dry_run: bool, yes: bool) -> None:
    import boto3

    from sagemaker_jobs.artefacts import artefacts
    from sagemaker_jobs.aws_errors import launching
    from sagemaker_jobs.dry_run import request_of
    from sagemaker_jobs.inputs import prepare, rehearsed
    from sagemaker_jobs.launch import launch, new_id
    from sagemaker_jobs.prices import estimate

    where, id_ = artefacts(), new_id(job)
    price = f"{job.compute.instance_count} x {job.compute.instance_type}: {estimate(job).told()}"
    if dry_run:
        typer.echo(json.dumps(request_of(rehearsed(job, id_, where)), indent=2, default=str))
        warn(price)
        return
    warn(price)
    if not yes and not typer.confirm("Launch it?", err=True):
        raise typer.Exit(1)
    with step("Checking and copying the inputs") as on_progress:
        ready = prepare(job, id_, where, on_progress=on_progress)
    with step("Launching"), launching(job):
        name = launch(ready, boto3.Session())
    say(name)


def _say_status(status: JobStatus) -> None:
    told = [f"{status.name}: {status.status}", status.step, status.machines, f"created {status.created:%Y-%m-%d %H:%M}"]
    say(", ".join(filter(None, told)))
    if status.reason:
        say(f"reason: {status.reason}")


def _say_skipped(skipped: list[str]) -> None:
    for why in skipped:
        warn(f"skipped: {why}")

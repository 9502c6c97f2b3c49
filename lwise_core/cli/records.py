"""`lwise data` and `lwise report`: participants' data as tables and figures."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lwise_core.cli.progress import console, say, step
from lwise_core.cli.study_arguments import STUDY, compile_with_warnings
from lwise_core.file_names import DIRMAP_FILE

if TYPE_CHECKING:
    from lwise_core.cloud.deployed import Tables

_PARTIAL_DOWNLOAD = ".download"

app = typer.Typer(help="Participants' data.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass


@app.command()
def export(
    data: Path = typer.Argument(help="Folder of sessions that `lwise serve` wrote, e.g. STUDY/data."),
    out: Path | None = typer.Option(
        None, "--out", "-o", help="Folder for trials.csv and sessions.csv (default: DATA)."
    ),
) -> None:
    """Write trials.csv and sessions.csv.

    Example: `lwise data export demo/data`
    """
    export_tables(data, out or data)
    say(f"{out or data}: trials.csv, sessions.csv")


@app.command()
def download(
    study: Path = STUDY,
    out: Path = typer.Option(Path("data"), "--out", "-o", help="Folder for trials.csv and sessions.csv."),
    bucket: str | None = typer.Option(
        None,
        help="Data bucket that `lwise teardown` printed, for a study whose stack is deleted (default: its stack's).",
    ),
) -> None:
    """Write trials.csv and sessions.csv of a deployed study, and check that every stored trial is included.

    An interrupted download resumes when run again.

    Example: `lwise data download moths_0 --out moths-data`
    """
    from lwise_core.cloud.deployed import find_deployed, tables_of_bucket

    download_tables(study, out, find_deployed(study).tables if bucket is None else tables_of_bucket(bucket))


@app.command()
def emails(data: Path = typer.Argument(help="Folder of sessions that `lwise serve` wrote, e.g. STUDY/data.")) -> None:
    """Print the e-mail addresses of participants, one per line in alphabetical order, without saying whose they are.

    Example: `lwise data emails demo/data > emails.txt`
    """
    from lwise_core.local.server import open_records

    with open_records(data) as service:
        for address in service.emails():
            typer.echo(address)


def download_tables(study: Path, out: Path, tables: Tables) -> None:
    """Shared by `lwise data download` and `lwise teardown`."""
    from lwise_core.cloud.aws_client import explain_aws_errors
    from lwise_core.cloud.snapshot import Snapshot
    from lwise_core.records.tables import write_tables
    from lwise_core.sessions.service import SessionService

    compiled = compile_with_warnings(study).study
    partial = out / _PARTIAL_DOWNLOAD
    with step("Reading the sessions") as on_progress, explain_aws_errors(f"table {tables.session_table}"):
        service = SessionService(compiled, Snapshot(tables, partial, on_progress=on_progress))
    with step("Writing the tables"):
        sessions, trials = service.session_records(), list(service.trial_records())
        write_tables(trials, sessions, out)
    # Do not leave a copy of participants' data in a hidden folder.
    shutil.rmtree(partial, ignore_errors=True)
    say(
        f"{out}: trials.csv ({len(trials)}), sessions.csv ({len(sessions)}); all trials that the sessions list are "
        "included",
    )


def export_tables(data: Path, out: Path) -> None:
    """Shared by `lwise data export` and `lwise demo`."""
    from lwise_core.local.server import open_records
    from lwise_core.records.tables import write_tables

    with step("Exporting the sessions"), open_records(data) as service:
        write_tables(service.trial_records(), service.session_records(), out)


def report(
    data: Path = typer.Argument(help="Folder with trials.csv and sessions.csv."),
    variants: Path = typer.Option(..., help="Folder of variants that `lwise enhance` wrote."),
    model: Path = typer.Option(..., "--model", "-m", help="Guide model (.safetensors)."),
    out: Path = typer.Option(Path("report.html"), "--out", "-o", help="Where to write the report."),
    title: str = typer.Option("Study report"),
    seed: int = typer.Option(0, help="Seed of the bootstrap."),
) -> None:
    """Write statistics and figures as one self-contained HTML file and print the summary.

    Example: `lwise report demo/data --variants demo/variants --model demo/guide.safetensors`
    """
    write_study_report(data, variants, model, out, title=title, seed=seed)


def write_study_report(data: Path, variants: Path, model: Path, out: Path, *, title: str, seed: int) -> None:
    """Shared by `lwise report` and `lwise demo`."""
    from lwise_core.records.report import write_report
    from lwise_core.records.statistics import condition_summary, summary_table
    from lwise_core.records.tables import read_sessions, read_trials
    from lwise_core.vision.checkpoints.native import model_metrics

    with step("Writing the report"):
        trials, sessions = read_trials(data / "trials.csv"), read_sessions(data / "sessions.csv")
        write_report(
            out,
            trials=trials,
            sessions=sessions,
            dirmap=variants / DIRMAP_FILE,
            variants=variants,
            guide_metrics=model_metrics(model),
            title=title,
            seed=seed,
        )
    console.print(summary_table(condition_summary(trials, sessions, seed=seed)))
    say(f"{out}: open it in a browser")

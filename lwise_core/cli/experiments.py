"""`lwise experiments`: check studies and look at their trial sets before any participant does."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from lwise_core import atomic_files
from lwise_core.cli.progress import console, step
from lwise_core.errors import InputError
from lwise_core.experiments.trialset import build_trialset, expanded

app = typer.Typer(help="Studies: check, compile, print trial sets.", no_args_is_help=True)

_STUDY = typer.Argument(help="Study folder with config.yaml and dirmap.csv.")


@app.command()
def validate(study: Path = _STUDY) -> None:
    """Check a study folder and say what a participant would get.

    Example: `lwise experiments validate demo/study`
    """
    from lwise_core.experiments.compile import compile_study

    with step("Checking the study") as on_progress:
        compiled = compile_study(study, on_progress=on_progress).study
    n_trials = len(build_trialset(compiled, 0)["trials"])
    console.print(
        f"{compiled.study_id}: valid; {len(compiled.classes)} classes, {compiled.n_conditions} conditions, "
        f"{len(compiled.blocks)} blocks, {n_trials} trials, version {compiled.sha256()[:12]}",
        markup=False,
    )


@app.command("compile")
def compile_(
    study: Path = _STUDY,
    out: Path = typer.Option(Path("bundle.json"), "--out", "-o", help="Where to write the bundle."),
) -> None:
    """Write everything a server needs as one JSON file with its content hash.

    Example: `lwise experiments compile demo/study -o bundle.json`
    """
    from lwise_core.experiments.compile import compile_study

    with step("Compiling the study") as on_progress:
        compiled = compile_study(study, on_progress=on_progress).study
    atomic_files.write_text(out, compiled.to_bundle())
    console.print(f"{out}: study {compiled.study_id}, version {compiled.sha256()[:12]}", markup=False)


@app.command()
def trialset(
    study: Path = _STUDY,
    ids: str = typer.Option("0", help="One id, or a range such as 0-279."),
) -> None:
    """Print trial sets with every setting of every trial, one JSON object per line.

    Example: `lwise experiments trialset demo/study --ids 0-3 > trialsets.jsonl`
    """
    from lwise_core.experiments.compile import compile_study

    wanted = _id_range(ids)
    compiled = compile_study(study).study
    for trialset_id in wanted:
        built = build_trialset(compiled, trialset_id)
        document = {key: built[key] for key in ("trialset_id", "condition_idx")} | {"trials": expanded(built)}
        typer.echo(json.dumps(document, ensure_ascii=False))


def _id_range(text: str) -> range:
    first, _, last = text.partition("-")
    if not first.isdecimal() or not (last.isdecimal() or not last) or int(last or first) < int(first):
        raise InputError(f"--ids is {text!r}; expected a whole number or a range such as 0-279")
    return range(int(first), int(last or first) + 1)

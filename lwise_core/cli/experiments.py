"""`lwise experiments`: write and check studies, and look at their trial sets before any participant does."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lwise_core import atomic_files
from lwise_core.cli.audit import audit
from lwise_core.cli.progress import say, step, warn
from lwise_core.cli.study_arguments import (
    AS_JSON,
    STUDY,
    STUDY_OR_BUNDLE,
    compile_with_warnings,
    print_json,
    print_warnings,
    study_or_bundle,
)
from lwise_core.cli.study_list import list_studies
from lwise_core.errors import InputError
from lwise_core.experiments.trialset import build_trialset

if TYPE_CHECKING:
    from lwise_core.experiments.study import Study

app = typer.Typer(help="Studies: write, check, compile, look at their trial sets.", no_args_is_help=True)
app.command()(audit)
app.command("list")(list_studies)

_DRY_RUN = typer.Option(False, "--dry-run", help="Check everything and say what would be written, but write nothing.")


class Format(StrEnum):
    """How trial sets are printed."""

    JSONL = "jsonl"
    CSV = "csv"


@app.command()
def new(
    study: Path = typer.Argument(help="Folder to make for the study, e.g. experiment_site/experiments/moths_1."),
    variants: Path = typer.Option(..., help="Folder of variants that `lwise enhance` wrote."),
    title: str = typer.Option("Learn to tell them apart", help="Title of the participant's page."),
    seed: int = typer.Option(0, help="Seed of everything that is drawn at random."),
    dry_run: bool = _DRY_RUN,
) -> None:
    """Write a study to start from: control against enhancement taper with difficulty curriculum, then a test.

    Example: `lwise experiments new moths_1 --variants demo/variants`
    """
    from lwise_core.authoring.template import new_taper_study

    made = new_taper_study(study, variants, title=title, seed=seed, dry_run=dry_run)
    say(
        f"{study}: {_would(dry_run)}{made.n_training_blocks} training blocks from {made.variants[0]} down to natural, "
        "one test; change config.yaml and instructions/ as you like",
    )


@app.command("import")
def import_(
    path: Path = typer.Argument(help="L-WISE experiment folder: config.yaml with dataset_dirmap.csv or trialsets.csv."),
    out: Path = typer.Option(
        ..., "--out", "-o", help="Folder to make for the study; one that exists gets NAME_NUMBER inside."
    ),
    conditions: int | None = typer.Option(
        None, min=1, help="Number of conditions (default: as many as the files name)."
    ),
    seed: int = typer.Option(0, help="Seed of everything that is drawn at random."),
    name: str | None = typer.Option(None, help="Name of the study; the study is then made inside OUT."),
    number: int | None = typer.Option(None, min=0, help="Number of the study, with --name."),
    dry_run: bool = _DRY_RUN,
) -> None:
    """Make a study of an L-WISE experiment folder; its files stay as they are, what L-WISE takes from flags is added.

    Example: `lwise experiments import L-WISE/idaea4_learn_10 --out studies --name idaea4 --number 10`
    """
    from lwise_core.authoring.lwise_import import import_study

    with step("Importing the study"):
        imported = import_study(
            path, out, n_conditions=conditions, seed=seed, name=name, number=number, dry_run=dry_run
        )
    print_warnings(imported.compiled.warnings)
    say(f"{imported.folder}: {_would(dry_run)}{_summary(imported.compiled.study)}")


@app.command("fetch-dirmap")
def fetch_dirmap(
    study: Path = STUDY,
    copy: Path | None = typer.Option(
        None, "--from", help="A copy of the file on this machine, in place of a download."
    ),
    url: str | None = typer.Option(None, help="Another address to get it from, e.g. a mirror; https."),
    sha256: str | None = typer.Option(None, help="SHA-256 of the file, for a study that records none."),
    dry_run: bool = _DRY_RUN,
) -> None:
    """Get the dirmap, or the trial sets, of a study that is kept without it, and check that it is the recorded one.

    Example: `lwise experiments fetch-dirmap idaea4_10`
    """
    from lwise_core.authoring.data_source import fetch_data_file

    with step("Getting the study's data file") as on_progress:
        fetched = fetch_data_file(study, copy=copy, url=url, sha256=sha256, dry_run=dry_run, on_progress=on_progress)
    known = (
        None if fetched.n_bytes is None else f"{fetched.n_bytes:,} bytes",
        None if fetched.sha256 is None else f"SHA-256 {fetched.sha256}",
    )
    source = "is there already" if fetched.source is None else f"{_would(dry_run)}from {fetched.source}"
    say(f"{fetched.path}: {'; '.join(part for part in (source, *known) if part)}")


@app.command()
def validate(study: Path = STUDY, as_json: bool = AS_JSON) -> None:
    """Check a study and say what a participant would get.

    Example: `lwise experiments validate demo/study`
    """
    from lwise_core.authoring.config_file import unread_keys

    compiled = compile_with_warnings(study, description="Checking the study")
    unread = unread_keys(compiled.config)
    print_warnings(unread)
    if as_json:
        print_json({**_facts(compiled.study), "warnings": [*compiled.warnings, *unread]})
    else:
        say(f"{compiled.study.study_id}: valid; {_summary(compiled.study)}")


@app.command("compile")
def compile_(
    study: Path = STUDY,
    out: Path = typer.Option(Path("bundle.json"), "--out", "-o", help="Where to write the bundle."),
    as_json: bool = AS_JSON,
) -> None:
    """Write everything a server needs as one JSON file with its content hash.

    Example: `lwise experiments compile demo/study -o bundle.json`
    """
    from lwise_core.experiments.bundle import to_bundle

    compiled = compile_with_warnings(study).study
    atomic_files.write_text(out, to_bundle(compiled))
    if as_json:
        print_json({"bundle": str(out), **_facts(compiled)})
    else:
        version = f"study {compiled.study_id}, version {compiled.sha256[:12]}"
        say(f"{out}: {version}")


@app.command()
def trialset(
    study: Path = STUDY_OR_BUNDLE,
    ids: str = typer.Option("0", help="Ids and ranges, e.g. 0-279 or 3,7,20-29."),
    condition: int | None = typer.Option(None, min=0, help="Only the trial sets of this condition."),
    output: Format = typer.Option(
        Format.JSONL, "--format", help="jsonl: one JSON object per trial set; csv: one row per trial."
    ),
) -> None:
    """Print trial sets with every setting of every trial.

    Example: `lwise experiments trialset demo/study --ids 0-279 --format csv > trialsets.csv`
    """
    wanted = _ids(ids)
    compiled = study_or_bundle(study)
    if condition is not None and condition >= compiled.conditions.count:
        raise InputError(
            f"--condition is {condition}; expected 0 to {compiled.conditions.count - 1}, one of the study's conditions"
        )
    documents = _documents(compiled, wanted, condition)
    n_printed = _print_csv(documents) if output is Format.CSV else _print_jsonl(documents)
    if n_printed == 0:
        warn(f"none of the trial sets {ids} has condition {condition}")


def _documents(study: Study, ids: Iterable[int], condition: int | None) -> Iterator[dict[str, Any]]:
    from lwise_core.experiments.conditions import condition_of
    from lwise_core.experiments.payloads import expanded

    for trialset_id in ids:
        if condition is not None and condition_of(study, trialset_id) != condition:
            continue
        built = build_trialset(study, trialset_id)
        yield {
            "trialset_id": built.trialset_id,
            "condition_idx": built.condition_idx,
            "trials": expanded(study, built),
        }


def _print_jsonl(documents: Iterable[dict[str, Any]]) -> int:
    n_printed = 0
    for document in documents:
        typer.echo(json.dumps(document, ensure_ascii=False))
        n_printed += 1
    return n_printed


def _print_csv(documents: Iterable[dict[str, Any]]) -> int:
    """One row per trial; lists as JSON text, as in trials.csv, and nothing for what a trial does not have."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    n_printed = 0
    for document in documents:
        if n_printed == 0:
            writer.writerow(["trialset_id", *document["trials"][0]])
        for trial in document["trials"]:
            writer.writerow([document["trialset_id"], *map(_cell, trial.values())])
        n_printed += 1
    return n_printed


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value


def _ids(text: str) -> list[int] | range:
    parts = [_id_range(part, text) for part in text.split(",")]
    return parts[0] if len(parts) == 1 else [number for part in parts for number in part]


def _id_range(part: str, text: str) -> range:
    first, dash, last = part.strip().partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()) or int(last or first) < int(first):
        raise InputError(f"--ids is {text!r}; expected whole numbers and ranges such as 0-279 or 3,7,20-29")
    return range(int(first), int(last or first) + 1)


def _facts(study: Study) -> dict[str, Any]:
    # Sampled trial sets are all of one length; given ones need not be.
    n_trials = [len(build_trialset(study, number).trials) for number in range(len(study.prespecified) or 1)]
    return {
        "study_id": study.study_id,
        "sha256": study.sha256,
        "classes": list(study.classes),
        "n_conditions": study.conditions.count,
        "n_trialsets": study.slots.count,
        "n_images": len(study.images),
        "blocks": [block.name for block in study.blocks],
        "n_trials": [min(n_trials), max(n_trials)],
    }


def _summary(study: Study) -> str:
    facts = _facts(study)
    least, most = facts["n_trials"]
    parts = _counted(len(facts["blocks"]), "block") if facts["blocks"] else _counted(facts["n_trialsets"], "trial set")
    trials = _counted(most, "trial") if least == most else f"{least} to {most} trials"
    return (
        f"{len(facts['classes'])} classes, {_counted(facts['n_conditions'], 'condition')}, {parts}, {trials}, "
        f"version {facts['sha256'][:12]}"
    )


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _would(dry_run: bool) -> str:
    return "would be written; " if dry_run else ""

"""`lwise experiments`: write and validate studies, and inspect their trial sets before data collection."""

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

app = typer.Typer(help="Studies: write, validate, compile, inspect trial sets.", no_args_is_help=True)
app.command()(audit)
app.command("list")(list_studies)

_SEED = typer.Option(0, help="Seed of all random draws.")
_DRY_RUN = typer.Option(
    False, "--dry-run", help="Validate everything and print what would be written, but write nothing."
)


class Format(StrEnum):
    """Output formats of trial sets."""

    JSONL = "jsonl"
    CSV = "csv"


@app.command()
def new(
    study: Path = typer.Argument(help="New folder for the study, e.g. experiment_site/experiments/moths_1."),
    variants: Path = typer.Option(..., help="Folder of variants that `lwise enhance` wrote."),
    title: str = typer.Option("Learn to tell them apart", help="Title of the participant's page."),
    seed: int = _SEED,
    dry_run: bool = _DRY_RUN,
) -> None:
    """Write a starter study: control and enhancement taper with difficulty curriculum, then a test.

    Example: `lwise experiments new moths_1 --variants demo/variants`
    """
    from lwise_core.authoring.template import new_taper_study

    written = new_taper_study(study, variants, title=title, seed=seed, dry_run=dry_run)
    say(
        f"{study}: {_would(dry_run)}{written.n_training_blocks} training blocks from {written.variants[0]} down to "
        "natural, one test; change config.yaml and instructions/ as you like",
    )


@app.command("import")
def import_(
    path: Path = typer.Argument(help="L-WISE experiment folder: config.yaml with dataset_dirmap.csv or trialsets.csv."),
    out: Path = typer.Option(
        ..., "--out", "-o", help="New folder for the study; if it exists, the study is written to NAME_NUMBER inside."
    ),
    conditions: int | None = typer.Option(None, min=1, help="Number of conditions (default: the number in the files)."),
    seed: int = _SEED,
    name: str | None = typer.Option(None, help="Name of the study, which is then written inside OUT."),
    number: int | None = typer.Option(None, min=0, help="Number of the study, with --name."),
    dry_run: bool = _DRY_RUN,
) -> None:
    """Convert an L-WISE experiment folder into a study: its files unchanged, with the settings that were flags added.

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
    copy: Path | None = typer.Option(None, "--from", help="A local copy of the file, instead of a download."),
    url: str | None = typer.Option(None, help="Another https address to download from, e.g. a mirror."),
    sha256: str | None = typer.Option(None, help="SHA-256 of the file, if the study does not record it."),
    dry_run: bool = _DRY_RUN,
) -> None:
    """Download the dirmap or trial sets of a study that does not include them, and verify the hash.

    Example: `lwise experiments fetch-dirmap idaea4_10`
    """
    from lwise_core.authoring.data_source import fetch_data_file

    with step("Downloading the study's data file") as on_progress:
        fetched = fetch_data_file(study, copy=copy, url=url, sha256=sha256, dry_run=dry_run, on_progress=on_progress)
    known = (
        None if fetched.n_bytes is None else f"{fetched.n_bytes:,} bytes",
        None if fetched.sha256 is None else f"SHA-256 {fetched.sha256}",
    )
    source = "exists already" if fetched.source is None else f"{_would(dry_run)}from {fetched.source}"
    say(f"{fetched.path}: {'; '.join(part for part in (source, *known) if part)}")


@app.command()
def validate(study: Path = STUDY, as_json: bool = AS_JSON) -> None:
    """Validate a study and print what a participant would get.

    Example: `lwise experiments validate demo/study`
    """
    from lwise_core.authoring.config_file import unread_keys

    compiled = compile_with_warnings(study, description="Validating the study")
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
    """Write a bundle: everything a server needs, as one JSON file with its content hash.

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
    trialset_ids = _ids(ids)
    compiled = study_or_bundle(study)
    if condition is not None and condition >= compiled.conditions.count:
        raise InputError(
            f"--condition is {condition}; expected 0 to {compiled.conditions.count - 1}, one of the study's conditions"
        )
    documents = _documents(compiled, trialset_ids, condition)
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
    """One row per trial; lists are JSON text, as in trials.csv, and missing values empty."""
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
    # Sampled trial sets all have the same length; prespecified ones may differ.
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
    parts = _count(len(facts["blocks"]), "block") if facts["blocks"] else _count(facts["n_trialsets"], "trial set")
    trials = _count(most, "trial") if least == most else f"{least} to {most} trials"
    return (
        f"{len(facts['classes'])} classes, {_count(facts['n_conditions'], 'condition')}, {parts}, {trials}, "
        f"version {facts['sha256'][:12]}"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _would(dry_run: bool) -> str:
    return "would be written; " if dry_run else ""

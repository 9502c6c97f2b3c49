"""Compiling a study on the way to something else, with its progress and its warnings. Shared by several commands."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lwise_core.cli.progress import step, warn

if TYPE_CHECKING:
    from lwise_core.authoring.study_parts import CompiledStudy
    from lwise_core.experiments.study import Study

STUDY = typer.Argument(help="Study folder, a config file in it, or a study's id such as idaea4_10.")
STUDY_OR_BUNDLE = typer.Argument(help="Study folder, a config file in it, a study's id, or a bundle (.json).")
AS_JSON = typer.Option(False, "--json", help="Print the answer as JSON.")


def compile_with_warnings(study: Path, *, description: str = "Compiling the study") -> CompiledStudy:
    """Compile a study and print its warnings."""
    from lwise_core.authoring.compile import compile_study

    with step(description) as on_progress:
        compiled = compile_study(study, on_progress=on_progress)
    print_warnings(compiled.warnings)
    return compiled


def print_warnings(warnings: Iterable[str]) -> None:
    """Print what the author of a study should know, on standard error."""
    for warning in warnings:
        warn(f"warning: {warning}")


def study_or_bundle(path: Path) -> Study:
    """The study of a folder, compiled now, or of a bundle, as it was compiled."""
    from lwise_core.experiments.bundle import load_bundle

    return load_bundle(path) if path.suffix == ".json" else compile_with_warnings(path).study


def print_json(answer: object) -> None:
    """Standard output of a command that was asked for JSON."""
    typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))

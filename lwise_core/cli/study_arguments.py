"""Arguments that name a study, and compiling it with progress and warnings. Shared by several commands."""

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
AS_JSON = typer.Option(False, "--json", help="Print the result as JSON.")


def compile_with_warnings(study: Path, *, description: str = "Compiling the study") -> CompiledStudy:
    """Compile a study and print its warnings."""
    from lwise_core.authoring.compile import compile_study

    with step(description) as on_progress:
        compiled = compile_study(study, on_progress=on_progress)
    print_warnings(compiled.warnings)
    return compiled


def print_warnings(warnings: Iterable[str]) -> None:
    """Print warnings for a study's author, on standard error."""
    for warning in warnings:
        warn(f"warning: {warning}")


def study_or_bundle(path: Path) -> Study:
    """Compile the study of a folder, or load that of a bundle."""
    from lwise_core.experiments.bundle import load_bundle

    return load_bundle(path) if path.suffix == ".json" else compile_with_warnings(path).study


def print_json(answer: object) -> None:
    """Print a result as JSON on standard output."""
    typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))

"""`lwise experiments list`: the studies that can be given by their id, and which of them can be run as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from lwise_core.cli.progress import console
from lwise_core.cli.study_arguments import AS_JSON, print_json
from lwise_core.errors import InputError
from lwise_core.experiments.trialset import build_trialset

if TYPE_CHECKING:
    from lwise_core.authoring.folder import StudyFolder


def list_studies(as_json: bool = AS_JSON) -> None:
    """List the studies of experiment_site/experiments: title, conditions, trials, and what keeps one from being run.

    Example: `lwise experiments list --json`
    """
    from lwise_core.authoring.folder import EXPERIMENTS, study_folders

    listed = [_listed(folder) for folder in study_folders()]
    if not listed:
        raise InputError(f"{EXPERIMENTS}: holds no studies; run this in the root of the repository")
    if as_json:
        print_json(listed)
        return
    table = Table(box=None, pad_edge=False)
    for column in ("study", "title", "conditions", "trials", "ready"):
        table.add_column(column, no_wrap=column == "study")
    for row in listed:
        ready = "yes" if row["problem"] is None else "no data file" if row["needs_data_file"] else "no"
        table.add_row(row["study_id"], row["title"], *map(_cell, (row["n_conditions"], row["n_trials"])), ready)
    console.print(table)


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return "–".join(map(str, sorted(set(value)))) if isinstance(value, list) else str(value)


def _listed(folder: StudyFolder) -> dict[str, Any]:
    """What is known of a study; `problem` is what keeps it from being run."""
    from lwise_core.authoring.compile import compile_study
    from lwise_core.authoring.folder import MissingDataError

    row: dict[str, Any] = {"study_id": folder.study_id, "title": "", "n_conditions": None, "n_trials": None}
    try:
        row["title"] = folder.config_file.config.site.title
        study = compile_study(folder).study
    except InputError as error:
        return {**row, "needs_data_file": isinstance(error, MissingDataError), "problem": str(error)}
    n_trials = [len(build_trialset(study, number).trials) for number in range(len(study.prespecified) or 1)]
    row |= {"n_conditions": study.conditions.count, "n_trials": [min(n_trials), max(n_trials)]}
    return {**row, "needs_data_file": False, "problem": None}

"""`lwise status`: a deployed study as it stands."""

from __future__ import annotations

import contextlib
import time
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lwise_core.cli.progress import console
from lwise_core.cli.study_arguments import AS_JSON, STUDY, compile_with_warnings, print_json
from lwise_core.errors import InputError

if TYPE_CHECKING:
    from lwise_core.sessions.overview import Counts, Overview

_SHOWN_PROBLEMS = 5


def status(
    study: Path = STUDY,
    watch: bool = typer.Option(False, "--watch", help="Look again until Ctrl-C."),
    every: float = typer.Option(30, min=1, help="With --watch: seconds from one look to the next."),
    as_json: bool = AS_JSON,
) -> None:
    """Show how many participants of a deployed study stand where, what went wrong, and which alarms have gone off.

    Example: `lwise status moths_0 --watch`
    """
    from lwise_core.cloud.aws_client import explain_aws_errors
    from lwise_core.cloud.deployed import alarms_of, find_deployed, open_sessions

    if watch and as_json:
        raise InputError("--watch and --json: expected one of them")
    compiled = compile_with_warnings(study).study
    deployed = find_deployed(study)
    service = open_sessions(compiled, deployed.tables)

    def look() -> tuple[Overview, list[str]]:
        with explain_aws_errors(deployed.stack):
            return service.overview(), alarms_of(deployed.stack)

    if as_json:
        print_json(_as_json(deployed.stack, deployed.address, *look()))
        return
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            shown = _shown(deployed.stack, deployed.address, *look())
            if watch:
                console.clear()  # of a terminal; a log keeps every look
            console.print(shown, soft_wrap=True)
            if not watch:
                return
            time.sleep(every)


def _as_json(stack: str, address: str, overview: Overview, alarms: list[str]) -> dict[str, Any]:
    """What is known, without the single sessions, which name participants."""
    counted = {name: value for name, value in asdict(overview).items() if name != "sessions"}
    problems = [asdict(problem) for problem in _problems(overview)]
    return {"stack": stack, "address": address, **counted, "problems": problems, "alarms": alarms}


def _shown(stack: str, address: str, overview: Overview, alarms: list[str]) -> RenderableType:
    median, left = overview.median_minutes, overview.places_left
    lines = [
        f"{stack}, {address}, at {overview.at}",
        f"median of {median:.1f} min from start to end" if median is not None else "nobody has finished",
        "places without end" if left is None else f"{left} places left",
        f"{overview.n_tried_out} sessions to try it out",
    ]
    problems = _problems(overview)
    troubles = [f"ALARM: {alarm}" for alarm in alarms] or ["no alarm has gone off"]
    troubles += [f"{problem.at} {problem.kind}: {problem.message}" for problem in problems[-_SHOWN_PROBLEMS:]]
    if len(problems) > _SHOWN_PROBLEMS:
        troubles.append(f"{len(problems)} problems in all; `lwise status --json` has every one")
    return Group(
        Text("; ".join(lines)),
        _counts_table(overview),
        *(Text(line, style="bold red" if line.startswith("ALARM") else "") for line in troubles),
    )


def _counts_table(overview: Overview) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("condition")
    names = [field.name for field in fields(overview.total)]
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")

    def add(condition: str, counts: Counts) -> None:
        table.add_row(condition, *(str(getattr(counts, name)) for name in names))

    for number, counts in enumerate(overview.conditions):
        add(str(number), counts)
    add("all", overview.total)
    return table


def _problems(overview: Overview) -> list[Any]:
    """What went wrong on participants' pages, oldest first."""
    found = [problem for session in overview.sessions for problem in session.problems]
    return sorted(found, key=lambda problem: problem.at)

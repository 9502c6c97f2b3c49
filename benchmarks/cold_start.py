"""Time from a cold start of the session function to its first response, split into parts.

    .venv/bin/python benchmarks/cold_start.py [--data FOLDER] [--n N]

Every start is a new Python process on one core, with the deployed folder of the function and boto3 only. The folder has
no compiled Python, as on AWS: imports compile. The first response is to a new participant, with its trial set, against
an emulated AWS on the other cores; the time of boto3's calls, waiting included, is listed separately, because it says
nothing about AWS. The goal is judged by the 95th percentile; the exit code is 0 whether or not it is met. Linux or
macOS.

Last measured 2026-11-25 on an AMD EPYC (2 cores, 1 used, load 0.5 to 1), Linux 6.18, Python 3.11.7, boto3 1.44.8; the
published moth study; n = 60 starts. Median (95th percentile).

    import of the function, compiling it     30.4 (37.8) ms
    load the bundle                           1.8 (2.3) ms
    first answer, without calls of AWS       10.8 (17.0) ms
    all but boto3                            43.1 (57.1) ms    goal 80 ms
    boto3: import                            92.7 (112.5) ms
    boto3: make the client                   58.3 (83.4) ms
    boto3: calls of the stand-in             27.4 (50.9) ms

While browsers kept both cores busy (load 3), everything took up to twice as long, boto3's import too: all but boto3
was 94 (163) ms then, beyond the goal.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from synthetic_studies import write_moths
from trialsets import MOTHS, PUBLISHED, processor

sys.path.insert(0, str(Path(__file__).parent.parent))

from lambdas.assemble import assemble_session_api
from lwise_core.authoring.compile import compile_study
from lwise_core.experiments.bundle import to_bundle
from tests.aws import aws_stand_in
from tests.lambdas.container import environment_of, link_boto3
from tests.lambdas.events import event

GOAL_MS = 80.0

_START = """
import json, os, sys, time
folder, packages, event = sys.argv[1:]
sys.path[:0] = [folder, packages]
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
took = dict.fromkeys(("boto3", "bundle", "import", "answer"), 0.0)

def timed(part, call):
    def run(*arguments, **named):
        began = time.perf_counter()
        try:
            return call(*arguments, **named)
        finally:
            took[part] += 1000 * (time.perf_counter() - began)
    return run

def import_boto3():
    import boto3, botocore.client, botocore.config, botocore.exceptions
    boto3.client = timed("boto3", boto3.client)
    botocore.client.BaseClient._make_api_call = timed("boto3", botocore.client.BaseClient._make_api_call)

def import_function():
    from lwise_core.experiments import bundle
    bundle.load_bundle = timed("bundle", bundle.load_bundle)
    import lambdas.session_api.handler

timed("boto3", import_boto3)()
before = took["boto3"]
timed("import", import_function)()
took["import"] -= took["bundle"] + took["boto3"] - before
before, took["import of boto3"] = took["boto3"], before
from lambdas.session_api.handler import lambda_handler
sys.stdout, answers = sys.stderr, sys.stdout
answer = timed("answer", lambda_handler)(json.loads(event), None)
assert answer["statusCode"] == 200, answer
took["answer"] -= took["boto3"] - before
took["clients of boto3"], took["calls of boto3"] = before - took["import of boto3"], took.pop("boto3") - before
print(json.dumps(took), file=answers)
"""
_PARTS = {
    "import": "import of the function, compiling it",
    "bundle": "load the bundle",
    "answer": "first answer, without calls of AWS",
}
_OF_BOTO3 = {
    "import of boto3": "boto3: import",
    "clients of boto3": "boto3: make the client",
    "calls of boto3": "boto3: calls of the stand-in",
}


def main(
    data: Annotated[
        Path | None, typer.Option(help="Study folder. Default: the published one if it is there, else a made-up one.")
    ] = None,
    n: Annotated[int, typer.Option(min=20, help="Starts.")] = 40,
) -> None:
    """Start the function many times and print where the time went."""
    console = Console(width=None if sys.stdout.isatty() else 110, highlight=False)
    with tempfile.TemporaryDirectory() as scratch:
        study, origin = study_folder(data, Path(scratch))
        code, packages = Path(scratch) / "code", Path(scratch) / "packages"
        code.mkdir()
        assemble_session_api(code, to_bundle(compile_study(study).study))
        link_boto3(packages)
        console.print(
            f"Machine: {processor()}, {os.cpu_count()} cores, 1 used; {platform.system()} {platform.release()}"
        )
        console.print(
            f"Versions: Python {platform.python_version()}; study: {origin}; n: {n} starts after one to warm up"
        )
        console.print(f"Folder: {sum(path.stat().st_size for path in code.rglob('*') if path.is_file()) / 1e3:.0f} kB")
        console.print(report(starts(code, packages, n)))


def study_folder(data: Path | None, scratch: Path) -> tuple[Path, str]:
    """The study to start, and in words which it is."""
    found = data or PUBLISHED / MOTHS
    if data is None and not found.is_dir():
        found = scratch / MOTHS
        write_moths(found)
        return found, f"synthetic, of the shape of {MOTHS}"
    return found, found.name


def starts(code: Path, packages: Path, n: int) -> list[dict[str, float]]:
    """Milliseconds of every part, of `n` starts."""
    with aws_stand_in() as aws:
        environment = environment_of(aws, aws.new_place())
        taken = []
        for number in range(n + 1):
            ids = {"platform": "inperson", "assignment_id": f"person {number}"}
            command = [sys.executable, "-I", "-S", "-B", "-c", _START]
            started = subprocess.run(  # noqa: S603 - this very Python
                [*command, str(code), str(packages), json.dumps(event("/api/sessions", ids))],
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            )
            taken.append(json.loads(started.stdout))
    return taken[1:]


def report(taken: list[dict[str, float]]) -> Table:
    """Median and 95th percentile of every part, and of all that is not boto3's."""
    table = Table("part", title="From nothing to the first answer")
    for heading in ("median", "p95", "goal", "verdict"):
        table.add_column(heading, justify="right")
    for part, what in _PARTS.items():
        table.add_row(what, *_middle_and_worst([start[part] for start in taken]))
    own = [sum(start[part] for part in _PARTS) for start in taken]
    met = float(np.percentile(own, 95)) <= GOAL_MS
    table.add_row("all but boto3", *_middle_and_worst(own), f"≤ {GOAL_MS:g} ms", "pass" if met else "FAIL")
    table.add_section()
    for part, what in _OF_BOTO3.items():
        table.add_row(what, *_middle_and_worst([start[part] for start in taken]))
    return table


def _middle_and_worst(taken: list[float]) -> tuple[str, str]:
    middle, worst = (float(value) for value in np.percentile(taken, [50, 95]))
    return f"{middle:.1f} ms", f"{worst:.1f} ms"


if __name__ == "__main__":
    typer.run(main)

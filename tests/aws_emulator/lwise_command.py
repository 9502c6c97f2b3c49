"""The `lwise` command, as a researcher runs it who works in the stand-in's account."""

from __future__ import annotations

import csv
import subprocess
from pathlib import Path

from tests.aws_emulator.cdk_command import PROJECT
from tests.aws_emulator.stand_in import StandIn
from tests.run_cli import COMMAND


def lwise(stand_in: StandIn, *arguments: str, project: Path = PROJECT) -> str:
    """Run the command, which must end with exit code 0, at the root of a project; its standard output."""
    done = subprocess.run(
        [*COMMAND, *arguments], cwd=project, env=stand_in.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def download(
    stand_in: StandIn, study: str, folder: Path, *options: str, project: Path = PROJECT
) -> list[dict[str, str]]:
    """`lwise data download` into a folder; the rows of its trials.csv."""
    lwise(stand_in, "data", "download", study, "--out", str(folder), *options, project=project)
    assert (folder / "sessions.csv").is_file()
    return read_table(folder / "trials.csv")


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a table."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))

"""Mutates the participant's page with Stryker, in a copy: all mutants of the named modules, which takes a minute."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.mutants.mutations import Mutant
from tests.mutants.report import Result

ROOM = "site"
_VERSION = "9.6.1"
"""The last that runs on Node 20."""
_STRYKER = (f"@stryker-mutator/core@{_VERSION}", f"@stryker-mutator/vitest-runner@{_VERSION}")
_OUTCOMES = {"Killed": "killed", "Timeout": "timed out", "Survived": "survived", "NoCoverage": "survived"}


def run(project: Path, modules: Sequence[str]) -> list[Result]:
    """Results of every mutant of the modules, which are paths below the project."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "experiment_site"
        shutil.copytree(project / "experiment_site", copy, ignore=shutil.ignore_patterns("experiments"))
        settings = {
            "testRunner": "vitest",
            "mutate": [module.removeprefix("experiment_site/") for module in modules],
            "reporters": ["json"],
            "concurrency": 2,
            # Stryker rewrites this file with a function that TypeScript 7 does not have.
            "tsconfigFile": "none.json",
        }
        (copy / "stryker.config.json").write_text(json.dumps(settings), encoding="utf-8")
        install = ("npm", "install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error", *_STRYKER)
        for command in (install, ("npx", "stryker", "run")):
            subprocess.run(command, cwd=copy, check=True)
        report = json.loads((copy / "reports" / "mutation" / "mutation.json").read_text(encoding="utf-8"))
    return [result for path, file in sorted(report["files"].items()) for result in _results(path, file)]


def _results(path: str, file: dict[str, Any]) -> Iterator[Result]:
    lines = file["source"].splitlines()
    for mutant in file["mutants"]:
        if mutant["status"] in _OUTCOMES:
            before = lines[mutant["location"]["start"]["line"] - 1].strip()
            after = " ".join(mutant["replacement"].split())
            planted = Mutant(ROOM, f"experiment_site/{path}", mutant["mutatorName"], int(mutant["id"]), before, after)
            yield Result(planted, _OUTCOMES[mutant["status"]])

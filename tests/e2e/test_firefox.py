"""The same page in another browser: Firefox as people have it."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path

import pytest

from tests.browser import firefox
from tests.run_cli import served, succeed
from tests.skip_or_fail import skip_or_fail

pytestmark = pytest.mark.browser

_SITE = Path(__file__).parent.parent.parent / "experiment_site"


def test_answers_given_in_firefox_are_stored(short_study: Path, tmp_path: Path) -> None:
    executable = firefox()
    if executable is None:
        skip_or_fail("no Firefox on this machine: run `make test`, which installs one where it can")
    with served(short_study, tmp_path / "data") as address:
        driven = subprocess.run(
            ["node", "test/browsers/firefox.mjs", executable, f"{address}/?PLATFORM=inperson&ASSIGNMENT_ID=fox"],
            cwd=_SITE,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        assert driven.returncode == 0, driven.stderr
    seen = json.loads(driven.stdout)
    assert seen["complaints"] == []
    succeed("data", "export", tmp_path / "data", folder=tmp_path)
    with (tmp_path / "data" / "trials.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    stored = [(int(row["obs"]), int(row["i_choice"]), row["response_device"]) for row in rows]
    assert stored == [(one["obs"], one["i_choice"], one["response_device"]) for one in seen["answers"]]
    assert len(stored) == 19
    with (tmp_path / "data" / "sessions.csv").open(encoding="utf-8", newline="") as file:
        (session,) = csv.DictReader(file)
    assert session["state"] == "completed"

"""Each subcommand runs its step on its own."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from lwise_core import __version__
from lwise_core.dirmap import read_dirmap
from lwise_core.simulation.learners import LearnerModel, take_part
from tests.run_cli import lwise, served, succeed

_N_TRIALS = 4 * 9 + 2 + 21 + 2
"""Four training blocks of three per class, a test of seven per class, two calibration trials in each half."""


def test_score_and_enhance_write_scores_variants_and_provenance(workshop: Path) -> None:
    rows = read_dirmap(workshop / "dirmap.csv")
    assert len(rows) == 3 * (30 + 10)
    assert min(row.difficulty for row in rows if row.difficulty is not None) == 0
    assert {path.name for path in (workshop / "variants").iterdir()} == {"natural", "eps1", "eps0.5", "dirmap.csv"}
    provenance = json.loads((workshop / "variants" / "eps1" / "provenance.json").read_text())
    assert provenance["epsilon"] == 1
    assert provenance["steps"] == 2
    assert provenance["objective"] == "logit_diverge"
    assert provenance["package_version"] == __version__


def test_validate_and_compile_a_study(workshop: Path, tmp_path: Path) -> None:
    assert f"3 classes, 2 conditions, 5 blocks, {_N_TRIALS} trials" in succeed(
        "experiments", "validate", workshop / "study", folder=tmp_path
    )
    succeed("experiments", "compile", workshop / "study", folder=tmp_path)
    assert json.loads((tmp_path / "bundle.json").read_text())


def test_trialset_prints_one_json_document_per_line(workshop: Path, tmp_path: Path) -> None:
    printed = succeed("experiments", "trialset", workshop / "study", "--ids", "2-5", folder=tmp_path)
    documents = [json.loads(line) for line in printed.splitlines()]
    assert [document["trialset_id"] for document in documents] == [2, 3, 4, 5]
    assert all(len(document["trials"]) == _N_TRIALS for document in documents)
    assert printed == succeed("experiments", "trialset", workshop / "study", "--ids", "2-5", folder=tmp_path)


def test_serve_export_and_report(workshop: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with served(workshop / "study", data) as address:
        take_part(address, assignment_id="one", model=LearnerModel(), seed=1)
    succeed("data", "export", data, folder=tmp_path)
    with (data / "trials.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == _N_TRIALS
    variants, model = workshop / "variants", workshop / "guide.safetensors"
    printed = succeed("report", data, "--variants", variants, "--model", model, folder=tmp_path)
    assert "taper_curriculum" in printed or "control" in printed
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")


def test_version_is_printed_and_no_arguments_are_bad_input(tmp_path: Path) -> None:
    assert succeed("--version", folder=tmp_path) == f"{__version__}\n"
    assert lwise(folder=tmp_path).returncode == 2

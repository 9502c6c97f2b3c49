"""Jobs on this machine, and how an entry point uses the cards of one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lwise_core.vision.shard import Shard
from sagemaker_jobs.container.entrypoint import ROOT, run, shard_of
from sagemaker_jobs.container.opt_ml import Container, ContainerError
from tests.run_cli import lwise, succeed
from tests.sagemaker_jobs.conftest import DataSet

_SCRIPT = """
import sys
from pathlib import Path
from sagemaker_jobs.container.opt_ml import Container
from sagemaker_jobs.container.entrypoint import on_each_card, shard_of
code = on_each_card(__file__, 2)
if code is None:
    shard = shard_of(Container(Path(sys.argv[0]).parent / "ml"))
    (Path(__file__).parent / f"part-{shard.index}-of-{shard.of}").touch()
    code = 3 if shard.index == FAILING else 0
sys.exit(code)
"""


def _tree(root: Path, hosts: list[str], current: str) -> Container:
    (root / "config").mkdir(parents=True)
    told = {"hosts": hosts, "current_host": current}
    (root / "config" / "resourceconfig.json").write_text(json.dumps(told))
    return Container(root)


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_job_runs_here_on_two_machines_as_one_command_does(moths: DataSet, guide: Path, tmp_path: Path) -> None:
    sweep = ("--eps", 0.5, 1, "--batch", 8, "--name", "eps{eps}")
    here = ("--local", "--instance-count", 2, "--out", "there")
    succeed("jobs", "enhance", moths.root, "--model", guide, *sweep, *here, folder=tmp_path)
    inputs = (moths.root / "dirmap.csv", "--images", moths.images, "--model", guide)
    succeed("enhance", *inputs, *sweep, "--out", "here", folder=tmp_path)
    assert _files(tmp_path / "there") == _files(tmp_path / "here")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "there"]


def test_a_job_that_fails_here_says_why_and_where_its_log_is(moths: DataSet, guide: Path, tmp_path: Path) -> None:
    common = ("jobs", "score", moths.root, "--model", guide, "--class-num-col", "colour", "--local")
    refused = lwise(*common, "--out", "scored.csv", folder=tmp_path)
    assert refused.returncode == 2
    assert "colour is ''; expected the number of a logit of the model" in refused.stderr
    assert "(the whole log is" in refused.stderr
    assert not (tmp_path / "scored.csv").exists()


def test_what_a_job_here_needs_is_asked_for(moths: DataSet, guide: Path, tmp_path: Path) -> None:
    assert "--local needs --out" in lwise("jobs", "train", moths.root, "--local", folder=tmp_path).stderr
    nowhere = lwise("jobs", "train", "nowhere", "--local", "--out", "x", folder=tmp_path)
    assert "nowhere: expected a folder with dirmap.csv and images/" in nowhere.stderr
    without = lwise("jobs", "score", moths.root, "-m", "none.safetensors", "--local", "--out", "x", folder=tmp_path)
    assert "none.safetensors: no such file" in without.stderr
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(("failing", "code"), [(-1, 0), (3, 3)])
def test_every_card_of_a_machine_does_its_part(failing: int, code: int, tmp_path: Path) -> None:
    _tree(tmp_path / "ml", ["algo-1", "algo-2"], "algo-2")
    script = tmp_path / "script.py"
    script.write_text(_SCRIPT.replace("FAILING", str(failing)))
    assert subprocess.run([sys.executable, str(script)], check=False).returncode == code
    parts = {path.name for path in tmp_path.glob("part-*")}
    assert parts == {"part-2-of-4", "part-3-of-4"} if failing < 0 else parts <= {"part-2-of-4", "part-3-of-4"}


def test_a_tree_that_is_not_sagemaker_s_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ROOT, str(tmp_path / "none"))
    assert run(lambda container: shard_of(container).index) == 2
    assert "resourceconfig.json: cannot be read" in (Container(tmp_path / "none").failure or "")
    with pytest.raises(ContainerError, match="current_host algo-9 is none of algo-1"):
        _ = _tree(tmp_path / "odd", ["algo-1"], "algo-9").machines
    assert shard_of(_tree(tmp_path / "one", ["algo-1"], "algo-1")) == Shard(0, 1)


def test_what_nobody_foresaw_is_a_failure_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ROOT, str(tmp_path))

    def fail(container: Container) -> int:
        raise ZeroDivisionError("by zero")

    assert run(fail) == 1
    assert Container(tmp_path).failure == "ZeroDivisionError: by zero"

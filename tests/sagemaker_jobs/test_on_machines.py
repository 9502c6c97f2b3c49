"""Jobs as they were asked for, run by what was asked for: from a request to what its machines leave in S3."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pytest

from lwise_core.dirmap import read_dirmap
from lwise_core.vision.checkpoints.native import load_model
from sagemaker_jobs.container.job import Job, new_job
from sagemaker_jobs.container.metrics import METRICS
from sagemaker_jobs.download import fetch
from sagemaker_jobs.local import run_locally
from tests.aws import StandIn
from tests.run_cli import succeed
from tests.sagemaker_jobs.conftest import DataSet
from tests.sagemaker_jobs.machines import Machine, all_end, machines_of, until
from tests.sagemaker_jobs.requests import sent

_TRAINING = {"epochs": 3, "size": 32, "epsilon": 0.5, "batch_size": 12, "augment": "small", "evaluation_steps": 2}
_SWEEP = {"epsilon": [0.5, 1, 2], "name": "eps{eps}", "batch": 8}


def _fetched(name: str, out: Path) -> Path:
    assert fetch(name, out, on_progress=lambda done, total: None) == []
    return out


def _enhance_here(moths: DataSet, guide: Path, out: Path, *options: object) -> None:
    """The same by one command on this machine."""
    sweep = ["--eps", "0.5", "1", "2", "--name", "eps{eps}", "--batch", "8"]
    inputs = (moths.root / "dirmap.csv", "--images", moths.images, "--model", guide)
    succeed("enhance", *inputs, *sweep, *options, "--out", out, folder=out.parent)


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _training(n: int, **settings: Any) -> Job:
    compute = {"instance_count": n, "instance_type": "ml.c5.xlarge"}
    return new_job("train", "moths", model=None, settings={**_TRAINING, **settings}, compute=compute)


def _of(kind: Any, guide: Path, n: int, settings: dict[str, Any]) -> Job:
    compute = {"instance_count": n, "instance_type": "ml.c5.xlarge"}
    return new_job(kind, "moths", model=str(guide), settings=settings, compute=compute)


def _weights(folder: Path) -> list[float]:
    model = load_model(folder / "guide.safetensors")
    return [value for weight in model.parameters() for value in weight.flatten().tolist()]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, moths: DataSet) -> Path:
    """What a training that nobody disturbs leaves."""
    out = tmp_path_factory.mktemp("undisturbed") / "model"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("OMP_NUM_THREADS", "1")
        run_locally(_training(1, epochs=6), moths.root, None, out, on_line=lambda line: None)
    return out


def test_a_training_on_two_machines_leaves_the_model_and_its_log(
    bucket: Any, account: StandIn, tmp_path: Path, moths: DataSet
) -> None:
    name, request, _ = sent(_training(2))
    machines = machines_of(request, account, tmp_path / "machines")
    all_end(machines)
    model = _fetched(name, tmp_path / "model")
    assert {path.name for path in model.iterdir()} == {"guide.safetensors", "config.yaml", "log.csv"}
    assert load_model(model / "guide.safetensors").description.classes == ("blue", "green", "red")
    with (model / "log.csv").open(newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2", "3"]
    lines = [line for line in machines[0].log.splitlines() if line.startswith("epoch=")]
    assert len(lines) == 3
    curves = {name: float(found[1]) for name, regex in METRICS.items() if (found := re.search(regex, lines[-1]))}
    assert curves.keys() == METRICS.keys() - {"mfu"}, "SageMaker reads the curves out of these lines"
    assert curves["epsilon"] == 0.5
    assert not [line for line in machines[1].log.splitlines() if line.startswith("epoch=")]


@pytest.mark.parametrize("how", ["told", "lost"])
def test_a_training_whose_machine_is_taken_away_goes_on_and_ends_as_if_it_had_not(
    how: str, bucket: Any, account: StandIn, tmp_path: Path, undisturbed: Path
) -> None:
    name, request, _ = sent(_training(1, epochs=6))
    # Real interpreters and a real torchrun for the one, so that a signal takes its whole way.
    forked = how != "told"
    (first,) = machines_of(request, account, tmp_path / "first", forked=forked)
    until(lambda: "epoch=2" in first.log, [first])
    if how == "told":
        first.terminate()
        assert first.wait() != 0
        assert "the state is in the job's checkpoints" in first.log
    else:
        first.kill()
    (second,) = machines_of(request, account, tmp_path / "second", forked=forked)
    all_end([second])
    assert "epoch=1" not in second.log, "it must not begin anew"
    assert _weights(_fetched(name, tmp_path / "model")) == _weights(undisturbed)


def test_an_enhancement_on_two_machines_is_that_of_one(
    bucket: Any, account: StandIn, tmp_path: Path, moths: DataSet, guide: Path
) -> None:
    name, request, _ = sent(_of("enhance", guide, 2, _SWEEP))
    machines = machines_of(request, account, tmp_path / "machines")
    all_end(machines)
    _enhance_here(moths, guide, tmp_path / "here")
    assert _files(_fetched(name, tmp_path / "there")) == _files(tmp_path / "here")
    made = [sum(path.suffix == ".png" for path in machine.container.output.rglob("*")) for machine in machines]
    assert made == [4 * 40, 4 * 32], "72 rows in batches of 8: five to the first machine, four to the second"


def test_an_enhancement_of_which_a_machine_was_lost_goes_on_in_another_job(
    bucket: Any, account: StandIn, tmp_path: Path, moths: DataSet, guide: Path
) -> None:
    slow = {**_SWEEP, "step": 0.01}
    name, request, _ = sent(_of("enhance", guide, 2, slow))
    machines = machines_of(request, account, tmp_path / "first")

    def n_stored(machine: Machine) -> int:
        return sum(path.read_text().count("\n") for path in machine.container.output.rglob("journal-*.jsonl"))

    until(lambda: n_stored(machines[1]) >= 8, machines[1:])
    machines[1].kill()
    machines[0].wait()
    assert 8 <= n_stored(machines[1]) < 32
    second, request, _ = sent(_of("enhance", guide, 2, slow).model_copy(update={"goes_on": name}))
    again = machines_of(request, account, tmp_path / "second")
    all_end(again)
    _enhance_here(moths, guide, tmp_path / "here", "--step", 0.01)
    assert _files(_fetched(second, tmp_path / "went_on")) == _files(tmp_path / "here")


def test_scores_of_two_machines_are_those_of_one(
    bucket: Any, account: StandIn, tmp_path: Path, moths: DataSet, guide: Path
) -> None:
    name, request, _ = sent(_of("score", guide, 2, {}))
    all_end(machines_of(request, account, tmp_path / "machines"))
    dirmap = moths.root / "dirmap.csv"
    succeed("score", dirmap, "--images", moths.images, "--model", guide, "--out", "here.csv", folder=tmp_path)
    assert _fetched(name, tmp_path / "there.csv").read_bytes() == (tmp_path / "here.csv").read_bytes()
    assert len(read_dirmap(tmp_path / "there.csv")) == len(moths.rows)


def test_a_model_that_does_not_fit_the_data_set_is_the_reason_that_sagemaker_shows(
    bucket: Any, account: StandIn, tmp_path: Path, moths: DataSet, guide: Path
) -> None:
    bucket.put_object(
        Bucket="artefacts",
        Key="datasets/moths/dirmap.csv",
        Body=(moths.root / "dirmap.csv").read_bytes().replace(b",red,", b",violet,"),
    )
    _, request, _ = sent(_of("score", guide, 1, {}))
    (machine,) = machines_of(request, account, tmp_path / "machines")
    assert machine.wait() == 2
    assert "the model knows the classes blue, green, red; the dirmap has" in (machine.container.failure or "")
    assert "Traceback" not in machine.log

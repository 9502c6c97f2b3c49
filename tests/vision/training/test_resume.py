"""A killed or stopped training resumes with a bitwise equal result."""

from __future__ import annotations

import csv
import signal
import subprocess
import time
from pathlib import Path

import pytest

from lwise_core.dirmap import write_dirmap
from lwise_core.errors import InputError
from lwise_core.vision.checkpoints.native import load_model
from lwise_core.vision.image_folder import index_image_folder
from lwise_core.vision.settings import read_settings, settings_from
from lwise_core.vision.training.config import TrainingConfig
from lwise_core.vision.training.loop import Callbacks, Data, Stopped, train
from lwise_core.vision.training.signals import stop_on_signal
from lwise_core.vision.training.state import RunFolder
from tests.conftest import write_photographs
from tests.run_cli import COMMAND, succeed
from tests.vision.training.tiny import config, equal, tiny_model, trained

_OPTIONS = ("--size", 32, "--epochs", 4, "--batch-size", 6, "--ema", 0.9, "--mixup", 0.2, "--evaluation-steps", 1)


def _arguments(out: str, *more: object) -> list[object]:
    return ["train", "dirmap.csv", "--images", "photographs", "--out", out, *_OPTIONS, *more]


def _cut_short(folder: Path, *, number: int) -> subprocess.CompletedProcess[str]:
    """Start a training and send it a signal in the middle of its third epoch."""
    command = [*COMMAND, *map(str, _arguments("cut.safetensors"))]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True, encoding="utf-8") as process:
        assert process.stderr is not None
        log = ""
        for line in process.stderr:
            log += line
            if line.startswith("epoch=2 "):
                break
        # An epoch has fifteen batches, each longer than that.
        time.sleep(0.05)
        process.send_signal(number)
        log += process.stderr.read()
    return subprocess.CompletedProcess(command, process.returncode, "", log)


def _log(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.training" / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an uninterrupted training."""
    folder = tmp_path_factory.mktemp("whole")
    rows = index_image_folder(write_photographs(folder / "photographs", per_class={"train": 30, "val": 10})).rows
    write_dirmap(folder / "dirmap.csv", rows)
    succeed(*_arguments("whole.safetensors"), folder=folder)
    return folder


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 143)])
def test_interrupted_training_ends_like_an_uninterrupted_one(whole: Path, number: int, code: int) -> None:
    for left in ("cut.safetensors", "cut.training/log.csv"):
        (whole / left).unlink(missing_ok=True)
    cut = _cut_short(whole, number=number)
    assert cut.returncode == code
    assert (code < 0) or "the state is saved in cut.training; continue with --resume" in cut.stderr
    assert not (whole / "cut.safetensors").exists()
    assert len(_log(whole, "cut")) == 2
    assert load_model(whole / "cut.training" / "best.safetensors").description.size == 32
    succeed(*_arguments("cut.safetensors", "--resume"), folder=whole)
    assert (whole / "cut.safetensors").read_bytes() == (whole / "whole.safetensors").read_bytes()
    measured = ("epoch", "loss", "clean_accuracy", "robust_accuracy", "learning_rate", "epsilon")
    undisturbed, resumed = (
        [[line[name] for name in measured] for line in _log(whole, out)] for out in ("whole", "cut")
    )
    assert resumed == undisturbed
    assert not (whole / "cut.training" / "state.pt").exists()


@pytest.mark.parametrize("batches", [1, 3, 4])
def test_stopped_training_resumes_with_the_next_batch(tmp_path: Path, data: Data, batches: int) -> None:
    """Three batches are an epoch."""
    folder = RunFolder(tmp_path / "run", {"name": "value"}, resume=False)
    done: list[int] = []
    callbacks = Callbacks(on_batch=lambda now, _: done.append(now), stop=lambda: len(done) == batches)
    with pytest.raises(Stopped):
        train(tiny_model(data), data, config(ema=0.9), folder=folder, callbacks=callbacks)
    with pytest.raises(InputError, match="holds an unfinished training; continue it with --resume"):
        RunFolder(tmp_path / "run", {"name": "value"}, resume=False)
    with pytest.raises(InputError, match=r"other settings \(name was 'value', now 'other'\)"):
        RunFolder(tmp_path / "run", {"name": "other"}, resume=True)
    again = RunFolder(tmp_path / "run", {"name": "value"}, resume=True)
    resumed = train(
        tiny_model(data), data, config(ema=0.9), folder=again, callbacks=Callbacks(on_batch=callbacks.on_batch)
    )
    assert done == list(range(1, 7))
    assert equal(resumed.model, trained(data, ema=0.9).model)


def test_damaged_state_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "state.pt").write_bytes(b"PK half of a state")
    with pytest.raises(InputError, match=r"state.pt: damaged; remove .* to start over"):
        RunFolder(tmp_path, {}, resume=True)


def test_resume_starts_if_there_is_no_state(tmp_path: Path, data: Data) -> None:
    folder = RunFolder(tmp_path / "run", {}, resume=True)
    resumed = train(tiny_model(data), data, config(), folder=folder)
    assert equal(resumed.model, trained(data).model)
    folder.complete()
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["config.yaml", "log.csv", "tensorboard"]
    assert settings_from(TrainingConfig, read_settings(tmp_path / "run" / "config.yaml"), source="it") == config()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_is_a_request_and_restores_ctrl_c(number: signal.Signals) -> None:
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    with stop_on_signal() as request:
        signal.raise_signal(number)
        signal.raise_signal(signal.SIGTERM)
        assert request.signal == number
        assert signal.getsignal(signal.SIGINT) is before[signal.SIGINT]
    assert {each: signal.getsignal(each) for each in before} == before

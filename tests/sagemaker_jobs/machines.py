"""The machines of a job, as SageMaker would start them, from the very request that it was sent.

What a request names in S3 is brought into a tree like /opt/ml, the request's own entry point is run on it, with the
SDK's own start scripts, and its results go back to S3. What differs: the tree is not at /opt/ml, and every script is
told where it is; machines are processes here, reached by loopback; nothing is installed, since everything is. Unless a
test asks for real interpreters, entry points run in forks that have PyTorch loaded, on the code that was shipped.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sagemaker_jobs.container.entrypoint import ROOT
from sagemaker_jobs.container.opt_ml import Container
from tests.aws import StandIn
from tests.sagemaker_jobs import forked_python

_ML = "/opt/ml"


class Machine:
    """One machine of a job."""

    def __init__(
        self,
        request: Mapping[str, Any],
        account: StandIn,
        root: Path,
        hosts: Sequence[str],
        rank: int,
        *,
        forked: bool,
    ) -> None:
        """
        Parameters
        ----------
        request : what `CreateTrainingJob` or `CreateProcessingJob` was called with.
        root : new folder of this machine.
        forked : whether entry points run in forks that have PyTorch loaded.
        """
        self.request, self._s3, self.root = request, account.client("s3"), root
        self.is_training = "TrainingJobName" in request
        self.container = Container(root / "ml")
        self._hosts, self._rank, self._forked = hosts, rank, forked
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, port: int) -> None:
        """Bring the inputs, and run what the request says.

        Parameters
        ----------
        port : by which the processes of a training meet.
        """
        ml = self.container.root
        for folder in (self.container.model, self.container.checkpoints, self.container.output, ml / "output"):
            folder.mkdir(parents=True, exist_ok=True)
        self._write_config()
        for name, uri, place in self._inputs():
            self._fetch(uri, place)
            if name in ("code", "sm_drivers", "entrypoint"):
                self._adapt(place, port)
        if self.is_training:
            self._fetch(self.request["CheckpointConfig"]["S3Uri"] + "/", self.container.checkpoints)
            specification = self.request["AlgorithmSpecification"]
            command = [*specification["ContainerEntrypoint"], *specification["ContainerArguments"]]
        else:
            command = self.request["AppSpecification"]["ContainerEntrypoint"]
        environment = {name: self._here(value) for name, value in self.request.get("Environment", {}).items()}
        self._process = subprocess.Popen(
            [self._here(word) for word in command],
            env={**os.environ, **environment, **self._own_environment(port)},
            stdout=(self.root / "log").open("wb"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def log(self) -> str:
        return (self.root / "log").read_text(errors="replace")

    @property
    def code(self) -> int | None:
        assert self._process is not None
        return self._process.poll()

    def wait(self) -> int:
        assert self._process is not None
        code = self._process.wait(timeout=180)
        self.upload()
        return code

    def terminate(self) -> None:
        """As SageMaker does two minutes before it takes the machine away: its first process is told."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """The machine is lost; what it had is in S3 as far as it was there."""
        assert self._process is not None
        mark = f"{ROOT}={self.container.root}".encode()
        for environment in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):
                if mark in environment.read_bytes().split(b"\0"):
                    os.kill(int(environment.parent.name), signal.SIGKILL)
        self._process.wait(timeout=60)
        self.upload()

    def upload(self) -> None:
        """What SageMaker takes from the machine, by and by or at its end."""
        if self.is_training:
            output, name = self.request["OutputDataConfig"]["S3OutputPath"], self.request["TrainingJobName"]
            self._store(self.container.model, f"{output}/{name}/output/model")
            self._store(self.container.checkpoints, self.request["CheckpointConfig"]["S3Uri"])
            return
        for output in self.request["ProcessingOutputConfig"]["Outputs"]:
            told = output["S3Output"]
            self._store(Path(self._here(told["LocalPath"])), told["S3Uri"])

    def _inputs(self) -> list[tuple[str, str, Path]]:
        if self.is_training:
            return [
                (
                    channel["ChannelName"],
                    channel["DataSource"]["S3DataSource"]["S3Uri"],
                    self.container.inputs / channel["ChannelName"],
                )
                for channel in self.request["InputDataConfig"]
            ]
        return [
            (one["InputName"], one["S3Input"]["S3Uri"], Path(self._here(one["S3Input"]["LocalPath"])))
            for one in self.request["ProcessingInputs"]
        ]

    def _write_config(self) -> None:
        ml = self.container.root
        config = ml / "input" / "config" if self.is_training else ml / "config"
        config.mkdir(parents=True, exist_ok=True)
        resources = {
            "current_host": self._hosts[self._rank],
            "hosts": list(self._hosts),
            "current_instance_type": "ml.c5.xlarge",
            "network_interface_name": "lo",
        }
        (config / "resourceconfig.json").write_text(json.dumps(resources))
        if self.is_training:
            (config / "hyperparameters.json").write_text(json.dumps(self.request["HyperParameters"]))
            channels = {one["ChannelName"]: {"TrainingInputMode": "File"} for one in self.request["InputDataConfig"]}
            (config / "inputdataconfig.json").write_text(json.dumps(channels))

    def _own_environment(self, port: int) -> dict[str, str]:
        """Where commands are; where the tree is."""
        commands = self.root / "commands"
        commands.mkdir(exist_ok=True)
        for name, text in {"pip": "#!/bin/sh\n", "pip3": "#!/bin/sh\n"}.items():
            (commands / name).write_text(text)
            (commands / name).chmod(0o755)
        forking = forked_python.commands(commands) if self._forked else {}
        path = os.pathsep.join([str(commands), str(Path(sys.executable).parent), os.environ["PATH"]])
        return {
            "PATH": path,
            ROOT: str(self.container.root),
            "PET_MASTER_PORT": str(port),
            "TRAINING_JOB_NAME": self.request.get("TrainingJobName", ""),
            "OMP_NUM_THREADS": "1",
            **forking,
        }

    def _adapt(self, folder: Path, port: int) -> None:
        for path in folder.rglob("*"):
            if path.name == "install_requirements.py":
                path.write_text("")
            elif path.suffix in (".sh", ".py", ".json") and "lwise_core" not in path.parts:
                text = path.read_text().replace("algo-1", "127.0.0.1").replace("7777", str(port))
                path.write_text(self._here(text))

    def _here(self, text: str) -> str:
        return text.replace(_ML, str(self.container.root))

    def _fetch(self, uri: str, folder: Path) -> None:
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        folder.mkdir(parents=True, exist_ok=True)
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        for key in [entry["Key"] for page in pages for entry in page.get("Contents", ())]:
            relative = key.removeprefix(prefix).lstrip("/") or key.rpartition("/")[2]
            (folder / relative).parent.mkdir(parents=True, exist_ok=True)
            self._s3.download_file(bucket, key, str(folder / relative))

    def _store(self, folder: Path, uri: str) -> None:
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self._s3.upload_file(str(path), bucket, f"{prefix.rstrip('/')}/{path.relative_to(folder)}")


def machines_of(request: Mapping[str, Any], account: StandIn, root: Path, *, forked: bool = True) -> list[Machine]:
    """Start all machines of a job."""
    cluster = request.get("ResourceConfig") or request["ProcessingResources"]["ClusterConfig"]
    # Two names of this machine, since those of a training find each other by them.
    hosts = [f"127.0.0.{number}" for number in range(1, cluster["InstanceCount"] + 1)]
    machines = [Machine(request, account, root / host, hosts, rank, forked=forked) for rank, host in enumerate(hosts)]
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    for machine in machines:
        machine.root.mkdir(parents=True)
        machine.start(port)
    return machines


def all_end(machines: Sequence[Machine]) -> None:
    """Every machine does its work, and succeeds."""
    for machine in machines:
        assert machine.wait() == 0, machine.log[-4000:]


def until(condition: Callable[[], bool], machines: Sequence[Machine]) -> None:
    """Wait for something that a machine does while it works."""
    for _ in range(3600):
        if condition():
            return
        for machine in machines:
            assert machine.code is None, machine.log[-4000:]
        time.sleep(0.05)
    raise AssertionError("it did not happen")

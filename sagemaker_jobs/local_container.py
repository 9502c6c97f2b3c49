"""A local tree like SageMaker's, and a job's entry point run on it as SageMaker would."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from lwise_core.aws_names import JobKind
from sagemaker_jobs.container.entrypoint import ROOT
from sagemaker_jobs.container.opt_ml import Container

_PACKAGE = Path(__file__).parent


def fabricate(
    root: Path,
    *,
    is_training: bool,
    hosts: Sequence[str],
    current: str,
    inputs: Mapping[str, Path],
    shared: Path,
    hyperparameters: Mapping[str, str] | None = None,
) -> Container:
    """The tree of one machine of a job. What a job before it left there stays, but for why it failed.

    Parameters
    ----------
    inputs : name -> folder on this machine, which is linked.
    shared : folder of all machines of the job, for their checkpoints, model and output.
    hyperparameters : of a training job, as SageMaker has them: all values are text.
    """
    config = root / "input" / "config" if is_training else root / "config"
    config.mkdir(parents=True, exist_ok=True)
    resources = {"current_host": current, "hosts": list(hosts), "network_interface_name": "lo"}
    (config / "resourceconfig.json").write_text(json.dumps(resources), encoding="utf-8")
    if is_training:
        (config / "hyperparameters.json").write_text(json.dumps(hyperparameters or {}), encoding="utf-8")
    container = Container(root)
    for name, folder in inputs.items():
        _link(container.inputs / name, folder)
    for folder in (container.model, container.checkpoints, container.output):
        together = shared / folder.name
        together.mkdir(parents=True, exist_ok=True)
        _link(folder, together)
    container.failure_file.unlink(missing_ok=True)
    return container


def started(kind: JobKind, containers: Sequence[Container], logs: Sequence[IO[bytes]]) -> list[subprocess.Popen[bytes]]:
    """The entry point on each machine of a job, each with the file that its log goes to."""
    script = str(_PACKAGE / "container" / f"{kind}.py")
    port = _free_port()
    commands = [
        [sys.executable, *(_torchrun(len(containers), rank, port) if kind == "train" else []), script]
        for rank in range(len(containers))
    ]
    path = os.pathsep.join([str(_PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    return [
        subprocess.Popen(  # noqa: S603
            command,
            env={**os.environ, "PYTHONPATH": path, ROOT: str(container.root)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        for command, container, log in zip(commands, containers, logs, strict=True)
    ]


def _link(path: Path, folder: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(folder.resolve(), target_is_directory=True)


def _torchrun(n: int, rank: int, port: int) -> list[str]:
    import torch

    cards = max(1, torch.cuda.device_count())
    where = [f"--nnodes={n}", f"--node_rank={rank}", "--master_addr=127.0.0.1", f"--master_port={port}"]
    return ["-m", "torch.distributed.run", f"--nproc_per_node={cards}", *where]


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port

"""Processes that begin with the slow libraries loaded: forked from one that imported them, instead of started anew.

A `python` that imports PyTorch takes seconds, a fork of one takes milliseconds. Nothing of the project is loaded before
the fork, so that every process imports the code as it is, in the environment that it is given.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL

_LIBRARIES = [
    *("torch", "torchvision", "timm", "safetensors.torch", "numpy", "PIL.Image"),
    *("pandas", "scipy.stats", "statsmodels.api", "matplotlib.figure", "jinja2"),
    *("boto3", "moto.server", "sagemaker.train.model_trainer", "starlette.applications", "uvicorn", "httpx"),
    *("pydantic", "yaml", "typer.rich_utils", "rich.table", "hypothesis", "pytest"),
]
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(_LIBRARIES)


def run(
    target: Callable[..., None],
    *arguments: object,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    timeout: float,
) -> subprocess.CompletedProcess[str]:
    """Call a function of a module in a process of its own; its output as text and its exit code.

    Parameters
    ----------
    folder : its working directory.
    environment : its environment variables; None: those of this process.
    timeout : seconds after which it and its children are killed.

    Raises
    ------
    subprocess.TimeoutExpired
    """
    with tempfile.TemporaryDirectory() as outputs:
        out, err = Path(outputs, "out"), Path(outputs, "err")
        variables = dict(os.environ if environment is None else environment)
        process = _context.Process(target=_child, args=(target, arguments, str(folder), variables, str(out), str(err)))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            assert process.pid is not None
            with suppress(ProcessLookupError):
                os.killpg(process.pid, SIGKILL)
            process.join()
            raise subprocess.TimeoutExpired(str(target), timeout, _text(out), _text(err))
        return subprocess.CompletedProcess(
            [str(target), *map(str, arguments)], process.exitcode, _text(out), _text(err)
        )


def _child(
    target: Callable[..., None],
    arguments: Sequence[object],
    folder: str,
    environment: Mapping[str, str],
    out: str,
    err: str,
) -> None:
    os.setsid()
    for file, descriptor in ((os.devnull, 0), (out, 1), (err, 2)):
        os.dup2(os.open(file, os.O_RDWR | os.O_CREAT), descriptor)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    target(*arguments)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""

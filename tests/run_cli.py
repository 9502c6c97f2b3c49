"""Runs the real `lwise` command in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from pathlib import Path

import httpx

from tests import forkserver

COMMAND = (sys.executable, "-m", "lwise_core.cli")


def lwise(
    *arguments: object, folder: Path, timeout: float = 120, command: Sequence[str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `lwise` with `folder` as the working directory; output as text.

    Parameters
    ----------
    command : what to start, e.g. `COMMAND`, for a test of how the process starts; None: a fork that has the libraries
        loaded, which is faster.
    """
    words = [str(argument) for argument in arguments]
    if command is None:
        return forkserver.run(_main, words, folder=folder, timeout=timeout)
    return subprocess.run(
        [*command, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )


def succeed(*arguments: object, folder: Path, timeout: float = 120, command: Sequence[str] | None = None) -> str:
    """Run `lwise`, which must end with exit code 0; its standard output."""
    done = lwise(*arguments, folder=folder, timeout=timeout, command=command)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _main(arguments: list[str]) -> None:
    sys.argv = ["lwise", *arguments]
    from lwise_core.cli.main import main

    main()


@contextmanager
def serving(*arguments: object, folder: Path, command: Sequence[str] = COMMAND) -> Iterator[str]:
    """Run a command that serves a study; the block runs while it does, and Ctrl-C ends it. Yields the address."""
    with subprocess.Popen(
        [*command, *map(str, arguments)], cwd=folder, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as server:
        try:
            assert server.stdout is not None
            (link,) = islice((line for line in server.stdout if line.startswith("Participant's link: ")), 1)
            address = link.split()[-1].partition("/?")[0]
            assert address.startswith("http://localhost:")
            _wait_for(address)
            yield address
        finally:
            server.send_signal(signal.SIGINT)
            server.communicate(timeout=60)
    assert server.returncode == 0


def served(study: Path, data: Path, *, command: Sequence[str] = COMMAND) -> AbstractContextManager[str]:
    """`lwise serve` on a free port."""
    return serving("serve", study, "--data", data, "--port", 0, folder=study.parent, command=command)


def _wait_for(address: str) -> None:
    for _ in range(100):
        try:
            httpx.get(f"{address}/healthz").raise_for_status()
            return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"nothing answers at {address}")

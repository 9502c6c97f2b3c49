"""Shared by all entry points: exit codes, failure reasons, one process per card."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from lwise_core.errors import InputError
from lwise_core.vision.shard import Shard
from sagemaker_jobs.container.opt_ml import ML, Container, ContainerError

ROOT = "LWISE_ML_ROOT"
"""Environment variable: root of the tree, instead of /opt/ml."""
_CARD = "LWISE_CARD"
"""Environment variable of a card's process: I/N."""
_BAD_INPUT = 2
_SECONDS_BETWEEN_LINES = 60


def run(work: Callable[[Container], int]) -> int:
    """Run a job's work and return the exit code: its own, 2 for invalid input, 1 for unexpected errors.

    The reason of a failure goes to the log and to the file that SageMaker shows.
    """
    container = Container(Path(os.environ.get(ROOT, ML)))
    try:
        return work(container)
    except (InputError, ContainerError) as error:
        container.fail(str(error))
        print(f"error: {error}", file=sys.stderr, flush=True)
        return _BAD_INPUT
    except Exception as error:
        container.fail(f"{type(error).__name__}: {error}")
        traceback.print_exc()
        return 1


def on_each_card(script: str, n_cards: int) -> int | None:
    """Run the script once per card if this machine has several; returns the highest exit code.

    None: this process does the work itself. If one process fails, the others are killed.
    """
    if n_cards < 2 or _CARD in os.environ:
        return None
    running = [
        subprocess.Popen(  # noqa: S603
            [sys.executable, script],
            env={**os.environ, _CARD: f"{card}/{n_cards}", "CUDA_VISIBLE_DEVICES": str(card)},
        )
        for card in range(n_cards)
    ]
    try:
        return _ended(running)
    finally:
        for process in running:
            process.kill()


def shard_of(container: Container) -> Shard:
    """This process's share of the work, among all machines and cards."""
    machines = container.machines
    card, _, n_cards = os.environ.get(_CARD, "0/1").partition("/")
    return Shard(machines.rank * int(n_cards) + int(card), len(machines.hosts) * int(n_cards))


def log(text: str) -> None:
    """Write a line to the job's log. A closed pipe, as when a machine is reclaimed, is no failure."""
    with suppress(BrokenPipeError):
        print(text, flush=True)


def progress_of(what: str) -> Callable[[int, int], None]:
    """An `on_progress` that logs once a minute and at the end."""
    logged_at = time.monotonic()

    def on_progress(done: int, total: int) -> None:
        nonlocal logged_at
        if done == total or time.monotonic() - logged_at > _SECONDS_BETWEEN_LINES:
            logged_at = time.monotonic()
            log(f"{done} of {total} {what}")

    return on_progress


def _ended(running: Sequence[subprocess.Popen[bytes]]) -> int:
    while True:
        codes = [process.poll() for process in running]
        if None not in codes or any(codes):
            return max(abs(code or 0) for code in codes)
        time.sleep(0.5)

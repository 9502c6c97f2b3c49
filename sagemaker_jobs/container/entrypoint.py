"""What the entry points have in common: how they end, and how they use every card of a machine."""

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
"""Environment variable: where the tree is that SageMaker has in /opt/ml."""
_CARD = "LWISE_CARD"
"""Environment variable of the process of one card: I/N."""
_BAD_INPUT = 2
_SECONDS_BETWEEN_LINES = 60


def run(work: Callable[[Container], int]) -> int:
    """Do a job's work, and return the exit code: its own, 2 for what people can mend, 1 for what nobody foresaw.

    The reason of a failure goes where SageMaker shows it, and into the log.
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
    """Run the script once more for each card of this machine, if it has several; the highest exit code.

    None: this process is the one that computes. When one fails, the others are ended.
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
    """The part of the work that this process does, of all machines and cards."""
    machines = container.machines
    card, _, n_cards = os.environ.get(_CARD, "0/1").partition("/")
    return Shard(machines.rank * int(n_cards) + int(card), len(machines.hosts) * int(n_cards))


def log(text: str) -> None:
    """A line of the job's log. That nobody reads it any more, as when a machine is taken away, is no failure."""
    with suppress(BrokenPipeError):
        print(text, flush=True)


def progress_of(what: str) -> Callable[[int, int], None]:
    """A function to call with (done, total), which logs how far the work is, once a minute and at the end."""
    told = time.monotonic()

    def on_progress(done: int, total: int) -> None:
        nonlocal told
        if done == total or time.monotonic() - told > _SECONDS_BETWEEN_LINES:
            told = time.monotonic()
            log(f"{done} of {total} {what}")

    return on_progress


def _ended(running: Sequence[subprocess.Popen[bytes]]) -> int:
    while True:
        codes = [process.poll() for process in running]
        if None not in codes or any(codes):
            return max(abs(code or 0) for code in codes)
        time.sleep(0.5)

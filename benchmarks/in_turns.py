"""Time two alternatives in turns; shared by the image benchmarks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lwise_core.dirmap import DirmapRow

_SOURCE_SIDE = 512


@dataclass(frozen=True)
class Timed:
    """The fastest of several rounds, in seconds: CPU time of all cores, and wall time."""

    cpu: float
    wall: float

    def per(self, other: Timed) -> str:
        """How many times as fast as another this is."""
        return f"{other.cpu / self.cpu:.2f}x by CPU time, {other.wall / self.wall:.2f}x by wall time"


def in_turns(first: Callable[[], object], second: Callable[[], object], rounds: int) -> tuple[Timed, Timed]:
    """Time both in every round, so that other load affects them equally."""
    times: list[list[Timed]] = [[], []]
    for _ in range(rounds):
        for run, durations in zip((first, second), times, strict=True):
            _wait()
            cpu, wall = time.process_time(), time.perf_counter()
            run()
            _wait()
            durations.append(Timed(time.process_time() - cpu, time.perf_counter() - wall))
    fastest = [Timed(min(one.cpu for one in durations), min(one.wall for one in durations)) for durations in times]
    return fastest[0], fastest[1]


def print_ratio(what: str, plain: Timed, fast: Timed, n: int, goal: str) -> None:
    """Print the speed-up over the plain loop for `n` images."""
    print(f"{what}: {fast.per(plain)} ({goal})")
    print(f"  {n / plain.wall:.3f} images/s with the loop, {n / fast.wall:.3f} with lwise")


def write_photographs(folder: Path, n: int, *, split: str) -> list[DirmapRow]:
    """Write JPEG files of smooth noise, one class each, as large and as slow to decode as photographs."""
    random, rows = np.random.default_rng(0), []
    for index in range(n):
        coarse = random.integers(0, 256, size=(_SOURCE_SIDE // 8, _SOURCE_SIDE // 8, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((_SOURCE_SIDE, _SOURCE_SIDE), Image.Resampling.BICUBIC)
        image.save(folder / f"{index}.jpg", quality=92)
        rows.append(DirmapRow(split, str(index), index, f"{index}.jpg"))
    return rows


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()

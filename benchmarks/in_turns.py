"""Two ways to do the same, timed in turns on the same images; shared by the benchmarks of the image side."""

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
    """The fastest of some rounds, in s: of all cores together, and by the clock."""

    cpu: float
    wall: float

    def per(self, other: Timed) -> str:
        """How many times faster this is than another."""
        return f"{other.cpu / self.cpu:.2f}x by time of the cores, {other.wall / self.wall:.2f}x by the clock"


def in_turns(first: Callable[[], object], second: Callable[[], object], rounds: int) -> tuple[Timed, Timed]:
    """Each timed in every round, so that what else goes on meets both alike."""
    times: list[list[Timed]] = [[], []]
    for _ in range(rounds):
        for one, of_one in zip((first, second), times, strict=True):
            _wait()
            cpu, wall = time.process_time(), time.perf_counter()
            one()
            _wait()
            of_one.append(Timed(time.process_time() - cpu, time.perf_counter() - wall))
    fastest = [Timed(min(one.cpu for one in of_one), min(one.wall for one in of_one)) for of_one in times]
    return fastest[0], fastest[1]


def print_ratio(what: str, plain: Timed, lean: Timed, n: int, goal: str) -> None:
    """What was found of `n` images."""
    print(f"{what}: {lean.per(plain)} ({goal})")
    print(f"  {n / plain.wall:.3f} images/s with the loop, {n / lean.wall:.3f} with lwise")


def write_photographs(folder: Path, n: int, *, split: str) -> list[DirmapRow]:
    """JPEG files of smooth noise, each a class of its own: as large as photographs, and as slow to decode."""
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

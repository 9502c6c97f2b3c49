"""How enhancement scales: the rate of 1, 2 and 4 processes on the same images, with one thread each.

    .venv/bin/python benchmarks/shards.py [--images 2000] [--size 64] [--rounds 2]

Each process runs a shard as a machine of a job does, with the journal and the files of a real run. All start when every
process is ready, so that only the work is timed. Efficiency is the rate per process relative to that of one process.

Two cores of an AMD EPYC (x86_64), Python 3.11.7, torch 2.11.0, n = 1,600, fastest of 2 rounds: 158 images/s with
one process, 222 with two (70 %), 181 with four (29 %).
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
import typer
from in_turns import write_photographs

from lwise_core import __version__
from lwise_core.dirmap import read_dirmap, write_dirmap
from lwise_core.vision.checkpoints.native import save_model
from lwise_core.vision.enhance import write_variants
from lwise_core.vision.enhancement_config import EnhancementConfig
from lwise_core.vision.guide import IMAGENET, GuideDescription, new_guide
from lwise_core.vision.shard import Shard

_N_CLASSES = 10
_PROCESSES = (1, 2, 4)
_CONFIG = EnhancementConfig(epsilon=(0.5, 1, 2), step=0.5, objective="logit", name="eps{eps}")


def main(images: int = 600, size: int = 64, rounds: int = 2, part: str = "") -> None:
    """Measure and print; `part` is for the measured processes."""
    if part:
        _work(Path(part))
        return
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {platform.system()}")
    print(f"Python {platform.python_version()}, torch {torch.__version__}, lwise {__version__}")
    print(f"small_resnet at {size} px, ε 0.5, 1 and 2, n = {images} images, fastest of {rounds} rounds")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _write_data(root, images, size)
        rates = {n: images / min(_run(root, n, number) for number in range(rounds)) for n in _PROCESSES}
    for n, rate in rates.items():
        relative = f"{rate / rates[1]:.2f}x, efficiency {rate / rates[1] / n:.0%}"
        print(f"{n} process{'es' if n > 1 else ''}: {rate:.1f} images/s, {relative}")


def _write_data(root: Path, n: int, size: int) -> None:
    (root / "images").mkdir()
    rows = write_photographs(root / "images", n, split="val")
    named = [type(row)(row.split, str(i % _N_CLASSES), i % _N_CLASSES, row.im_path) for i, row in enumerate(rows)]
    write_dirmap(root / "dirmap.csv", named)
    description = GuideDescription("small_resnet", tuple(map(str, range(_N_CLASSES))), size)
    save_model(root / "guide.safetensors", new_guide(description, IMAGENET, seed=0), training={}, metrics={})


def _run(root: Path, n: int, number: int) -> float:
    """Seconds from when all processes are ready until the last has finished."""
    places = [root / f"{number}-{index}-{n}" for index in range(n)]
    running = [
        subprocess.Popen(  # noqa: S603
            [sys.executable, __file__, "--part", str(place)], env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        for place in places
    ]
    while not all(place.with_suffix(".ready").exists() for place in places):
        time.sleep(0.05)
    start = time.perf_counter()
    (root / f"{number}-{n}.go").touch()
    if any(process.wait() for process in running):
        raise SystemExit("a process failed")
    return time.perf_counter() - start


def _work(place: Path) -> None:
    number, index, n = map(int, place.name.split("-"))
    root = place.parent
    rows = read_dirmap(root / "dirmap.csv")
    place.with_suffix(".ready").touch()
    while not (root / f"{number}-{n}.go").exists():
        time.sleep(0.01)
    write_variants(
        root / f"variants-{number}-{n}",
        images_root=root / "images",
        rows=rows,
        model_file=root / "guide.safetensors",
        config=_CONFIG,
        shard=Shard(index, n),
    )


if __name__ == "__main__":
    typer.run(main)

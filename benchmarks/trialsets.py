"""Time and size of a trial set, compared with pandas.

Run on one core, with the garbage collector on as in a server:

    .venv/bin/python benchmarks/trialsets.py [--data DIR] [--n N] [--many M]

Measures two published studies, or synthetic ones of equal shape if their files are missing. Goals apply to the 95th
percentile of times and the maximum of sizes, over all ids and repeats; 1 kB is 1,000 bytes. Goals are printed beside
the results; the exit code is 0 even if they are missed. Linux or macOS.

Last measured 2026-11-25 on an AMD EPYC (2 cores, 1 used, other load), Linux 6.18, Python 3.11.7, lwise 0.1.0,
pandas 3.1.1, numpy 2.4.6; the published studies; n = 700 trial sets x 5 repeats, the comparison 70 x 3, 100 loads of a
bundle. Times are median (95th percentile), sizes median (maximum).

                                        idaea4_learn_10      imagenet_animals_main_10
    trials in a trial set               201                  350
    build_trialset                      0.45 (0.60) ms       0.85 (0.91) ms       goals 4 and 6 ms
    participant_view                    0.38 (0.43) ms       0.70 (0.82) ms
    expanded                            0.57 (0.63) ms       1.03 (1.14) ms
    load the bundle                     0.91 (0.95) ms       2.64 (2.69) ms       goal 30 ms
    participant_view as JSON, raw       31.1 (32.2) kB       76.0 (76.1) kB       goal 40 kB (first study)
    participant_view as JSON, gzipped   5.6 (5.8) kB         5.2 (5.3) kB         goal 8 kB (first study)
    memory over 99,000 trial sets       +0.00 MiB                                 goal 4 MiB
    time of pandas / time of lwise:
      drawn                             33                   19
      drawn, a dict per trial           15                   8.3
      every field, as JSON              7.1                  3.7
      for the page, as JSON             17                   11
    size of its JSON / size of that for the page:
      raw                               12.5                 10.7
      gzipped                           2.6                  4.4

"Drawn" favours lwise, which stores indices where pandas makes a dict per trial, and so does "for the page", which omits
what a page does not need. The two lines between are a fair comparison; there lwise has 44 fields per trial and pandas
39 and 34, because lwise adds settings that a file omits. Between runs on this machine the medians of the comparison
differed by up to 50 %, for lwise and pandas alike.
"""

from __future__ import annotations

import gc
import gzip
import json
import os
import platform
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeVar

import numpy as np
import typer
from pandas_sampling import PandasStudy, read_study, trial_list
from rich.console import Console
from rich.table import Table
from synthetic_studies import write_animals, write_moths

from lwise_core.authoring.compile import compile_study
from lwise_core.experiments.bundle import load_bundle, to_bundle
from lwise_core.experiments.conditions import condition_of
from lwise_core.experiments.payloads import expanded, participant_view
from lwise_core.experiments.study import REPEAT, Study
from lwise_core.experiments.trialset import build_trialset

STUDIES = ("idaea4_learn_10", "imagenet_animals_main_10")
MOTHS, ANIMALS = STUDIES
PUBLISHED = Path(__file__).resolve().parents[2] / "shared" / "data" / "lwise"

BUILD_GOAL_MS = {MOTHS: 4.0, ANIMALS: 6.0}
LOAD_GOAL_MS = 30.0
SIZE_GOALS_KB = {MOTHS: (40.0, 8.0)}
GROWTH_GOAL_MIB = 4.0

WARM_UP = 50
REPEATS = 5
LOADS = 100
PANDAS_REPEATS = 3
PANDAS_IDS = 70
"""Ten trial sets of each of seven conditions; pandas is slow."""
SETTLED = 1_000
"""Trial sets before the first measurement of memory, to fill the caches."""

Samples = dict[str, list[float]]

Result = TypeVar("Result", covariant=True)


class Way(Protocol[Result]):
    """From a trialset_id to a result."""

    def __call__(self, trialset_id: int, /) -> Result: ...


@dataclass(frozen=True)
class Subject:
    """A study under measurement: compiled, as a bundle on disk, and as pandas reads it."""

    name: str
    study: Study
    bundle: Path
    in_pandas: PandasStudy


@dataclass(frozen=True)
class Line:
    """A line of the report; `met` is None if there is no goal."""

    study: str
    what: str
    goal: str
    middle: str
    worst: str
    met: bool | None = None


def main(
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of the two study folders. Default: the published ones if available."),
    ] = None,
    n: Annotated[int, typer.Option(min=WARM_UP, help="Trial sets to time per study.")] = 700,
    many: Annotated[int, typer.Option(min=2, help="Trial sets to build for measuring memory.")] = 100_000,
) -> None:
    """Measure both studies and print what was found beside the goals."""
    stay_on_one_core()
    # What is no terminal gets a width too, so that a log reads like the terminal.
    console = Console(width=None if sys.stdout.isatty() else 110, highlight=False)
    with tempfile.TemporaryDirectory() as scratch:
        folders, origin = study_folders(data, Path(scratch))
        subjects = [prepare(folder, Path(scratch)) for folder in folders]
        print_machine(console)
        console.print(f"Studies: {origin}")
        console.print(f"n: {n} trial sets x {REPEATS} repeats after {WARM_UP} to warm up; {LOADS} loads of a bundle")
        # Memory first: what later measurements leave free would hide growth.
        lines = [memory_line(subjects[0], many)]
        for subject in subjects:
            lines += [*time_lines(subject, range(n)), *size_lines(subject, range(n)), load_line(subject)]
        console.print(report(lines))
        ids = range(min(n, PANDAS_IDS))
        console.print(comparison([row for subject in subjects for row in comparison_rows(subject, ids)], len(ids)))


def stay_on_one_core() -> None:
    """Keep the process, and every thread of the libraries in it, on one core where the system can do that."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def study_folders(data: Path | None, scratch: Path) -> tuple[list[Path], str]:
    """The folders of the two studies, and a description of them."""
    if data is None and not PUBLISHED.is_dir():
        folders = [scratch / "studies" / name for name in STUDIES]
        for write, folder in zip((write_moths, write_animals), folders, strict=True):
            write(folder)
        return folders, f"synthetic, of the shape of {' and '.join(STUDIES)}"
    folders = [(data or PUBLISHED) / name for name in STUDIES]
    missing = [folder for folder in folders if not folder.is_dir()]
    if missing:
        raise typer.BadParameter(f"{missing[0]} is not there; expected the study folders {' and '.join(STUDIES)}")
    return folders, f"{' and '.join(STUDIES)} in {data or PUBLISHED}"


def prepare(folder: Path, scratch: Path) -> Subject:
    """Compile a study, write its bundle, and read its files for pandas."""
    study = compile_study(folder).study
    bundle = scratch / f"{folder.name}.json"
    bundle.write_text(to_bundle(study), encoding="utf-8")
    return Subject(folder.name, study, bundle, read_study(folder))


def print_machine(console: Console) -> None:
    """Processor, system and versions."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("lwise", "pandas", "numpy"))
    console.print(f"Machine: {processor()}, {os.cpu_count()} cores, 1 used; {platform.system()} {platform.release()}")
    console.print(f"Versions: Python {platform.python_version()}, {packages}")


def processor() -> str:
    """The processor's model name."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def memory_line(subject: Subject, many: int) -> Line:
    """Build trial sets without storing them, and measure whether the process grows."""
    settled = min(SETTLED, many // 2)
    for trialset_id in range(settled):
        build_trialset(subject.study, trialset_id)
    gc.collect()
    resident, peak, objects = resident_mib(), peak_mib(), sys.getallocatedblocks()
    for trialset_id in range(settled, many):
        build_trialset(subject.study, trialset_id)
    gc.collect()
    grown = max(resident_mib() - resident, peak_mib() - peak)
    return Line(
        subject.name,
        f"growth of memory, trial set {settled:,} to {many:,}",
        f"≤ {GROWTH_GOAL_MIB:g} MiB",
        f"{sys.getallocatedblocks() - objects:+,} objects",
        f"{grown:+.2f} MiB",
        grown <= GROWTH_GOAL_MIB,
    )


def resident_mib() -> float:
    """Current memory of the process; the peak if the system does not report it."""
    statm = Path("/proc/self/statm")
    if not statm.is_file():
        return peak_mib()
    return int(statm.read_text(encoding="ascii").split()[1]) * resource.getpagesize() / 2**20


def peak_mib() -> float:
    """Peak memory of the process."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def time_lines(subject: Subject, ids: Sequence[int]) -> list[Line]:
    """build_trialset and the two views of its result."""
    for trialset_id in ids[:WARM_UP]:
        build_and_view(subject.study, trialset_id)
    samples: Samples = {}
    for _ in range(REPEATS):
        for trialset_id in ids:
            for what, took in build_and_view(subject.study, trialset_id).items():
                samples.setdefault(what, []).append(took)
    goals = {"build_trialset": BUILD_GOAL_MS[subject.name]}
    return [time_line(subject.name, what, taken, goals.get(what)) for what, taken in samples.items()]


def build_and_view(study: Study, trialset_id: int) -> dict[str, float]:
    """Milliseconds of each step for one trial set."""
    start = time.perf_counter()
    trialset = build_trialset(study, trialset_id)
    built = time.perf_counter()
    participant_view(study, trialset)
    viewed = time.perf_counter()
    expanded(study, trialset)
    end = time.perf_counter()
    return {
        "build_trialset": (built - start) * 1e3,
        "participant_view": (viewed - built) * 1e3,
        "expanded": (end - viewed) * 1e3,
    }


def load_line(subject: Subject) -> Line:
    """Load the bundle, which a server does once at start."""
    taken = [milliseconds(lambda: load_bundle(subject.bundle)) for _ in range(LOADS + WARM_UP)][WARM_UP:]
    return time_line(subject.name, f"load the bundle ({kilobytes(subject.bundle.stat().st_size)})", taken, LOAD_GOAL_MS)


def milliseconds(call: Callable[[], object]) -> float:
    """Duration of one call."""
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


def time_line(study: str, what: str, taken: Sequence[float], goal: float | None) -> Line:
    """Median and 95th percentile of milliseconds, judged by the latter."""
    middle, worst = (float(value) for value in np.percentile(taken, [50, 95]))
    met = None if goal is None else worst <= goal
    return Line(study, what, "" if goal is None else f"≤ {goal:g} ms", f"{middle:.2f} ms", f"{worst:.2f} ms", met)


def size_lines(subject: Subject, ids: Sequence[int]) -> list[Line]:
    """Size of the participant's payload."""
    texts = [
        served_json(participant_view(subject.study, build_trialset(subject.study, trialset_id))) for trialset_id in ids
    ]
    sizes = [[len(text) for text in texts], [packed(text) for text in texts]]
    goals: Sequence[float | None] = SIZE_GOALS_KB.get(subject.name, (None, None))
    return [
        Line(
            subject.name,
            f"participant_view as JSON, {form}",
            "" if goal is None else f"≤ {goal:g} kB",
            kilobytes(float(np.median(measured))),
            kilobytes(max(measured)),
            None if goal is None else max(measured) <= goal * 1e3,
        )
        for form, measured, goal in zip(("raw", "gzipped"), sizes, goals, strict=True)
    ]


def served_json(content: object) -> bytes:
    """The text that the server sends."""
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def packed(text: bytes) -> int:
    """Its size with gzip at level 6, the default of web servers."""
    return len(gzip.compress(text, compresslevel=6, mtime=0))


def kilobytes(size: float) -> str:
    """A size in units of 1,000 bytes."""
    return f"{size / 1e3:.1f} kB"


def comparison_rows(subject: Subject, ids: Sequence[int]) -> list[tuple[str, ...]]:
    """Compare lwise and pandas on the same ids and conditions; report a difference if their counts differ."""
    difference = first_difference(subject, ids)
    if difference:
        return [(subject.name, f"counts DIFFER, so nothing is compared: {difference}", "", "", "")]
    rows: list[tuple[str, ...]] = [(subject.name, "counts of block x class x split x type", "", "", "equal")]
    for what, pair in ways_to_draw(subject).items():
        rows.append(compared(subject.name, what, "ms", *times(pair, ids)))
    for what, texts in ways_to_write(subject).items():
        rows.append(compared(subject.name, f"{what}, as JSON", "ms", *times(texts, ids)))
        for form, size in (("raw", len), ("gzipped", packed)):
            sizes = ([size(way(trialset_id)) / 1e3 for trialset_id in ids] for way in texts)
            rows.append(compared(subject.name, f"  size, {form}", "kB", *sizes))
    return rows


def first_difference(subject: Subject, ids: Iterable[int]) -> str | None:
    """Where the two implementations differ in the number of trials of a kind; None if nowhere."""
    for trialset_id in ids:
        ours = counts(expanded(subject.study, build_trialset(subject.study, trialset_id)))
        theirs = counts(in_pandas(subject, trialset_id))
        for cell in sorted({*ours, *theirs}, key=str):
            if ours[cell] != theirs[cell]:
                return f"trial set {trialset_id}, {cell}: {ours[cell]} by lwise, {theirs[cell]} by pandas"
    return None


def counts(trials: Iterable[Mapping[str, Any]]) -> Counter[tuple[object, ...]]:
    """Trials of each (block, class, split, type). The repeat image has a random class and is left out."""
    return Counter(
        (
            trial["block"],
            None if trial["trial_type"] == REPEAT else trial["class"],
            trial["split"],
            trial["trial_type"],
        )
        for trial in trials
    )


def ways_to_draw(subject: Subject) -> dict[str, tuple[Way[object], Way[object]]]:
    """From an id to Python objects, by lwise and by pandas, which has a dict per trial from the start."""
    study = subject.study
    return {
        "drawn": (partial(build_trialset, study), partial(in_pandas, subject)),
        "drawn, a dict of every field per trial": (
            lambda trialset_id: expanded(study, build_trialset(study, trialset_id)),
            partial(in_pandas, subject),
        ),
    }


def ways_to_write(subject: Subject) -> dict[str, tuple[Way[bytes], Way[bytes]]]:
    """From an id to JSON: every field of each trial, or what lwise sends to the participant's page."""
    study = subject.study

    def all_in_pandas(trialset_id: int) -> bytes:
        return served_json(in_pandas(subject, trialset_id))

    return {
        "every field": (
            lambda trialset_id: served_json(expanded(study, build_trialset(study, trialset_id))),
            all_in_pandas,
        ),
        "for the page": (
            lambda trialset_id: served_json(participant_view(study, build_trialset(study, trialset_id))),
            all_in_pandas,
        ),
    }


def in_pandas(subject: Subject, trialset_id: int) -> list[dict[str, Any]]:
    """The trial set by pandas, in the condition that lwise assigns to this id."""
    rng = np.random.default_rng(trialset_id)
    return trial_list(subject.in_pandas, condition_of(subject.study, trialset_id), rng)


def times(ways: Sequence[Way[object]], ids: Sequence[int]) -> list[list[float]]:
    """Milliseconds per way and id; the ways alternate, so that load on the machine affects all of them."""
    turns = [[milliseconds(partial(way, i)) for way in ways] for _ in range(PANDAS_REPEATS) for i in ids]
    return [list(of_one) for of_one in zip(*turns, strict=True)]


def compared(study: str, what: str, unit: str, ours: Sequence[float], theirs: Sequence[float]) -> tuple[str, ...]:
    """A row with both medians and their ratio."""
    here, there = float(np.median(ours)), float(np.median(theirs))
    return (study, what, f"{here:.2f} {unit}", f"{there:.2f} {unit}", f"{there / here:.1f}")


def report(lines: Sequence[Line]) -> Table:
    """Results beside their goals."""
    table = Table("study", "what", title="Trial sets of lwise")
    for heading in ("goal", "median", "p95 / most", "verdict"):
        table.add_column(heading, justify="right")
    for before, line in zip([None, *lines], lines, strict=False):
        if before is not None and before.study != line.study:
            table.add_section()
        verdict = "" if line.met is None else "pass" if line.met else "FAIL"
        table.add_row(line.study, line.what, line.goal, line.middle, line.worst, verdict)
    return table


def comparison(rows: Sequence[tuple[str, ...]], n: int) -> Table:
    """lwise compared with pandas."""
    table = Table("study", "what", title=f"lwise beside pandas: medians over {n} trial sets x {PANDAS_REPEATS} repeats")
    for heading in ("lwise", "pandas", "pandas : lwise"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(*row)
    return table


if __name__ == "__main__":
    typer.run(main)

"""Load test: `lwise serve` with a thousand participants, each of whom answers a trial per second.

    .venv/bin/python benchmarks/server_load.py [--participants N] [--seconds S]

The real server runs in one process and `load_participants.py` in another: a study of the shape of `idaea4_learn_10`,
one connection per participant, and new participants in place of those who finish. Latencies count from when a request
was due, not from when it could be sent. Afterwards, the data file must have every acknowledged trial once, with the
answer that was sent. As a reference, one commit per answer is measured on the same disk in the same run. Exit code 1 if
a request failed or a trial is missing, whether or not the goal for the latency is met. Linux; more than 1,000
participants need `ulimit -n` to allow as many files.

Last measured 2026-11-25 on an idle AMD EPYC (2 cores), Linux 6.18, Python 3.11.7, SQLite 3.40.1, lwise 0.1.0, uvicorn
0.54.0 with httptools and uvloop; n = 60,000 trials of 1,000 participants in 60 s. record: p50 1.5, p95 8.0, p99 48,
most 174 ms; start: p50 4.1, p99 33 ms; 0 of 65,994 requests failed; all 157,406 acknowledged trials stored as sent.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import numpy as np
import typer
from load_participants import Outcome, Plan, reaction_time_msec
from rich.console import Console
from rich.table import Table
from synthetic_studies import write_moths
from trialsets import processor

from lwise_core.local.server import SESSIONS_FILE
from lwise_core.sessions.stores.sqlite.store import SqliteStore

GOAL_MSEC = 100.0
"""For the 99th percentile of an answer to a trial."""
FILLING_SECONDS = 30.0
"""In which the participants arrive, and send what they have answered so far."""
REFERENCE_SECONDS = 3.0
GENERATOR = Path(__file__).with_name("load_participants.py")
PACKAGES = ("lwise", "uvicorn", "starlette", "httptools", "uvloop")


@dataclass(frozen=True)
class Usage:
    """What the server used while all participants were there."""

    cores: float
    resident_mib: float
    peak_mib: float


@dataclass(frozen=True)
class Reference:
    """What the disk can do: a write and its fsync in milliseconds, and transactions of one trial per second."""

    fsync_msec: Sequence[float]
    commits_per_second: float


def main(
    participants: Annotated[int, typer.Option(min=1)] = 1000,
    seconds: Annotated[float, typer.Option(min=1, help="Length of the measurement.")] = 60,
    generators: Annotated[int, typer.Option(min=1, help="Processes that play participants.")] = 1,
) -> None:
    """Load the server, check what it has kept, and print what was found beside the goal."""
    # What is no terminal gets a width too, so that a log reads like the terminal.
    console = Console(width=None if sys.stdout.isatty() else 110, highlight=False)
    print_machine(console)
    console.print(
        f"n: {participants} participants, {seconds:g} s after {FILLING_SECONDS:g} s to fill the seats; "
        f"{generators} generating process(es)"
    )
    with tempfile.TemporaryDirectory() as scratch:
        study, data = Path(scratch) / "moths_10", Path(scratch) / "data"
        write_moths(study)
        with serving(study, data) as (server, address):
            outcomes, usage, began = load(server, address, participants, seconds, generators)
        sent = merged(outcomes)
        console.print(latencies(sent, began, seconds))
        wrong, sample = differences(data / SESSIONS_FILE, sent)
        reference = measure_reference(Path(scratch), sample)
    console.print(resources(usage, sent, n_in_time(sent, began, seconds) / seconds, reference, seconds))
    failed = sum(sent.errors.values())
    n_requests = failed + sum(map(len, sent.latencies.values()))
    console.print(f"Requests that failed: {failed} of {n_requests}; sent again on a new connection: {sent.sent_again}")
    for what, times in sent.errors.most_common(5):
        console.print(f"  {times} x {what}")
    n_trials, n_sessions = sum(sent.acknowledged.values()), len(sent.acknowledged)
    console.print(
        f"Trials acknowledged: {n_trials} in {n_sessions} sessions; "
        f"sessions in which they are not kept as sent: {len(wrong)}"
    )
    for difference in wrong[:5]:
        console.print(f"  {difference}")
    raise typer.Exit(int(bool(failed or wrong)))


def print_machine(console: Console) -> None:
    """Processor, system and versions."""
    console.print(f"Machine: {processor()}, {os.cpu_count()} cores; {platform.system()} {platform.release()}")
    versions = ", ".join(f"{name} {installed(name)}" for name in PACKAGES)
    console.print(f"Versions: Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {versions}")


def installed(package: str) -> str:
    """The version of a package, where it is installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


@contextmanager
def serving(study: Path, data: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`lwise serve` on a free port, until the end of the block."""
    command = [sys.executable, "-m", "lwise_core.cli", "serve", str(study), "--data", str(data), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as server:  # noqa: S603 - ours
        try:
            link = next(line for line in server.stdout or () if line.startswith("Participant's link: "))
            yield server, link.split()[-1]
        finally:
            server.send_signal(signal.SIGINT)
            server.communicate(timeout=60)


def load(
    server: subprocess.Popen[str], address: str, participants: int, seconds: float, generators: int
) -> tuple[list[Outcome], Usage, float]:
    """Let the participants come and answer; also when the measurement began."""
    opens_at = time.monotonic() + 2
    full_at = opens_at + FILLING_SECONDS
    port = urlsplit(address).port or 0
    firsts = [participants * number // generators for number in range(generators + 1)]
    plans = [
        Plan("127.0.0.1", port, first, after - first, opens_at, full_at, full_at + seconds)
        for first, after in pairwise(firsts)
    ]
    running = [
        subprocess.Popen([sys.executable, GENERATOR, json.dumps(asdict(plan))], stdout=subprocess.PIPE)  # noqa: S603 - ours
        for plan in plans
    ]
    time.sleep(full_at - time.monotonic())
    before = cpu_seconds(server.pid)
    time.sleep(full_at + seconds - time.monotonic())
    cores = (cpu_seconds(server.pid) - before) / seconds
    usage = Usage(cores, status_mib(server.pid, "VmRSS"), status_mib(server.pid, "VmHWM"))
    outcomes = []
    for generator in running:
        written, _ = generator.communicate(timeout=120)
        if generator.returncode != 0:
            raise typer.Exit(generator.returncode)
        outcomes.append(Outcome(**json.loads(written)))
    return outcomes, usage, full_at


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def status_mib(pid: int, name: str) -> float:
    """A size that the system states of a process."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


def merged(outcomes: Sequence[Outcome]) -> Outcome:
    """What all generating processes saw."""
    whole = Outcome()
    for outcome in outcomes:
        for step, seen in outcome.latencies.items():
            whole.latencies.setdefault(step, []).extend(seen)
        whole.lateness_msec += outcome.lateness_msec
        whole.errors += Counter(outcome.errors)
        whole.sent_again += outcome.sent_again
        whole.acknowledged |= outcome.acknowledged
        whole.finished += outcome.finished
        whole.cpu_seconds += outcome.cpu_seconds
    return whole


def latencies(sent: Outcome, began: float, seconds: float) -> Table:
    """Milliseconds from when a request was due to the end of its answer."""
    table = Table("request", title=f"Latency from when it was due, ms ({seconds:g} s, all seats taken)")
    for heading in ("n", "p50", "p95", "p99", "max", "goal for p99", "verdict"):
        table.add_column(heading, justify="right")
    for step in ("record", "start", "finish", "heartbeat"):
        taken = [msec for due, msec in sent.latencies.get(step, ()) if due >= began]
        goal = GOAL_MSEC if step == "record" else None
        table.add_row(step, *quantiles(taken), *verdict(taken, goal))
    table.add_section()
    for step in ("start", "catch up"):
        taken = [msec for due, msec in sent.latencies.get(step, ()) if due < began]
        table.add_row(f"{step}, while the seats fill", *quantiles(taken), "", "")
    table.add_section()
    table.add_row("lateness of the generator", *quantiles(sent.lateness_msec), "", "")
    return table


def n_in_time(sent: Outcome, began: float, seconds: float) -> int:
    """Answers to a trial that were due, and acknowledged, while all seats were taken."""
    return sum(due >= began and due + msec / 1e3 <= began + seconds for due, msec in sent.latencies.get("record", ()))


def quantiles(msec: Sequence[float]) -> tuple[str, ...]:
    """n, median, 95th and 99th percentile, maximum."""
    if not msec:
        return ("0", "", "", "", "")
    return (f"{len(msec):,}", *(f"{value:.1f}" for value in np.percentile(msec, [50, 95, 99, 100])))


def verdict(msec: Sequence[float], goal: float | None) -> tuple[str, str]:
    """The goal, and whether it was met."""
    if goal is None or not msec:
        return "", ""
    return f"< {goal:g}", "pass" if float(np.percentile(msec, 99)) < goal else "FAIL"


def differences(path: Path, sent: Outcome) -> tuple[list[str], str]:
    """Where the data file holds something else than was acknowledged; also one record of it, as its text."""
    wrong, sample = [], ""
    with closing(SqliteStore(path, must_exist=True)) as store:
        sessions = {session.ids.assignment_id: session for session in store.sessions()}
        for assignment, n_acknowledged in sent.acknowledged.items():
            if assignment not in sessions:
                wrong.append(f"{assignment}: no session")
                continue
            session = sessions[assignment]
            records = store.trials(session.participant)
            # What was on its way when the run ended may be there too, but nothing else.
            found = [(record["obs"], record["reaction_time_msec"]) for record in records]
            expected = [(index, reaction_time_msec(assignment, index)) for index in range(len(records))]
            if found != expected or len(records) < n_acknowledged:
                wrong.append(f"{assignment}: {n_acknowledged} trials acknowledged, kept: {found}")
            if assignment in sent.finished and session.state != "completed":
                wrong.append(f"{assignment}: acknowledged as completed, stored as {session.state}")
            if records:
                sample = json.dumps(records[0], ensure_ascii=False)
    return wrong, sample


def measure_reference(folder: Path, record: str) -> Reference:
    """A plain loop of transactions, each of one trial and on the disk before the next, and a plain loop of fsync."""
    fsync_msec = []
    with (folder / "reference").open("wb", buffering=0) as file:
        ends_at = time.monotonic() + REFERENCE_SECONDS
        while time.monotonic() < ends_at:
            began = time.perf_counter()
            file.write(record.encode())
            os.fsync(file.fileno())
            fsync_msec.append(1e3 * (time.perf_counter() - began))
    n_commits = 0
    with closing(sqlite3.connect(folder / "reference.sqlite3", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE trials (trial_index INTEGER PRIMARY KEY, record TEXT NOT NULL) STRICT")
        ends_at = time.monotonic() + REFERENCE_SECONDS
        while time.monotonic() < ends_at:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO trials (record) VALUES (?)", (record,))
            connection.execute("COMMIT")
            n_commits += 1
    return Reference(fsync_msec, n_commits / REFERENCE_SECONDS)


def resources(usage: Usage, sent: Outcome, written: float, reference: Reference, seconds: float) -> Table:
    """What was written, by what, and what the disk can do."""
    table = Table("", title="Throughput and resources")
    table.add_column("", justify="right")
    table.add_row("durable trials per second", f"{written:,.0f}")
    table.add_row("plain loop, one commit per trial, per second", f"{reference.commits_per_second:,.0f}")
    table.add_row("  durable trials : plain loop", f"{written / reference.commits_per_second:.2f}")
    p50, p99 = np.percentile(reference.fsync_msec, [50, 99])
    table.add_row(f"write and fsync, median (p99) of {len(reference.fsync_msec):,}", f"{p50:.2f} ({p99:.2f}) ms")
    table.add_row("server: processor", f"{usage.cores:.2f} cores")
    table.add_row("server: memory (most so far)", f"{usage.resident_mib:.0f} ({usage.peak_mib:.0f}) MiB")
    table.add_row("generator: processor", f"{sent.cpu_seconds / seconds:.2f} cores")
    return table


if __name__ == "__main__":
    typer.run(main)

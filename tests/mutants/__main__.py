"""Plant small faults in the code, one at a time, and report which of them no test notices.

`make mutants` samples faults from each room of `rooms.toml`, plants each in a copy of the project and runs the tests
that should notice. The report lists every survivor; `equivalent.toml` says of those that no test can notice why.
A run that is interrupted resumes from its journal. The trial timeline, in TypeScript, is mutated by Stryker.

Example: `python -m tests.mutants --per-room 34 --seed 0 --out mutants`
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from queue import Queue

from tests.mutants import site
from tests.mutants.mutations import Mutant, sample_mutants
from tests.mutants.report import Result, markdown, score
from tests.mutants.room_tests import Copy, Outcome

_HERE = Path(__file__).parent
_PROJECT = _HERE.parents[1]
_REQUIRED = 0.95
"""Share of the non-equivalent mutants that the tests must kill."""


def main() -> int:
    options = _options()
    rooms = tomllib.loads((_HERE / "rooms.toml").read_text(encoding="utf-8"))
    chosen = {name: rooms[name] for name in options.room or rooms}
    options.out.mkdir(parents=True, exist_ok=True)
    page = chosen.pop(site.ROOM, None)
    sample = [mutant for name, room in chosen.items() for mutant in _sample(name, room["modules"], options)]
    journal = options.out / "journal.jsonl"
    results = _saved_results(journal)
    remaining = [mutant for mutant in sample if mutant not in results]
    with journal.open("a", encoding="utf-8") as file:
        for result in _run(remaining, chosen, options.workers):
            results[result.mutant] = result
            file.write(json.dumps(asdict(result)) + "\n")
            file.flush()
            print(f"{len(results)}/{len(sample)} {result.outcome} {result.mutant}", flush=True)
    sampled = [results[mutant] for mutant in sample]
    if page is not None:
        sampled += site.run(_PROJECT, page["modules"])
    reasons = tomllib.loads((_HERE / "equivalent.toml").read_text(encoding="utf-8")).get("mutant", [])
    (options.out / "report.md").write_text(markdown(sampled, reasons), encoding="utf-8")
    killed = score(sampled, reasons)
    print(f"{killed:.1%} of the non-equivalent mutants killed; {options.out / 'report.md'} lists the survivors")
    return 0 if killed >= _REQUIRED else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--room", action="append", help="a room of rooms.toml, may be repeated (default: all)")
    parser.add_argument("--per-room", type=int, default=34, help="mutants sampled from each room")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("mutants"))
    return parser.parse_args()


def _sample(room: str, patterns: Sequence[str], options: argparse.Namespace) -> list[Mutant]:
    paths = sorted({path for pattern in patterns for path in _PROJECT.glob(pattern)})
    return sample_mutants(paths, root=_PROJECT, room=room, n=options.per_room, seed=options.seed)


def _saved_results(journal: Path) -> dict[Mutant, Result]:
    if not journal.exists():
        return {}
    lines = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
    results = [Result(Mutant(**line["mutant"]), line["outcome"]) for line in lines]
    return {result.mutant: result for result in results}


def _run(mutants: Sequence[Mutant], rooms: dict[str, dict[str, list[str]]], workers: int) -> Iterator[Result]:
    """Results in the order of the mutants, several at once, each worker in a copy of its own."""
    copies: Queue[Copy] = Queue()
    for _ in range(workers if mutants else 0):
        copies.put(Copy(_PROJECT))
    for name in dict.fromkeys(mutant.room for mutant in mutants):
        copy = copies.get()
        if copy.run(rooms[name]["tests"], timeout=1800) is not Outcome.SURVIVED:
            sys.exit(f"the tests of {name} fail on the code as it is; fix them first\n{copy.output()}")
        copies.put(copy)

    def run_one(mutant: Mutant) -> Result:
        copy = copies.get()
        try:
            return Result(mutant, copy.run(rooms[mutant.room]["tests"], mutant=mutant).value)
        finally:
            copies.put(copy)

    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(run_one, mutants)


if __name__ == "__main__":
    sys.exit(main())

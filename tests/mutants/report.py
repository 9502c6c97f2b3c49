"""The report: how many faults each room's tests noticed, and every survivor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.mutants.mutations import Mutant


@dataclass(frozen=True)
class Result:
    """What became of a mutant: killed, survived, or timed out (which counts as killed)."""

    mutant: Mutant
    outcome: str


def score(results: Sequence[Result], reasons: Sequence[Mapping[str, str]]) -> float:
    """Share of the non-equivalent mutants that were killed, in [0, 1]."""
    counted = [result for result in results if result.outcome != "survived" or not _reason(result.mutant, reasons)]
    return sum(result.outcome != "survived" for result in counted) / max(1, len(counted))


def markdown(results: Sequence[Result], reasons: Sequence[Mapping[str, str]]) -> str:
    """A table of rooms and a list of survivors.

    Parameters
    ----------
    reasons : of equivalent.toml: path, before, after and reason of mutants that no test can notice.
    """
    rooms = dict.fromkeys(result.mutant.room for result in results)
    lines = ["# Mutants", "", "| room | sampled | equivalent | killed | survived | killed of non-equivalent |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for room in rooms:
        of_room = [result for result in results if result.mutant.room == room]
        survivors = [result for result in of_room if result.outcome == "survived"]
        equivalent = [result for result in survivors if _reason(result.mutant, reasons)]
        share = f"{score(of_room, reasons):.1%}"
        counts = (len(of_room), len(equivalent), len(of_room) - len(survivors), len(survivors) - len(equivalent))
        lines.append(f"| {room} | " + " | ".join(map(str, counts)) + f" | {share} |")
    lines.append(f"\nAll: {score(results, reasons):.1%} of the non-equivalent mutants killed.\n\n## Survivors\n")
    for result in results:
        if result.outcome == "survived":
            reason = _reason(result.mutant, reasons)
            lines.append(f"- {result.mutant}" + (f" – equivalent: {reason}" if reason else ""))
    return "\n".join(lines) + "\n"


def _reason(mutant: Mutant, reasons: Sequence[Mapping[str, str]]) -> str | None:
    key = (mutant.path, mutant.before, mutant.after)
    return next((one["reason"] for one in reasons if (one["path"], one["before"], one["after"]) == key), None)

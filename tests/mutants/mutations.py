"""Single faults that can be planted in a module: those of cosmic-ray's operators that a person might make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest
from pathlib import Path
from random import Random
from typing import Any

import parso
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator, operator_names

from tests.mutants.equal_code import is_equal_at_run_time

_SINGLE = (
    "AddNot",
    "NumberReplacer",
    "RemoveDecorator",
    "ReplaceAndWithOr",
    "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak",
    "ReplaceFalseWithTrue",
    "ReplaceOrWithAnd",
    "ReplaceTrueWithFalse",
    "ReplaceUnaryOperator_Delete_Not",
    "ReplaceUnaryOperator_USub_UAdd",
    "ZeroIterationForLoop",
)
_BINARY = (("Add", "Sub"), ("Sub", "Add"), ("Mul", "Div"), ("Div", "Mul"), ("FloorDiv", "Mul"), ("Mod", "FloorDiv"))
"""Swaps after which the code often still runs; `a << b` for `a + b` would be a fault that any test notices."""
_COMPARISONS = ("Eq", "NotEq", "Lt", "LtE", "Gt", "GtE", "Is", "IsNot", "In", "NotIn")


@dataclass(frozen=True)
class Mutant:
    """One planted fault.

    Attributes
    ----------
    room : of rooms.toml.
    path : of the module, relative to the project.
    operator, occurrence : the fault is the `occurrence`-th, from 0, that the operator can plant in the module.
    before, after : the first line that differs.
    """

    room: str
    path: str
    operator: str
    occurrence: int
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.path}: {self.before!r} -> {self.after!r}"


class RemoveStatement(Operator):
    """Replaces a call whose result is unused, such as `self._check(x)`, by `pass`."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        if node.type == "simple_stmt" and node.children[0].type in ("atom_expr", "await_expr"):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        statement = parso.parse("pass\n").children[0]
        statement.get_first_leaf().prefix = node.get_first_leaf().prefix
        return statement

    @classmethod
    def examples(cls) -> tuple[()]:
        return ()


def sample_mutants(paths: Sequence[Path], *, root: Path, room: str, n: int, seed: int) -> list[Mutant]:
    """Up to `n` faults that change what the modules do at run time, drawn without replacement.

    Parameters
    ----------
    paths : modules below `root`.
    """
    sources = {path: path.read_text(encoding="utf-8") for path in sorted(paths)}
    positions = [
        (path, operator, occurrence)
        for path, source in sources.items()
        for operator in _operator_names()
        for occurrence in range(_count(operator, source))
    ]
    Random(f"{seed}:{room}").shuffle(positions)  # noqa: S311
    mutants = []
    for path, operator, occurrence in positions:
        if len(mutants) == n:
            break
        mutated = mutate(sources[path], operator, occurrence)
        if mutated is not None and not is_equal_at_run_time(sources[path], mutated):
            before, after = _first_difference(sources[path], mutated)
            mutants.append(Mutant(room, str(path.relative_to(root)), operator, occurrence, before, after))
    return sorted(mutants, key=lambda mutant: (mutant.path, mutant.operator, mutant.occurrence))


def mutate(source: str, operator: str, occurrence: int) -> str | None:
    """The source with a fault planted; None where there is no such occurrence."""
    mutated: str | None = mutate_code(source, _operator(operator), occurrence)
    return mutated


@lru_cache
def _operator_names() -> tuple[str, ...]:
    comparisons = [f"ReplaceComparisonOperator_{a}_{b}" for a in _COMPARISONS for b in _COMPARISONS]
    binary = [f"ReplaceBinaryOperator_{a}_{b}" for a, b in _BINARY]
    wanted = {f"core/{name}" for name in (*_SINGLE, *comparisons, *binary)}
    return ("RemoveStatement", *(name for name in operator_names() if name in wanted))


@lru_cache
def _operator(name: str) -> Operator:
    return RemoveStatement() if name == "RemoveStatement" else get_operator(name)()


def _count(operator: str, source: str) -> int:
    return sum(len(list(_operator(operator).mutation_positions(node))) for node in _nodes(source))


@lru_cache
def _nodes(source: str) -> tuple[Any, ...]:
    return tuple(ast_nodes(get_ast(source)))


def _first_difference(source: str, mutated: str) -> tuple[str, str]:
    pairs = zip_longest(source.splitlines(), mutated.splitlines(), fillvalue="")
    before, after = next((a, b) for a, b in pairs if a != b)
    return before.strip(), after.strip()

"""A command group that imports a command's module only when that command runs.

`lwise --help` lists every command with the first line of its docstring, which is read from the source.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand

from lwise_core.cli.many_numbers import ManyNumbers


class LazyCommand(TyperCommand):
    """Stands for a command or a group until it runs.

    Attributes
    ----------
    target : `module:name` below `lwise_core.cli`, of a function or of a typer app, which is a group of commands.
    """

    def __init__(self, name: str, target: str) -> None:
        self.target = target
        super().__init__(name, help=_help_line(target))

    def load(self) -> Any:
        """The command itself."""
        module, _, attribute = self.target.partition(":")
        loaded = getattr(import_module(f"lwise_core.cli.{module}"), attribute)
        parent = typer.Typer(rich_markup_mode="markdown", add_completion=False)
        if isinstance(loaded, typer.Typer):
            parent.add_typer(loaded, name=self.name)
        else:
            parent.command(self.name, cls=ManyNumbers)(loaded)
        return typer.main.get_group(parent).commands[str(self.name)]

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """The context of the real command, which then runs."""
        return self.load().make_context(info_name, args, parent=parent, **extra)


class LazyCommands(Mapping[str, LazyCommand]):
    """Commands by their names, in the order of the help.

    Parameters
    ----------
    targets : by name, as in `LazyCommand`.
    """

    def __init__(self, targets: Mapping[str, str]) -> None:
        self._targets = targets

    def __getitem__(self, name: str) -> LazyCommand:
        return LazyCommand(name, self._targets[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._targets)

    def __len__(self) -> int:
        return len(self._targets)


def _help_line(target: str) -> str:
    module, _, attribute = target.partition(":")
    spec = find_spec(f"lwise_core.cli.{module}")
    assert spec is not None and spec.origin is not None, target  # noqa: PT018, S101
    for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == attribute:
            return (ast.get_docstring(node) or "").partition("\n\n")[0]
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == attribute:
            assert isinstance(node.value, ast.Call), target  # noqa: S101
            return str(next(ast.literal_eval(one.value) for one in node.value.keywords if one.arg == "help"))
    raise LookupError(target)

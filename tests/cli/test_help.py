"""Help of every command, over the command tree: a new command is covered without being listed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from lwise_core.cli.main import COMMANDS, app


def _commands() -> Iterator[tuple[str, ...]]:
    """Every command, as the words after `lwise`."""
    for name, entry in COMMANDS.items():
        command = entry.load()
        if isinstance(command, TyperGroup):
            yield from ((name, one) for one in command.list_commands(typer.Context(command)))
        else:
            yield (name,)


def _help(*words: str) -> str:
    done = CliRunner().invoke(app, [*words, "--help"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("words", [*_commands()], ids=" ".join)
def test_help_of_a_command_has_an_example(words: tuple[str, ...]) -> None:
    assert f"lwise {' '.join(words)} " in _help(*words).replace("\n", " ")


def test_help_lists_every_command_with_its_own_first_sentence() -> None:
    listed = " ".join(_help().replace("│", " ").split())
    for name in COMMANDS:
        summary = " ".join(_help(name).split("\n \n" if "\n \n" in _help(name) else "\n\n")[1].split())
        assert f" {name} {summary}" in listed

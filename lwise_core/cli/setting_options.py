"""Options of a command that are settings: one for each field of a settings dataclass.

Names, types and words are the settings' own, so that each is written down once.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand

from lwise_core.vision.settings import fields_of, read_settings, settings_from

Command = TypeVar("Command", bound=Callable[..., Any])
Settings = TypeVar("Settings")

_FLAGS = {"epsilon": "--eps", "best": "--best/--last"}
"""Where a flag is not simply the setting's name."""


def with_settings(kind: type) -> Callable[[Command], Command]:
    """Give a command that takes `**settings` an option for every setting; those not given are None."""

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)
        own = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
        options = [*own, *_options(kind)]
        command.__signature__ = signature.replace(parameters=options)  # type: ignore[attr-defined]
        return command

    return decorate


def chosen(kind: type[Settings], given: Mapping[str, Any], *, command: str, file: Path | None = None) -> Settings:
    """The settings of a file, if there is one, and of options, which win.

    Raises
    ------
    InputError
        If the file cannot be read, or a setting is none or has no such value.
    """
    in_file = read_settings(file) if file else {}
    if file:
        settings_from(kind, in_file, source=str(file))
    # An option that may be given several times is an empty list where it was not given.
    told = {name: value for name, value in given.items() if value not in (None, [])}
    return settings_from(kind, {**in_file, **told}, source=f"options of {command}")


def _options(kind: type) -> Iterator[inspect.Parameter]:
    types = get_type_hints(kind)
    for name, field in fields_of(kind).items():
        if get_origin(types[name]) is dict:
            continue  # a file of settings can give it, a command line cannot
        told = "" if field.default in (None, ()) else f" Default: {_shown(field.default)}."
        option = typer.Option(None, _flag(name, types[name]), help=f"{field.description}{told}", show_default=False)
        annotation = _of_option(types[name])
        yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=annotation)


def _flag(name: str, of_type: Any) -> str:
    flag = _FLAGS.get(name, f"--{name.replace('_', '-')}")
    if of_type in (bool, bool | None) and "/" not in flag:
        return f"{flag}/--no-{flag.removeprefix('--')}"
    return flag


def _of_option(of_type: Any) -> Any:
    """What a command line can give of a setting: the first of its types, as a list where there are several of it."""
    first = next((one for one in get_args(of_type) if one is not NoneType), of_type) if _is_union(of_type) else of_type
    if get_origin(first) is tuple:
        return list[get_args(first)[0]] | None  # type: ignore[misc]
    # One of several words is text here, so that a wrong one is refused as any other setting is.
    return str | None if get_origin(first) is Literal else first | None


def _is_union(of_type: Any) -> bool:
    return isinstance(of_type, type(int | None)) or NoneType in get_args(of_type)


def _shown(default: Any) -> str:
    return ", ".join(map(str, default)) if isinstance(default, tuple) else str(default)


class ManyNumbers(TyperCommand):
    """A command that takes several numbers of an option in a row: `--eps 4 2 1` is `--eps 4 --eps 2 --eps 1`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        of_many = {flag for option in self.params if getattr(option, "multiple", False) for flag in option.opts}
        told: list[str] = []
        going = None
        for word in args:
            if going is not None and told[-1] != going and _is_number(word):
                told.append(going)
            elif not _is_number(word):
                going = word if word in of_many else None
            told.append(word)
        return super().parse_args(ctx, told)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True

"""Options of a command that are settings: one for each field of a `Settings` model.

Names, types and help come from the model, so that each is defined once.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import typer

from lwise_core.vision.settings import Settings, fields_of, read_settings, settings_from

Command = TypeVar("Command", bound=Callable[..., Any])
AnySettings = TypeVar("AnySettings", bound=Settings)

_FLAGS = {"epsilon": "--eps", "best": "--best/--last", "classes": "--class", "group_column": "--group"}
"""Flags that differ from the setting's name."""


def with_settings(kind: type[Settings]) -> Callable[[Command], Command]:
    """Give a command that takes `**options` an option for every setting; None where the option is missing."""

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)
        own = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
        options = [*own, *_options(kind)]
        command.__signature__ = signature.replace(parameters=options)  # type: ignore[attr-defined]
        return command

    return decorate


def choose_settings(
    kind: type[AnySettings], options: Mapping[str, Any], *, command: str, file: Path | None = None
) -> AnySettings:
    """Settings from a file, if any, and from options, which take precedence.

    Raises
    ------
    InputError
        If the file cannot be read, or a setting is unknown or invalid.
    """
    in_file = read_settings(file) if file else {}
    if file:
        settings_from(kind, in_file, source=str(file))
    # A repeatable option is an empty list where it is missing.
    given = {name: value for name, value in options.items() if value not in (None, [])}
    return settings_from(kind, {**in_file, **given}, source=f"options of {command}")


def _options(kind: type[Settings]) -> Iterator[inspect.Parameter]:
    types = get_type_hints(kind)
    for name, field in fields_of(kind).items():
        if get_origin(types[name]) is dict:
            continue  # only a file of settings can give it
        default = "" if field.default in (None, ()) else f" Default: {_as_text(field.default)}."
        description = " ".join((field.description or "").split())
        option = typer.Option(None, _flag(name, types[name]), help=f"{description}{default}", show_default=False)
        annotation = _option_type(types[name])
        yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=annotation)


def _flag(name: str, of_type: Any) -> str:
    flag = _FLAGS.get(name, f"--{name.replace('_', '-')}")
    if of_type in (bool, bool | None) and "/" not in flag:
        return f"{flag}/--no-{flag.removeprefix('--')}"
    return flag


def _option_type(of_type: Any) -> Any:
    """What a command line can give for a setting: the first member of a union, a list for a tuple."""
    first = next((one for one in get_args(of_type) if one is not NoneType), of_type) if _is_union(of_type) else of_type
    if get_origin(first) is tuple:
        return list[_element_type(get_args(first)[0])] | None  # type: ignore[misc]
    return _element_type(first) | None


def _element_type(of_type: Any) -> Any:
    """Literals are text here, so that wrong values are reported like those of other settings."""
    return str if get_origin(of_type) is Literal else of_type


def _is_union(of_type: Any) -> bool:
    return isinstance(of_type, type(int | None)) or NoneType in get_args(of_type)


def _as_text(default: Any) -> str:
    return ", ".join(map(str, default)) if isinstance(default, tuple) else str(default)

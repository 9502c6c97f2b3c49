"""The options of `lwise train` that are settings of a training: one for each field of `TrainingConfig`.

Names, types and words are the configuration's own, so that a setting is written down once.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import typer

from lwise_core.vision.training.config import SETTINGS, TrainingConfig, config_from, read_settings

Command = TypeVar("Command", bound=Callable[..., Any])

_SHORTER = {"epsilon": "--eps"}


def with_training_options(command: Command) -> Command:
    """Give a command that takes `**settings` an option for every setting; those not given are None."""
    signature = inspect.signature(command, eval_str=True)
    own = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    command.__signature__ = signature.replace(parameters=[*own, *_options()])  # type: ignore[attr-defined]
    return command


def chosen_config(file: Path | None, settings: Mapping[str, Any]) -> TrainingConfig:
    """The configuration of a file, if there is one, and of options, which win.

    Raises
    ------
    InputError
        If the file cannot be read, or a setting is none or has no such value.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    in_file = read_settings(file) if file else {}
    if file:
        config_from(in_file, source=str(file))
    return config_from({**in_file, **given}, source="options of lwise train")


def _options() -> list[inspect.Parameter]:
    types = get_type_hints(TrainingConfig)
    made = []
    for name, field in SETTINGS.items():
        told = "" if field.default is None else f" Default: {field.default}."
        flag = _SHORTER.get(name, f"--{name.replace('_', '-')}")
        if types[name] in (bool, bool | None):
            flag = f"{flag}/--no-{flag.removeprefix('--')}"
        option = typer.Option(None, flag, help=f"{field.description}{told}", show_default=False)
        made.append(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=types[name] | None)
        )
    return made

"""Settings of work on images: dataclasses whose fields carry default, range and meaning.

Each is the one source for the options of a command, for YAML files of settings, for jobs on other machines, and for
what a result records. Knows nothing of PyTorch, whose loading takes seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from lwise_core import atomic_files
from lwise_core.errors import InputError, refuse_if_any
from lwise_core.yaml_files import read_yaml

Settings = TypeVar("Settings")


def fields_of(kind: type) -> dict[str, FieldInfo]:
    """Name of each setting -> its description and default."""
    fields: dict[str, FieldInfo] = kind.__pydantic_fields__  # type: ignore[attr-defined]
    return fields


def settings_from(kind: type[Settings], values: Mapping[str, Any], *, source: str) -> Settings:
    """Settings from plain values; what is not given has its default.

    Parameters
    ----------
    source : where the values stand, for people.

    Raises
    ------
    InputError
        Naming every setting that is unknown, of another type or out of range.
    """
    try:
        return TypeAdapter(kind).validate_python(dict(values))
    except ValidationError as error:
        problems = [_problem(kind, one["loc"], one["type"], one["input"], one["msg"]) for one in error.errors()]
        refuse_if_any(source, list(dict.fromkeys(problems)))
        raise


def read_settings(path: Path) -> dict[str, Any]:
    """The settings of a YAML file, `name: value` on each line, not yet checked.

    Raises
    ------
    InputError
        If there is no such file, or it is no such YAML.
    """
    try:
        values = read_yaml(path)
    except OSError as error:
        why = "no such file" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        raise InputError(f"{path}: {why}; expected YAML with lines such as `epochs: 30`") from None
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise InputError(f"{path}: expected YAML with a setting on each line, such as `epochs: 30`")
    return values


def write_settings(path: Path, settings: Any) -> None:
    """All settings as a file that `read_settings` reads."""
    atomic_files.write_text(path, yaml.safe_dump(plain(settings), sort_keys=False))


def plain(settings: Any) -> dict[str, Any]:
    """Settings as values that JSON and YAML know."""
    values: dict[str, Any] = TypeAdapter(type(settings)).dump_python(settings, mode="json")
    return values


def _problem(kind: type, place: tuple[int | str, ...], what: str, value: object, message: str) -> str:
    name = str(place[0])
    if what == "unexpected_keyword_argument":
        return f"{name} is no setting; expected some of {', '.join(fields_of(kind))}"
    said = message.removeprefix("Value error, ")
    return f"{name} is {value!r}; {said[0].lower()}{said[1:]}"

"""Settings of work on images: typed models whose fields carry default, range and meaning.

Each model is the one source for the options of a command, for YAML files of settings, for jobs on other machines, and
for what a result records. Knows nothing of PyTorch, whose loading takes seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from lwise_core import atomic_files
from lwise_core.errors import InputError, raise_if_any
from lwise_core.validation_errors import Place, problems_of, unknown_key
from lwise_core.yaml_files import read_yaml


class Settings(BaseModel):
    """Base of all settings. The docstring of each field is its description."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


AnySettings = TypeVar("AnySettings", bound=Settings)


def fields_of(kind: type[Settings]) -> dict[str, FieldInfo]:
    """Name of each setting -> its description and default; inherited ones last."""
    own = {name: field for name, field in kind.model_fields.items() if name in kind.__annotations__}
    return {**own, **kind.model_fields}


def settings_from(kind: type[AnySettings], values: Mapping[str, Any], *, source: str) -> AnySettings:
    """Settings from plain values and defaults.

    Parameters
    ----------
    source : where the values come from, for the error message.

    Raises
    ------
    InputError
        Naming every setting that is unknown, of another type or out of range.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        raise_if_any(source, problems_of(error, lambda place: _describe_unknown(kind, place)))
        raise


def read_settings(path: Path) -> dict[str, Any]:
    """The settings of a YAML file, `name: value` on each line, not validated.

    Raises
    ------
    InputError
        If the file is missing, or is not such YAML.
    """
    try:
        values = read_yaml(path)
    except OSError as error:
        why = "no such file" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        raise InputError(f"{path}: {why}; expected YAML with lines such as `epochs: 30`") from None
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise InputError(f"{path}: expected YAML with a setting on each line, such as `epochs: 30`")
    return values


def write_settings(path: Path, settings: Settings) -> None:
    """Write all settings as a file that `read_settings` reads."""
    atomic_files.write_text(path, yaml.safe_dump(plain(settings), sort_keys=False))


def plain(settings: Settings) -> dict[str, Any]:
    """Settings as JSON and YAML values."""
    return settings.model_dump(mode="json")


def _describe_unknown(kind: type[Settings], place: Place) -> str:
    for part in place[:-1]:
        annotation = kind.model_fields[str(part)].annotation
        if isinstance(annotation, type) and issubclass(annotation, Settings):
            kind = annotation
    return unknown_key(place[-1], kind.model_fields)

"""Superclasses: classes of a data set that comprise several of a model's, from a YAML file or a known data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lwise_core.errors import InputError
from lwise_core.yaml_files import read_yaml

_EXPECTED = "expected a mapping of class names to lists of the numbers of the model's logits, e.g. dog: [151, 152]"


def read_superclasses(name_or_path: str) -> Mapping[str, Sequence[int]]:
    """Class of the data set -> numbers of the model's logits that it comprises.

    Parameters
    ----------
    name_or_path : a YAML file, or the name of a data set that has superclasses.

    Raises
    ------
    InputError
        If there is no such file or data set, or it has another form.
    """
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml"):
        return _from_file(path)
    from lwise_core.vision.data import load_dataset_description

    known: Mapping[str, Sequence[int]] | None = load_dataset_description(name_or_path).superclasses
    if not known:
        raise InputError(f"--superclasses is {name_or_path!r}, which has none; give a YAML file: {_EXPECTED}")
    return known


def superclasses_of(setting: str | Mapping[str, Sequence[int]] | None) -> Mapping[str, Sequence[int]] | None:
    """The superclasses of a setting: a name or file, a mapping, or none."""
    return read_superclasses(setting) if isinstance(setting, str) else setting


def _from_file(path: Path) -> dict[str, list[int]]:
    try:
        document = read_yaml(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); {_EXPECTED}") from None
    except InputError as error:
        raise InputError(f"{error}; {_EXPECTED}") from None
    if not isinstance(document, dict) or not document:
        raise InputError(f"{path}: holds {type(document).__name__}; {_EXPECTED}")
    for name, numbers in document.items():
        if not isinstance(name, str) or not isinstance(numbers, list) or not numbers:
            raise InputError(f"{path}: {name!r} is {numbers!r}; {_EXPECTED}")
        if invalid := [number for number in numbers if type(number) is not int]:
            raise InputError(f"{path}: {name!r} has {invalid[0]!r}; {_EXPECTED}")
    return document

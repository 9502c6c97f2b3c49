"""Classes of a data set that are several of a model's: from a YAML file, or those of a known data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lwise_core.errors import InputError
from lwise_core.yaml_files import read_yaml

_EXPECTED = "expected a mapping of class names to lists of the numbers of the model's logits, e.g. dog: [151, 152]"


def superclasses(told: str) -> Mapping[str, Sequence[int]]:
    """Class of the data set -> numbers of the model's logits that are kinds of it.

    Parameters
    ----------
    told : a YAML file, or the name of a data set that has superclasses.

    Raises
    ------
    InputError
        If there is no such file or data set, or it says something else.
    """
    path = Path(told)
    if path.suffix in (".yaml", ".yml"):
        return _from_file(path)
    from lwise_core.vision.data import load_dataset_description

    found: Mapping[str, Sequence[int]] | None = load_dataset_description(told).superclasses
    if not found:
        raise InputError(f"--superclasses is {told!r}, a data set that has none; give a YAML file: {_EXPECTED}")
    return found


def superclasses_of(told: str | Mapping[str, Sequence[int]] | None) -> Mapping[str, Sequence[int]] | None:
    """As settings have them: by name or file, written out, or none."""
    return superclasses(told) if isinstance(told, str) else told


def _from_file(path: Path) -> dict[str, list[int]]:
    try:
        read = read_yaml(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); {_EXPECTED}") from None
    except InputError as error:
        raise InputError(f"{error}; {_EXPECTED}") from None
    if not isinstance(read, dict) or not read:
        raise InputError(f"{path}: holds {type(read).__name__}; {_EXPECTED}")
    for name, numbers in read.items():
        if not isinstance(name, str) or not isinstance(numbers, list) or not numbers:
            raise InputError(f"{path}: {name!r} is {numbers!r}; {_EXPECTED}")
        if strange := [number for number in numbers if type(number) is not int]:
            raise InputError(f"{path}: {name!r} has {strange[0]!r}; {_EXPECTED}")
    return read

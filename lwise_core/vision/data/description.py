"""Description of a data set, from a YAML file: its classes, its normalisation, and how to read its raw files.

A new data set needs no code, only a file like those in `known`. Does not import PyTorch, which takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from lwise_core.errors import InputError, raise_if_any
from lwise_core.validation_errors import Place, problems_of, unknown_key
from lwise_core.yaml_files import parse_yaml

if TYPE_CHECKING:
    from lwise_core.vision.guide import Normalisation

_KNOWN = resources.files("lwise_core.vision.data") / "known"


def known_descriptions() -> list[str]:
    """Names of the built-in descriptions."""
    return sorted(entry.name.removesuffix(".yaml") for entry in _KNOWN.iterdir() if entry.name.endswith(".yaml"))


def load_dataset_description(name_or_path: str) -> DatasetDescription:
    """Load the description of a data set: a built-in one by name, or a YAML file.

    Raises
    ------
    InputError
        If the name is unknown or the file is missing or invalid; the error lists every problem.
    """
    source, text = _read(name_or_path)
    document = parse_yaml(text, source=source)
    if not isinstance(document, Mapping):
        raise InputError(f"{source}: expected keys and values, such as `classes: [red, green]`")
    try:
        return DatasetDescription.model_validate({**document, "name": Path(source).stem})
    except ValidationError as error:
        raise_if_any(source, problems_of(error, _describe_unknown_key))
        raise


def description_text(name_or_path: str) -> str:
    """The YAML of a description, as a template for a new one."""
    return _read(name_or_path)[1]


def _read(name_or_path: str) -> tuple[str, str]:
    """The source of a description and its text."""
    if name_or_path in known_descriptions():
        return f"{name_or_path}.yaml", (_KNOWN / f"{name_or_path}.yaml").read_text(encoding="utf-8")
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        raise InputError(
            f"{name_or_path!r} is not a known data set; expected one of {', '.join(known_descriptions())}, or the "
            "path of a .yaml file"
        )
    try:
        return str(path), path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); expected a data set description") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a UTF-8 text file ({error.reason} at byte {error.start})") from None


def _describe_unknown_key(place: Place) -> str:
    return unknown_key(place[-1], (Table.model_fields if len(place) > 1 else DatasetDescription.file_keys()))


def _expand_ranges(members: Any) -> Any:
    """Expand ranges such as `151-268` to numbers."""
    if not isinstance(members, Sequence) or isinstance(members, str):
        return members
    numbers: list[Any] = []
    for member in members:
        first, dash, last = str(member).partition("-")
        if dash and first.isdecimal() and last.isdecimal() and int(first) <= int(last):
            numbers += range(int(first), int(last) + 1)
        else:
            numbers.append(member)
    return numbers


_Means = Annotated[tuple[float, ...], Field(min_length=3, max_length=3)]
_Deviations = Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=3, max_length=3)]
_Members = Annotated[tuple[Annotated[int, Field(ge=0)], ...], BeforeValidator(_expand_ranges), Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True, use_attribute_docstrings=True)


class Table(_Part):
    """A table with the class of each raw image."""

    file: str = Field(pattern="^[^/]")
    """Path in the folder of the raw files, may contain `*`; a CSV file with a header."""
    image_column: str
    """Column with the names of the images, with or without suffix."""
    class_column: str
    """Column with the class."""
    split_column: str | None = None
    """Column with the split; without it, all images are `train`."""
    class_separator: str | None = Field(default=None, min_length=1)
    """Text that ends the class in its cell, if the cell contains more."""


class DatasetDescription(_Part):
    """A data set: the keys of its file, and its `name`, which is the file name."""

    name: str
    about: str
    """What the data set is and where it comes from."""
    classes: tuple[str, ...] | None = None
    """Names of the classes in the order of their numbers (default: those of `class_of` or `superclasses`, else the
    labels in alphabetical order)."""
    n_classes: int | None = Field(default=None, gt=0)
    """Number of classes; only if no other key names them."""
    class_of: Mapping[str, str | None] | None = None
    """Label -> class. A label is the name of a folder or a cell of `class_column`; `null` skips its images. Without
    this key, a label is the name of a class."""
    mean: _Means
    """Mean of red, green and blue in [0, 1], for normalisation; from `lwise dataset stats`."""
    std: _Deviations
    """Standard deviation of red, green and blue, for normalisation."""
    size: int = Field(default=224, gt=0)
    """Side of the square images in pixels."""
    augment: str | None = None
    """Augmentation for training: a preset of `lwise train --augment`."""
    part_of: str | None = None
    """Name of the larger data set with the raw files, to whose class numbers `superclasses` refers."""
    superclasses: Mapping[str, _Members] | None = None
    """Class -> numbers of the classes of the larger data set that belong to it, which are those of a model's logits;
    `151-268` is a range. Images of other classes are skipped."""
    class_num_col: str = "class_num"
    """Column of the dirmap with the numbers of a model's logits, as in `--class-num-col`."""
    group_column: str | None = None
    """Column whose equal cells belong together, e.g. images of one lesion: never in two splits."""
    val_fraction: float = Field(default=0.25, ge=0, lt=1)
    """Share held out as `val` if there is no such split."""
    table: Table | None = None
    """Table that lists the images; without it, there is one folder per class."""
    loose: Table | None = None
    """Table with the classes of images that are directly in the folder of a split, such as ImageNet's validation
    images."""

    @classmethod
    def file_keys(cls) -> list[str]:
        """Keys that a file can have."""
        return [name for name in cls.model_fields if name != "name"]

    @property
    def normalisation(self) -> Normalisation:
        """Normalisation of the images by a model of this data set."""
        from lwise_core.vision.guide import Normalisation

        (red, green, blue), (red_std, green_std, blue_std) = self.mean, self.std
        return Normalisation((red, green, blue), (red_std, green_std, blue_std))

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Class names in the order of their numbers; None if only the raw files have them."""
        if self.classes is not None:
            return self.classes
        if self.superclasses is not None:
            return tuple(self.superclasses)
        if self.class_of is not None:
            return tuple(dict.fromkeys(name for name in self.class_of.values() if name is not None))
        return None

    @property
    def number_of_classes(self) -> int:
        """Number of classes of a model of this data set."""
        names = self.class_names
        if names is not None:
            return len(names)
        return self.n_classes or 0

    @cached_property
    def whole(self) -> DatasetDescription:
        """The data set of the raw files: the one that this is a part of, or itself."""
        if self.part_of is None:
            return self
        larger = load_dataset_description(self.part_of)
        if larger.part_of is not None:
            raise InputError(
                f"{self.name}: part_of is {self.part_of}, which is a part itself; expected {larger.part_of}"
            )
        last = larger.number_of_classes - 1
        for name, members in (self.superclasses or {}).items():
            if max(members) > last:
                raise InputError(
                    f"{self.name}: superclasses, {name} has the number {max(members)}; {larger.name} has 0 to {last}"
                )
        return larger

    @model_validator(mode="after")
    def _check(self) -> DatasetDescription:
        problems = [*_class_problems(self), *_part_problems(self)]
        if problems:
            raise ValueError("; ".join(problems))
        return self


def _class_problems(description: DatasetDescription) -> Iterator[str]:
    names, n_classes = description.class_names, description.n_classes
    if names is None:
        if n_classes is None:
            yield "expected one of classes, class_of, superclasses and n_classes"
        return
    if n_classes not in (None, len(names)):
        yield f"n_classes is {n_classes}, but {len(names)} classes are named"
    if len(set(names)) < len(names):
        yield "a class is named twice"
    unknown = [name for name in (description.class_of or {}).values() if name is not None and name not in names]
    if unknown:
        yield f"class_of names {unknown[0]!r}, which is not one of the classes"


def _part_problems(description: DatasetDescription) -> Iterator[str]:
    if description.superclasses is None:
        if description.part_of is not None:
            yield "with part_of, superclasses must define the part"
        return
    if set(description.superclasses) != set(description.class_names or ()):
        yield "classes and superclasses name different classes"
    members = [number for numbers in description.superclasses.values() for number in numbers]
    if len(set(members)) < len(members):
        yield "a number occurs twice in superclasses"
    if description.part_of is not None and (description.table is not None or description.class_of is not None):
        yield f"table and class_of come from {description.part_of}; remove them"

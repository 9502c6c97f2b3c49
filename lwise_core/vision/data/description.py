"""What is known of a data set, from a YAML file: its classes, its numbers, and how its raw files are read.

A new data set needs no code: a file like those in `known` describes it. Knows nothing of PyTorch, whose loading takes
seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from lwise_core.errors import InputError, refuse_if_any
from lwise_core.yaml_files import parse_yaml

if TYPE_CHECKING:
    from lwise_core.vision.guide import Normalisation

_KNOWN = resources.files("lwise_core.vision.data") / "known"


def known_descriptions() -> list[str]:
    """Names of the data sets that are described here."""
    return sorted(entry.name.removesuffix(".yaml") for entry in _KNOWN.iterdir() if entry.name.endswith(".yaml"))


def load_dataset_description(name_or_path: str) -> DatasetDescription:
    """The description of a data set: one that is known by its name, or the user's own YAML file.

    Raises
    ------
    InputError
        If the name is not known, or the file is missing or wrong; every problem of it is named.
    """
    where, text = _read(name_or_path)
    document = parse_yaml(text, source=where)
    if not isinstance(document, Mapping):
        raise InputError(f"{where}: expected keys and values, such as `classes: [red, green]`")
    try:
        return DatasetDescription.model_validate({**document, "name": Path(where).stem})
    except ValidationError as error:
        refuse_if_any(where, [_problem(details) for details in error.errors()])
        raise


def description_text(name_or_path: str) -> str:
    """The YAML of a description, to begin one's own with."""
    return _read(name_or_path)[1]


def _read(name_or_path: str) -> tuple[str, str]:
    """Where a description stands, and its text."""
    if name_or_path in known_descriptions():
        return f"{name_or_path}.yaml", (_KNOWN / f"{name_or_path}.yaml").read_text(encoding="utf-8")
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        raise InputError(
            f"{name_or_path!r} is no data set that is known here; expected one of {', '.join(known_descriptions())}, "
            "or a description of your own, a .yaml file"
        )
    try:
        return str(path), path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); expected the description of a data set") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a UTF-8 text file ({error.reason} at byte {error.start})") from None


def _problem(details: Any) -> str:
    place = ".".join(str(part) for part in details["loc"])
    if details["type"] == "extra_forbidden":
        return f"{place}: unknown key; known are {', '.join(sorted(DatasetDescription.written_keys()))}"
    return f"{place}: {details['msg'].removeprefix('Value error, ')}".removeprefix(": ")


def _spread(members: Any) -> Any:
    """Numbers and ranges such as `151-268` -> numbers."""
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
_Members = Annotated[tuple[Annotated[int, Field(ge=0)], ...], BeforeValidator(_spread), Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class Table(_Part):
    """A table that says of which class each raw image is."""

    file: str = Field(
        pattern="^[^/]",
        description="Its path in the folder of the raw files, which may have `*` in it; a CSV file with a header.",
    )
    image_column: str = Field(description="Column with the names of the images, with or without `.jpg` and the like.")
    class_column: str = Field(description="Column that tells the class.")
    split_column: str | None = Field(None, description="Column with the split; without one, all images are `train`.")
    class_separator: str | None = Field(
        None, min_length=1, description="What ends the class in its cell, where more stands there."
    )


class DatasetDescription(_Part):
    """A data set: the keys of its file, and its `name`, which is the file's."""

    name: str
    about: str = Field(description="What it is and where it comes from, in words.")
    classes: tuple[str, ...] | None = Field(
        None,
        description="Names of the classes in the order of their numbers. Left out, they are those of `class_of` or of "
        "`superclasses`, else the labels in alphabetical order.",
    )
    n_classes: int | None = Field(
        None, gt=0, description="How many classes there are; only where no key of this file names them."
    )
    class_of: Mapping[str, str | None] | None = Field(
        None,
        description="Class that a label stands for, a label being the name of a folder or a cell of `class_column`; "
        "`null` leaves its images out. Without it a label is the name of a class.",
    )
    mean: _Means = Field(
        description="Mean of red, green and blue in [0, 1], which training takes off; from `lwise dataset stats`."
    )
    std: _Deviations = Field(description="Standard deviation of red, green and blue, which training divides by.")
    size: int = Field(224, gt=0, description="Side of the square images in pixels.")
    augment: str | None = Field(
        None, description="Random changes that suit its images in training: a preset of `lwise train --augment`."
    )
    part_of: str | None = Field(
        None,
        description="Name of the data set whose raw files hold this one, and whose class numbers `superclasses` has.",
    )
    superclasses: Mapping[str, _Members] | None = Field(
        None,
        description="Class -> numbers of the classes of the larger data set that are kinds of it, which are those of a "
        "model's logits; `151-268` stands for all from 151 to 268. Images of other classes are left out.",
    )
    class_num_col: str = Field(
        "class_num", description="Column of the dirmap with the numbers of a model's logits, for `--class-num-col`."
    )
    group_column: str | None = Field(
        None, description="Column whose equal cells belong together, such as one lesion's: never in two splits."
    )
    val_fraction: float = Field(0.25, ge=0, lt=1, description="Share held out as `val` where there is no such split.")
    table: Table | None = Field(
        None, description="The table that names the images; without one they stand in folders, one per class."
    )

    loose: Table | None = Field(
        None,
        description="The table that says of which class each image is that lies in a split's folder itself, not in "
        "one of its class, as ImageNet's validation images do; their split is the folder's.",
    )

    @classmethod
    def written_keys(cls) -> list[str]:
        """Keys that a file may have."""
        return [name for name in cls.model_fields if name != "name"]

    @property
    def normalisation(self) -> Normalisation:
        """What a model of this data set does with its images."""
        from lwise_core.vision.guide import Normalisation

        (red, green, blue), (red_std, green_std, blue_std) = self.mean, self.std
        return Normalisation((red, green, blue), (red_std, green_std, blue_std))

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """In the order of their numbers; None where only the raw files tell them."""
        if self.classes is not None:
            return self.classes
        if self.superclasses is not None:
            return tuple(self.superclasses)
        if self.class_of is not None:
            return tuple(dict.fromkeys(name for name in self.class_of.values() if name is not None))
        return None

    @property
    def number_of_classes(self) -> int:
        """How many classes a model of this data set has."""
        names = self.class_names
        if names is not None:
            return len(names)
        return self.n_classes or 0

    @cached_property
    def whole(self) -> DatasetDescription:
        """What its raw files are: the data set that it is a part of, or itself."""
        if self.part_of is None:
            return self
        larger = load_dataset_description(self.part_of)
        if larger.part_of is not None:
            raise InputError(
                f"{self.name}: part_of is {self.part_of}, a part itself; expected {larger.part_of}, of which it is one"
            )
        last = larger.number_of_classes - 1
        for name, members in (self.superclasses or {}).items():
            if max(members) > last:
                raise InputError(
                    f"{self.name}: superclasses, {name} has the number {max(members)}; {larger.name} has 0 to {last}"
                )
        return larger

    @model_validator(mode="after")
    def _makes_sense(self) -> DatasetDescription:
        problems = [*_problems_of_classes(self), *_problems_of_the_whole(self)]
        if problems:
            raise ValueError("; ".join(problems))
        return self


def _problems_of_classes(description: DatasetDescription) -> Iterator[str]:
    names, n_classes = description.class_names, description.n_classes
    if names is None:
        if n_classes is None:
            yield "one of classes, class_of, superclasses and n_classes is needed"
        return
    if n_classes not in (None, len(names)):
        yield f"n_classes is {n_classes}, but {len(names)} classes are named"
    if len(set(names)) < len(names):
        yield "a class is named twice"
    strange = [name for name in (description.class_of or {}).values() if name is not None and name not in names]
    if strange:
        yield f"class_of names {strange[0]!r}, which is none of the classes"


def _problems_of_the_whole(description: DatasetDescription) -> Iterator[str]:
    if description.superclasses is None:
        if description.part_of is not None:
            yield "with part_of, superclasses has to say which part it is"
        return
    if set(description.superclasses) != set(description.class_names or ()):
        yield "classes and superclasses name different classes"
    members = [number for of_one in description.superclasses.values() for number in of_one]
    if len(set(members)) < len(members):
        yield "a number stands in superclasses twice"
    if description.part_of is not None and (description.table is not None or description.class_of is not None):
        yield f"table and class_of are those of {description.part_of}; leave them out"

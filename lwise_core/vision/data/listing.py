"""Which images a folder holds, and of which classes: told by its sub-folders, or by a table that came with it.

Nothing is decoded here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lwise_core.dirmap import REQUIRED_COLUMNS, SCORE_COLUMNS, DirmapRow, read_csv
from lwise_core.errors import InputError, refuse_if_any
from lwise_core.vision.data.class_numbers import ORIG_CLASS, ORIG_CLASS_NUM, renumbered
from lwise_core.vision.data.description import DatasetDescription, Table
from lwise_core.vision.images import IMAGE_SUFFIXES

SPLITS = ("train", "val", "test")

_FORBIDDEN_IN_NAMES = frozenset('<>:"/\\|?*#%')


@dataclass(frozen=True)
class _Picture:
    im_path: str
    extra: Mapping[str, str] = field(default_factory=dict)


_Found = Mapping[str, Mapping[str, Sequence[_Picture]]]
"""Split -> label -> images; a label is the name of a folder, or a cell of a table."""


@dataclass(frozen=True)
class _Place:
    """What a label stands for; `extra` as in a dirmap."""

    class_name: str
    class_num: int
    extra: Mapping[str, str] = field(default_factory=dict)


def list_images(root: Path, description: DatasetDescription | None = None) -> list[DirmapRow]:
    """A row for every image of a data set below `root`, by split, class and label.

    Without a table they stand in `root/<split>/<label>/*`, or in `root/<label>/*`, which makes them all `train`; loose
    ones in `root/<split>/*` need a table that the description names. Without a description a label is the name of a
    class, and classes are numbered in alphabetical order. Of a data set that is a part of a larger one, the class there
    stands in the columns `orig_class` and `orig_class_num`. Where not all classes of a description have images, those
    that have are numbered anew.

    Raises
    ------
    InputError
        If there is no image, fewer than two classes, a class without images in a split, a label that is none of
        the data set's, a class whose name cannot stand in an address or a CSV file, or a row of the table without a
        image.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; expected one folder per class with photographs inside")
    whole = None if description is None else description.whole
    if whole is not None and whole.table is not None:
        found = _in_table(root, whole.table)
    else:
        found = _in_folders(root, None if whole is None else whole.loose)
    labels = sorted({label for by_label in found.values() for label in by_label})
    places = _places(labels, description, root)
    rows = [
        DirmapRow(
            split=split,
            class_name=place.class_name,
            class_num=place.class_num,
            im_path=picture.im_path,
            extra={**place.extra, **picture.extra},
        )
        for split in sorted(found, key=split_rank)
        for label, place in places.items()
        for picture in found[split].get(label, [])
    ]
    _check(rows, classes=list(dict.fromkeys(place.class_name for place in places.values())), splits=found, root=root)
    return renumbered(rows)


def split_rank(split: str) -> tuple[int, str]:
    """Sorts splits: train, val, test, then others by name."""
    return (SPLITS.index(split) if split in SPLITS else len(SPLITS), split)


def _in_folders(root: Path, loose: Table | None) -> _Found:
    split_folders = [folder for folder in _folders(root) if folder.name in SPLITS]
    sources = {folder.name: folder for folder in split_folders} or {"train": root}
    found = {
        split: {
            folder.name: [_Picture(path.relative_to(root).as_posix()) for path in _pictures(folder.iterdir())]
            for folder in _folders(source)
        }
        for split, source in sources.items()
    }
    if loose is not None:
        for folder in split_folders:
            if pictures := _pictures(folder.iterdir()):
                for label, of_label in _loose(root, pictures, loose).items():
                    found[folder.name].setdefault(label, []).extend(of_label)
    return found


def _loose(root: Path, pictures: Sequence[Path], table: Table) -> dict[str, list[_Picture]]:
    """Images that lie in no folder of their class, by the label that a table gives them."""
    path = _table_file(root, table)
    columns = [table.image_column, table.class_column]
    label_of: dict[str, str] = {}
    for line, values in read_csv(path, required=columns, remedy="it came with the pictures"):
        name, label = values[table.image_column], _label(values, table)
        if label_of.setdefault(name, label) != label:
            raise InputError(f"{path}: line {line}: {name} is {label} here and {label_of[name]} above; expected one")
    unlabelled = [picture for picture in pictures if not {picture.name, picture.stem} & label_of.keys()]
    if unlabelled:
        first = unlabelled[0].relative_to(root).as_posix()
        raise InputError(
            f"{path}: has no row for {len(unlabelled)} of {len(pictures)} images, the first is {first}; expected one "
            "for each"
        )
    found: dict[str, list[_Picture]] = defaultdict(list)
    for picture in pictures:
        label = label_of.get(picture.name) or label_of[picture.stem]
        found[label].append(_Picture(picture.relative_to(root).as_posix()))
    return found


def _label(values: Mapping[str, str], table: Table) -> str:
    cell = values[table.class_column]
    return cell if table.class_separator is None else cell.partition(table.class_separator)[0]


def _folders(root: Path) -> list[Path]:
    return sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _pictures(entries: Iterator[Path]) -> list[Path]:
    return sorted(
        path
        for path in entries
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def _in_table(root: Path, table: Table) -> _Found:
    path = _table_file(root, table)
    columns = [table.image_column, table.class_column, *([table.split_column] if table.split_column else [])]
    paths_of = _paths_by_name(root)
    found: dict[str, dict[str, list[_Picture]]] = defaultdict(lambda: defaultdict(list))
    problems: list[str] = []
    for line, values in read_csv(path, required=columns, remedy="it came with the pictures"):
        name = values[table.image_column]
        paths = paths_of.get(name, [])
        if len(paths) != 1:
            what = f"several images: {', '.join(paths)}" if paths else f"no image below {root}"
            problems.append(f"line {line}: {table.image_column} is {name!r}, which is the name of {what}")
            continue
        split = values[table.split_column] if table.split_column else "train"
        extra = {column: text for column, text in values.items() if column not in (*REQUIRED_COLUMNS, *SCORE_COLUMNS)}
        found[split][_label(values, table)].append(_Picture(paths[0], extra))
    refuse_if_any(path, problems)
    return found


def _table_file(root: Path, table: Table) -> Path:
    paths = sorted(path for path in root.glob(table.file) if path.is_file() and not path.name.startswith("."))
    if len(paths) != 1:
        what = f"{len(paths)} files" if paths else "no file"
        raise InputError(
            f"{root}: has {what} of the name {table.file}; expected one, the table that names the pictures"
        )
    return paths[0]


def _paths_by_name(root: Path) -> dict[str, list[str]]:
    """Images anywhere below `root` by each name that a table may call them: with folders, without, without suffix."""
    paths_of: dict[str, list[str]] = defaultdict(list)
    for path in _pictures(root.rglob("*")):
        im_path = path.relative_to(root).as_posix()
        for name in {im_path, path.name, path.stem}:
            paths_of[name].append(im_path)
    return paths_of


def _places(labels: Sequence[str], description: DatasetDescription | None, root: Path) -> dict[str, _Place]:
    """What each label stands for, in the order of the classes; labels whose images are left out are missing."""
    if description is None:
        return {label: _Place(label, number) for number, label in enumerate(labels)}
    whole = description.whole
    names = whole.class_names or tuple(labels)
    if whole.class_names is None and whole is not description and len(names) != whole.n_classes:
        raise InputError(
            f"{root}: has {len(names)} classes of {whole.name}; expected all {whole.n_classes}, so that their numbers "
            "are known"
        )
    number_of = {name: number for number, name in enumerate(names)}
    places = {}
    strange = []
    for label in labels:
        name = label if whole.class_of is None else whole.class_of.get(label, label)
        if name is None:
            continue
        if name in number_of:
            place = _in_part(name, number_of[name], description)
            if place is not None:
                places[label] = place
        elif whole.superclasses is None:
            strange.append(f"{label!r} is no class of {whole.name}, which are {_few(whole.class_of or names)}")
    refuse_if_any(root, strange)
    return dict(sorted(places.items(), key=lambda item: (item[1].class_num, item[0])))


def _in_part(name: str, number: int, description: DatasetDescription) -> _Place | None:
    """Where a class of the whole data set belongs in the described one; None: nowhere."""
    if description.part_of is None:
        members = (description.superclasses or {}).get(name, ())
        extra = {ORIG_CLASS_NUM: str(members[0])} if len(members) == 1 else {}
        return _Place(name, number, extra)
    for superclass, members in (description.superclasses or {}).items():
        if number in members:
            own = (description.class_names or ()).index(superclass)
            return _Place(superclass, own, {ORIG_CLASS: name, ORIG_CLASS_NUM: str(number)})
    return None


def _few(names: Sequence[str] | Mapping[str, object]) -> str:
    shown = list(names)
    return ", ".join(shown) if len(shown) <= 20 else f"{', '.join(shown[:3])} … ({len(shown)} in all)"


def _check(rows: Sequence[DirmapRow], *, classes: Sequence[str], splits: _Found, root: Path) -> None:
    if not rows:
        kinds = " ".join(sorted(IMAGE_SUFFIXES))
        raise InputError(f"{root}: no photographs found; expected one folder per class with {kinds} files inside")
    if len(classes) < 2:
        raise InputError(f"{root}: only one class ({classes[0]!r}); expected a folder for each of at least two classes")
    forbidden = " ".join(sorted(_FORBIDDEN_IN_NAMES))
    for name in (*classes, *splits):
        if not name or not name.isprintable() or name != name.strip() or _FORBIDDEN_IN_NAMES & set(name):
            kind = "class folder" if name in classes else "split"
            raise InputError(
                f"{root}: {kind} {name!r} has a character that cannot stand in a file list or address; "
                f"rename it without control characters, outer spaces and {forbidden}"
            )
    counts = Counter((row.split, row.class_name) for row in rows)
    for name in classes:
        for split in splits:
            if not counts[split, name]:
                raise InputError(f"{root}: class {name!r} has no photographs in {split}; add some or remove the folder")

"""List the images of a folder with their classes, from its sub-folders or a table that came with it.

Decodes nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lwise_core.dirmap import REQUIRED_COLUMNS, SCORE_COLUMNS, DirmapRow, read_csv
from lwise_core.errors import InputError, raise_if_any
from lwise_core.vision.data.class_numbers import ORIG_CLASS, ORIG_CLASS_NUM, renumber_classes
from lwise_core.vision.data.description import DatasetDescription, Table
from lwise_core.vision.images import IMAGE_SUFFIXES

SPLITS = ("train", "val", "test")

_FORBIDDEN_IN_NAMES = frozenset('<>:"/\\|?*#%')


@dataclass(frozen=True)
class _ListedImage:
    im_path: str
    extra: Mapping[str, str] = field(default_factory=dict)


_Listing = Mapping[str, Mapping[str, Sequence[_ListedImage]]]
"""Split -> label -> images; a label is the name of a folder or a cell of a table."""


@dataclass(frozen=True)
class _Target:
    """The class of a label; `extra` as in a dirmap."""

    class_name: str
    class_num: int
    extra: Mapping[str, str] = field(default_factory=dict)


def list_images(root: Path, description: DatasetDescription | None = None) -> list[DirmapRow]:
    """List every image of a data set below `root`, ordered by split, class and label.

    Without a table, images are in `root/<split>/<label>/*`, or in `root/<label>/*`, where all are `train`; loose images
    in `root/<split>/*` need a table that the description names. Without a description, a label is the name of a class,
    and classes are numbered in alphabetical order. For a part of a larger data set, the columns `orig_class` and
    `orig_class_num` hold the class there. If some classes of a description have no images, the others are renumbered.

    Raises
    ------
    InputError
        If there are no images, fewer than two classes, a class without images in a split, a label unknown to the data
        set, a class name that is not allowed in a URL or CSV file, or a row of the table without an image.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; expected one folder per class with images inside")
    whole = None if description is None else description.whole
    if whole is not None and whole.table is not None:
        listing = _in_table(root, whole.table)
    else:
        listing = _in_folders(root, None if whole is None else whole.loose)
    labels = sorted({label for by_label in listing.values() for label in by_label})
    targets = _targets(labels, description, root)
    rows = [
        DirmapRow(
            split=split,
            class_name=target.class_name,
            class_num=target.class_num,
            im_path=image.im_path,
            extra={**target.extra, **image.extra},
        )
        for split in sorted(listing, key=split_rank)
        for label, target in targets.items()
        for image in listing[split].get(label, [])
    ]
    _check(
        rows, classes=list(dict.fromkeys(target.class_name for target in targets.values())), splits=listing, root=root
    )
    return renumber_classes(rows)


def split_rank(split: str) -> tuple[int, str]:
    """Sort key of splits: train, val, test, then others by name."""
    return (SPLITS.index(split) if split in SPLITS else len(SPLITS), split)


def _in_folders(root: Path, loose: Table | None) -> _Listing:
    split_folders = [folder for folder in _folders(root) if folder.name in SPLITS]
    sources = {folder.name: folder for folder in split_folders} or {"train": root}
    listing = {
        split: {
            folder.name: [_ListedImage(path.relative_to(root).as_posix()) for path in _image_paths(folder.iterdir())]
            for folder in _folders(source)
        }
        for split, source in sources.items()
    }
    if loose is not None:
        for folder in split_folders:
            if paths := _image_paths(folder.iterdir()):
                for label, images in _loose(root, paths, loose).items():
                    listing[folder.name].setdefault(label, []).extend(images)
    return listing


def _loose(root: Path, paths: Sequence[Path], table: Table) -> dict[str, list[_ListedImage]]:
    """Images outside class folders, by their label in a table."""
    table_file = _table_file(root, table)
    columns = [table.image_column, table.class_column]
    label_of: dict[str, str] = {}
    for line, values in read_csv(table_file, required=columns, remedy="it comes with the images"):
        name, label = values[table.image_column], _label(values, table)
        if label_of.setdefault(name, label) != label:
            raise InputError(
                f"{table_file}: line {line}: {name} is {label} here and {label_of[name]} above; expected one"
            )
    unlabelled = [path for path in paths if not {path.name, path.stem} & label_of.keys()]
    if unlabelled:
        first = unlabelled[0].relative_to(root).as_posix()
        raise InputError(
            f"{table_file}: has no row for {len(unlabelled)} of {len(paths)} images, the first is {first}; expected a "
            "row for each"
        )
    images: dict[str, list[_ListedImage]] = defaultdict(list)
    for path in paths:
        label = label_of.get(path.name) or label_of[path.stem]
        images[label].append(_ListedImage(path.relative_to(root).as_posix()))
    return images


def _label(values: Mapping[str, str], table: Table) -> str:
    cell = values[table.class_column]
    return cell if table.class_separator is None else cell.partition(table.class_separator)[0]


def _folders(root: Path) -> list[Path]:
    return sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _image_paths(entries: Iterator[Path]) -> list[Path]:
    return sorted(
        path
        for path in entries
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def _in_table(root: Path, table: Table) -> _Listing:
    path = _table_file(root, table)
    columns = [table.image_column, table.class_column, *([table.split_column] if table.split_column else [])]
    paths_of = _paths_by_name(root)
    listing: dict[str, dict[str, list[_ListedImage]]] = defaultdict(lambda: defaultdict(list))
    problems: list[str] = []
    for line, values in read_csv(path, required=columns, remedy="it comes with the images"):
        name = values[table.image_column]
        paths = paths_of.get(name, [])
        if len(paths) != 1:
            matches = f"several images: {', '.join(paths)}" if paths else f"no image below {root}"
            problems.append(f"line {line}: {table.image_column} is {name!r}, which is the name of {matches}")
            continue
        split = values[table.split_column] if table.split_column else "train"
        extra = {column: text for column, text in values.items() if column not in (*REQUIRED_COLUMNS, *SCORE_COLUMNS)}
        listing[split][_label(values, table)].append(_ListedImage(paths[0], extra))
    raise_if_any(path, problems)
    return listing


def _table_file(root: Path, table: Table) -> Path:
    paths = sorted(path for path in root.glob(table.file) if path.is_file() and not path.name.startswith("."))
    if len(paths) != 1:
        count = f"{len(paths)} files" if paths else "no file"
        raise InputError(f"{root}: has {count} named {table.file}; expected one, the table that lists the images")
    return paths[0]


def _paths_by_name(root: Path) -> dict[str, list[str]]:
    """All images below `root` by each name that a table can use: with folders, without, without suffix."""
    paths_of: dict[str, list[str]] = defaultdict(list)
    for path in _image_paths(root.rglob("*")):
        im_path = path.relative_to(root).as_posix()
        for name in {im_path, path.name, path.stem}:
            paths_of[name].append(im_path)
    return paths_of


def _targets(labels: Sequence[str], description: DatasetDescription | None, root: Path) -> dict[str, _Target]:
    """The class of each label, in the order of the classes; labels whose images are skipped are missing."""
    if description is None:
        return {label: _Target(label, number) for number, label in enumerate(labels)}
    whole = description.whole
    names = whole.class_names or tuple(labels)
    if whole.class_names is None and whole is not description and len(names) != whole.n_classes:
        raise InputError(
            f"{root}: has {len(names)} classes of {whole.name}; expected all {whole.n_classes}, which determine "
            "the class numbers"
        )
    number_of = {name: number for number, name in enumerate(names)}
    targets = {}
    unknown = []
    for label in labels:
        name = label if whole.class_of is None else whole.class_of.get(label, label)
        if name is None:
            continue
        if name in number_of:
            target = _in_part(name, number_of[name], description)
            if target is not None:
                targets[label] = target
        elif whole.superclasses is None:
            unknown.append(f"{label!r} is not a class of {whole.name}, which are {_few(whole.class_of or names)}")
    raise_if_any(root, unknown)
    return dict(sorted(targets.items(), key=lambda item: (item[1].class_num, item[0])))


def _in_part(name: str, number: int, description: DatasetDescription) -> _Target | None:
    """The class of the described data set to which a class of the whole one belongs; None if to none."""
    if description.part_of is None:
        members = (description.superclasses or {}).get(name, ())
        extra = {ORIG_CLASS_NUM: str(members[0])} if len(members) == 1 else {}
        return _Target(name, number, extra)
    for superclass, members in (description.superclasses or {}).items():
        if number in members:
            own = (description.class_names or ()).index(superclass)
            return _Target(superclass, own, {ORIG_CLASS: name, ORIG_CLASS_NUM: str(number)})
    return None


def _few(names: Sequence[str] | Mapping[str, object]) -> str:
    shown = list(names)
    return ", ".join(shown) if len(shown) <= 20 else f"{', '.join(shown[:3])} … ({len(shown)} in all)"


def _check(rows: Sequence[DirmapRow], *, classes: Sequence[str], splits: _Listing, root: Path) -> None:
    if not rows:
        kinds = " ".join(sorted(IMAGE_SUFFIXES))
        raise InputError(f"{root}: no images found; expected one folder per class with {kinds} files inside")
    if len(classes) < 2:
        raise InputError(f"{root}: only one class ({classes[0]!r}); expected a folder for each of at least two classes")
    forbidden = " ".join(sorted(_FORBIDDEN_IN_NAMES))
    for name in (*classes, *splits):
        if not name or not name.isprintable() or name != name.strip() or _FORBIDDEN_IN_NAMES & set(name):
            kind = "class folder" if name in classes else "split"
            raise InputError(
                f"{root}: {kind} {name!r} has a character that is not allowed in a CSV file or URL; "
                f"rename it without control characters, outer spaces and {forbidden}"
            )
    counts = Counter((row.split, row.class_name) for row in rows)
    for name in classes:
        for split in splits:
            if not counts[split, name]:
                raise InputError(f"{root}: class {name!r} has no images in {split}; add some or remove the folder")

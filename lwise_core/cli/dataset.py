"""`lwise dataset`: from folders of photographs to a dirmap, and from a dirmap to the data set that a study needs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lwise_core.cli.image_options import DIRMAP, IMAGES
from lwise_core.cli.progress import say, step, warn
from lwise_core.dirmap import DirmapRow, class_names, read_dirmap, write_dirmap
from lwise_core.errors import InputError

if TYPE_CHECKING:
    from lwise_core.vision.data.description import DatasetDescription

app = typer.Typer(help="Data sets: list, split, measure, build.", no_args_is_help=True)

_DESCRIPTION = typer.Option(
    None,
    "--description",
    "-d",
    help="What is known of the data set: a name of `lwise dataset describe`, or a .yaml file.",
)
_SKIP_BAD = typer.Option(False, "--skip-bad", help="Leave out what cannot be read instead of stopping.")


@app.command()
def index(
    images: Path = typer.Argument(help="Folder of photographs, IMAGES/<class>/* or IMAGES/<split>/<class>/*."),
    out: Path = typer.Option(Path("dirmap.csv"), "--out", "-o", help="Where to write the dirmap."),
    description: str | None = _DESCRIPTION,
    val_fraction: float | None = typer.Option(
        None,
        min=0,
        max=0.9,
        help="Share held out as `val` if there is no such split (default: the description's, else 0.25).",
    ),
    seed: int = typer.Option(0, help="Decides which images are held out."),
    skip_bad: bool = _SKIP_BAD,
) -> None:
    """List every photograph in a dirmap (CSV), after checking that each can be read.

    Example: `lwise dataset index photos --out dirmap.csv`
    """
    from lwise_core.vision.image_folder import index_image_folder

    described = _described(description)
    with step(f"Checking the photographs in {images}") as on_progress:
        found = index_image_folder(
            images,
            description=described,
            val_fraction=_val_fraction(val_fraction, described),
            seed=seed,
            skip_bad=skip_bad,
            on_progress=on_progress,
        )
    write_dirmap(out, found.rows)
    _say_what_was_skipped(found.skipped)
    say(f"{out}: {len(found.rows)} images of {len(class_names(found.rows))} classes")


@app.command()
def split(
    dirmap: Path = DIRMAP,
    share: list[str] = typer.Option(
        ["train=0.7", "val=0.15", "test=0.15"], "--share", help="SPLIT=SHARE; once per split, together 1."
    ),
    group_column: str | None = typer.Option(
        None, "--group", help="Column whose equal cells stay in one split, e.g. lesion_id."
    ),
    seed: int = typer.Option(0, help="Decides which images come into which split."),
    out: Path = typer.Option(..., "--out", "-o", help="Where to write the new dirmap."),
) -> None:
    """Divide a data set anew: of each class the same shares, and nothing that belongs together in two splits.

    Example: `lwise dataset split dirmap.csv --share train=0.8 --share val=0.2 --group lesion_id --out parted.csv`
    """
    from lwise_core.vision.data.splitting import split_by_class

    shares = _shares(share)
    rows = split_by_class(read_dirmap(dirmap), shares, seed=seed, group_column=group_column)
    write_dirmap(out, rows)
    counts = Counter(row.split for row in rows)
    told = ", ".join(f"{counts[name]} {name}" for name in shares)
    say(f"{out}: {len(rows)} images, {told}")


@app.command()
def stats(
    dirmap: Path = DIRMAP,
    images: Path = IMAGES,
    only: str = typer.Option("train", "--split", help="Split to measure; '' for all."),
    size: int = typer.Option(224, min=1, help="Side of the square images in pixels."),
) -> None:
    """Mean and standard deviation of each colour channel, as a description wants them.

    Example: `lwise dataset stats dirmap.csv --images photos --size 224`
    """
    from lwise_core.vision.data.pixel_statistics import channel_statistics

    rows = [row for row in read_dirmap(dirmap) if not only or row.split == only]
    if not rows:
        raise InputError(f"{dirmap}: has no images in split {only!r}; name another by --split")
    with step(f"Measuring {len(rows)} pictures") as on_progress:
        measured = channel_statistics(images, rows, size=size, on_progress=on_progress)
    for name, values in (("mean", measured.mean), ("std", measured.std)):
        say(f"{name}: [{', '.join(f'{value:.5f}' for value in values)}]")


@app.command()
def build(
    source: Path = typer.Argument(help="A dirmap, or a folder of raw photographs as `lwise dataset index` takes it."),
    images: Path | None = typer.Option(
        None, "--images", help="Folder that the dirmap's im_path starts from (default: where SOURCE is)."
    ),
    description: str | None = _DESCRIPTION,
    classes: list[str] = typer.Option([], "--class", help="Take this class only; may be given several times."),
    containing: list[str] = typer.Option([], help="Take classes with this in their names; several times."),
    take: list[str] = typer.Option(
        [], help="SPLIT=N images of each class, drawn by --seed, or SPLIT for all; several times (default: everything)."
    ),
    recipe: Path | None = typer.Option(
        None, help="CSV of split, class, n: how many images of each class, nothing for all; instead of the above."
    ),
    distribute: bool = typer.Option(
        False, "--distribute", help="Share images out anew over the splits of --take, whatever split they were in."
    ),
    group_column: str | None = typer.Option(
        None, "--group", help="With --distribute: column whose equal cells stay in one split (default: description's)."
    ),
    first_of: str | None = typer.Option(None, help="Column, e.g. lesion_id: take the first image of each only."),
    balance: bool = typer.Option(False, "--balance", help="Fill classes up to the largest by copies, __copy1 …"),
    size: int | None = typer.Option(None, min=1, help="Make square images of this side (default: files as they are)."),
    stored_as: str | None = typer.Option(None, "--format", help="With --size: png, webp (lossless), png16 or jpeg."),
    quality: int | None = typer.Option(None, min=1, max=100, help="Of jpeg (default: 95)."),
    skip_bad: bool = _SKIP_BAD,
    seed: int = typer.Option(0, help="Decides what is taken, copied and held out."),
    out: Path = typer.Option(Path("dataset"), "--out", "-o", help="New folder for images and dirmap.csv."),
) -> None:
    """Make a data set from images of another: some classes, so many images of each, resized.

    May be cut short and run again: it goes on where it stopped.

    Example: `lwise dataset build dirmap.csv --images photos --take train=100 --take val=50 --size 224 --out small`
    """
    from lwise_core.vision.data.build import DIRMAP_FILE, Storage, build_dataset
    from lwise_core.vision.data.recipe import read_recipe
    from lwise_core.vision.data.selection import Selection

    if size is None and (stored_as or quality):
        raise InputError("--format and --quality go with --size; without it the files stay as they are")
    if recipe is not None and (classes or containing or take or distribute):
        raise InputError("--recipe says what is taken; leave out --class, --containing, --take and --distribute")
    if group_column is not None and not distribute:
        raise InputError("--group goes with --distribute; without it every image stays in its split")
    described = _described(description)
    rows, root = _rows_of(source, images, described, seed=seed)
    selection = Selection(
        classes=tuple(classes),
        containing=tuple(containing),
        per_class=_per_class(take),
        recipe=None if recipe is None else read_recipe(recipe),
        distribute=distribute,
        group_column=group_column or (described.group_column if described and distribute else None),
        first_of=first_of,
        balance=balance,
        seed=seed,
    )
    with step(f"Building {out}") as on_progress:
        skipped = build_dataset(
            out,
            images_root=root,
            rows=rows,
            selection=selection,
            storage=Storage(size, stored_as or "png", quality),
            skip_bad=skip_bad,
            on_progress=on_progress,
        )
    _say_what_was_skipped(skipped)
    built = read_dirmap(out / DIRMAP_FILE)
    say(f"{out}: {len(built)} images of {len(class_names(built))} classes")


@app.command()
def describe(name: str | None = typer.Argument(None, help="Of a data set that is known here.")) -> None:
    """Print the description of a data set (YAML), or the names of those that are known.

    Example: `lwise dataset describe ham10000 > mine.yaml`
    """
    from lwise_core.vision.data.description import description_text, known_descriptions, load_dataset_description

    if name is not None:
        typer.echo(description_text(name), nl=False)
        return
    for known in known_descriptions():
        typer.echo(f"{known:12} {load_dataset_description(known).about}")


def _described(name_or_path: str | None) -> DatasetDescription | None:
    from lwise_core.vision.data.description import load_dataset_description

    return None if name_or_path is None else load_dataset_description(name_or_path)


def _val_fraction(given: float | None, description: DatasetDescription | None) -> float:
    if given is not None:
        return given
    return 0.25 if description is None else description.val_fraction


def _rows_of(
    source: Path, images: Path | None, description: DatasetDescription | None, *, seed: int
) -> tuple[list[DirmapRow], Path]:
    """Rows of a dirmap or of a raw folder, which is not decoded here, and the folder that they start from."""
    from lwise_core.vision.data.listing import list_images
    from lwise_core.vision.image_folder import with_validation

    if not source.is_dir():
        if description is not None:
            raise InputError(f"--description goes with a folder of raw photographs; {source} is none")
        return read_dirmap(source), images or source.parent
    if images is not None:
        raise InputError(f"--images goes with a dirmap; {source} is a folder, where its images are")
    fraction, column = _val_fraction(None, description), None if description is None else description.group_column
    return with_validation(list_images(source, description), fraction, seed=seed, group_column=column), source


def _shares(told: list[str]) -> dict[str, float]:
    shares = {}
    for text in told:
        name, _, share = text.partition("=")
        try:
            shares[name] = float(share)
        except ValueError:
            raise InputError(f"--share is {text!r}; expected SPLIT=SHARE, e.g. train=0.7") from None
    return shares


def _per_class(told: list[str]) -> dict[str, int | None] | None:
    wanted: dict[str, int | None] = {}
    for text in told:
        name, equals, n = text.partition("=")
        if not name or (equals and (not n.isdecimal() or int(n) == 0)):
            raise InputError(f"--take is {text!r}; expected SPLIT=N, e.g. train=100, or SPLIT for all of it")
        wanted[name] = int(n) if equals else None
    return wanted or None


def _say_what_was_skipped(skipped: list[str]) -> None:
    for why in skipped:
        warn(f"skipped: {why}")

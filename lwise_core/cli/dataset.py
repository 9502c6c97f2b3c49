"""`lwise dataset`: list, split and describe data sets, and build new ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lwise_core.cli.image_options import DIRMAP, IMAGES
from lwise_core.cli.progress import say, step, warn
from lwise_core.cli.setting_options import choose_settings, with_settings
from lwise_core.dirmap import DirmapRow, class_names, read_dirmap, write_dirmap
from lwise_core.errors import InputError
from lwise_core.vision.data.settings import BuildConfig

if TYPE_CHECKING:
    from lwise_core.vision.data.description import DatasetDescription
    from lwise_core.vision.data.selection import Selection

app = typer.Typer(help="Data sets: list, split, measure, build.", no_args_is_help=True)

_DESCRIPTION = typer.Option(
    None,
    "--description",
    "-d",
    help="Description of the data set: a name from `lwise dataset describe`, or a .yaml file.",
)
_SKIP_BAD = typer.Option(False, "--skip-bad", help="Skip unreadable images instead of stopping.")


@app.command()
def index(
    images: Path = typer.Argument(help="Folder of images, IMAGES/<class>/* or IMAGES/<split>/<class>/*."),
    out: Path = typer.Option(Path("dirmap.csv"), "--out", "-o", help="Where to write the dirmap."),
    description: str | None = _DESCRIPTION,
    val_fraction: float | None = typer.Option(
        None,
        min=0,
        max=0.9,
        help="Share held out as `val` if there is no such split (default: the description's, else 0.25).",
    ),
    seed: int = typer.Option(0, help="Seed for the held-out images."),
    skip_bad: bool = _SKIP_BAD,
) -> None:
    """List all images of a folder in a dirmap (CSV), after checking that each can be read.

    Example: `lwise dataset index photos --out dirmap.csv`
    """
    from lwise_core.vision.image_folder import index_image_folder

    data_set = _description(description)
    with step(f"Checking the images in {images}") as on_progress:
        listing = index_image_folder(
            images,
            description=data_set,
            val_fraction=_val_fraction(val_fraction, data_set),
            seed=seed,
            skip_bad=skip_bad,
            on_progress=on_progress,
        )
    write_dirmap(out, listing.rows)
    _print_skipped(listing.skipped)
    say(f"{out}: {len(listing.rows)} images of {len(class_names(listing.rows))} classes")


@app.command()
def split(
    dirmap: Path = DIRMAP,
    share: list[str] = typer.Option(
        ["train=0.7", "val=0.15", "test=0.15"], "--share", help="SPLIT=SHARE, once per split; they sum to 1."
    ),
    group_column: str | None = typer.Option(
        None, "--group", help="Column whose equal cells stay in one split, e.g. lesion_id."
    ),
    seed: int = typer.Option(0, help="Seed for the assignment to splits."),
    out: Path = typer.Option(..., "--out", "-o", help="Where to write the new dirmap."),
) -> None:
    """Split a data set with the same shares in each class, keeping groups of images in one split.

    Example: `lwise dataset split dirmap.csv --share train=0.8 --share val=0.2 --group lesion_id --out split.csv`
    """
    from lwise_core.vision.data.splitting import split_by_class

    shares = _shares(share)
    rows = split_by_class(read_dirmap(dirmap), shares, seed=seed, group_column=group_column)
    write_dirmap(out, rows)
    counts = Counter(row.split for row in rows)
    sizes = ", ".join(f"{counts[name]} {name}" for name in shares)
    say(f"{out}: {len(rows)} images, {sizes}")


@app.command()
def stats(
    dirmap: Path = DIRMAP,
    images: Path = IMAGES,
    only: str = typer.Option("train", "--split", help="Split to measure; '' for all."),
    size: int = typer.Option(224, min=1, help="Side of the square images in pixels."),
) -> None:
    """Print the mean and standard deviation of each colour channel, for a description.

    Example: `lwise dataset stats dirmap.csv --images photos --size 224`
    """
    from lwise_core.vision.data.pixel_statistics import channel_statistics

    rows = [row for row in read_dirmap(dirmap) if not only or row.split == only]
    if not rows:
        raise InputError(f"{dirmap}: has no images in split {only!r}; choose another with --split")
    with step(f"Measuring {len(rows)} images") as on_progress:
        statistics = channel_statistics(images, rows, size=size, on_progress=on_progress)
    for name, values in (("mean", statistics.mean), ("std", statistics.std)):
        say(f"{name}: [{', '.join(f'{value:.5f}' for value in values)}]")


@app.command()
@with_settings(BuildConfig)
def build(
    source: Path = typer.Argument(help="A dirmap, or a folder of images as for `lwise dataset index`."),
    images: Path | None = typer.Option(
        None, "--images", help="Folder to which the dirmap's im_path is relative (default: that of SOURCE)."
    ),
    description: str | None = _DESCRIPTION,
    out: Path = typer.Option(Path("dataset"), "--out", "-o", help="New folder for images and dirmap.csv."),
    **options: Any,
) -> None:
    """Build a data set from images of another: a choice of classes and number of images, resized.

    If interrupted, run it again to resume.

    Example: `lwise dataset build dirmap.csv --images photos --take train=100 --take val=50 --size 224 --out small`
    """
    config = choose_settings(BuildConfig, options, command="lwise dataset build")
    from lwise_core.file_names import DIRMAP_FILE
    from lwise_core.vision.data.build import Storage, build_dataset

    _check_combinations(config)
    data_set = _description(description)
    rows, root = _source_rows(source, images, data_set, seed=config.seed)
    selection = _selection(config, data_set)
    with step(f"Building {out}") as on_progress:
        skipped = build_dataset(
            out,
            images_root=root,
            rows=rows,
            selection=selection,
            storage=Storage(config.size, config.format or "png", config.quality),
            skip_bad=config.skip_bad,
            on_progress=on_progress,
        )
    _print_skipped(skipped)
    built = read_dirmap(out / DIRMAP_FILE)
    say(f"{out}: {len(built)} images of {len(class_names(built))} classes")


@app.command()
def describe(name: str | None = typer.Argument(None, help="Name of a known data set.")) -> None:
    """Print the description of a data set (YAML), or the names of the known ones.

    Example: `lwise dataset describe ham10000 > mine.yaml`
    """
    from lwise_core.vision.data.description import description_text, known_descriptions, load_dataset_description

    if name is not None:
        typer.echo(description_text(name), nl=False)
        return
    for known in known_descriptions():
        typer.echo(f"{known:12} {load_dataset_description(known).about}")


def _check_combinations(config: BuildConfig) -> None:
    if config.size is None and (config.format or config.quality):
        raise InputError("--format and --quality need --size; without it, files are copied")
    if config.recipe is not None and (config.classes or config.containing or config.take or config.distribute):
        raise InputError("--recipe replaces --class, --containing, --take and --distribute; drop them")
    if config.group_column is not None and not config.distribute:
        raise InputError("--group needs --distribute; without it, every image stays in its split")


def _selection(config: BuildConfig, data_set: DatasetDescription | None) -> Selection:
    from lwise_core.vision.data.recipe import read_recipe
    from lwise_core.vision.data.selection import Selection

    return Selection(
        classes=config.classes,
        containing=config.containing,
        per_class=_per_class(config.take),
        recipe=None if config.recipe is None else read_recipe(config.recipe),
        distribute=config.distribute,
        group_column=config.group_column or (data_set.group_column if data_set and config.distribute else None),
        first_of=config.first_of,
        balance=config.balance,
        seed=config.seed,
    )


def _description(name_or_path: str | None) -> DatasetDescription | None:
    from lwise_core.vision.data.description import load_dataset_description

    return None if name_or_path is None else load_dataset_description(name_or_path)


def _val_fraction(fraction: float | None, description: DatasetDescription | None) -> float:
    if fraction is not None:
        return fraction
    return 0.25 if description is None else description.val_fraction


def _source_rows(
    source: Path, images: Path | None, description: DatasetDescription | None, *, seed: int
) -> tuple[list[DirmapRow], Path]:
    """Rows of a dirmap or of an image folder, and the folder to which they are relative."""
    from lwise_core.vision.data.listing import list_images
    from lwise_core.vision.image_folder import with_validation

    if not source.is_dir():
        if description is not None:
            raise InputError(f"--description needs a folder of images; {source} is not a folder")
        return read_dirmap(source), images or source.parent
    if images is not None:
        raise InputError(f"--images needs a dirmap; {source} is a folder of images")
    fraction, column = _val_fraction(None, description), None if description is None else description.group_column
    return with_validation(list_images(source, description), fraction, seed=seed, group_column=column), source


def _shares(texts: list[str]) -> dict[str, float]:
    shares = {}
    for text in texts:
        name, _, share = text.partition("=")
        try:
            shares[name] = float(share)
        except ValueError:
            raise InputError(f"--share is {text!r}; expected SPLIT=SHARE, e.g. train=0.7") from None
    return shares


def _per_class(texts: Sequence[str]) -> dict[str, int | None] | None:
    counts: dict[str, int | None] = {}
    for text in texts:
        name, equals, n = text.partition("=")
        if not name or (equals and (not n.isdecimal() or int(n) == 0)):
            raise InputError(f"--take is {text!r}; expected SPLIT=N, e.g. train=100, or SPLIT for all")
        counts[name] = int(n) if equals else None
    return counts or None


def _print_skipped(skipped: list[str]) -> None:
    for problem in skipped:
        warn(f"skipped: {problem}")

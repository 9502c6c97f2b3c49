"""`lwise dataset`: from folders of photographs to a dirmap."""

from __future__ import annotations

from pathlib import Path

import typer

from lwise_core.cli.progress import console, step
from lwise_core.dirmap import class_names, write_dirmap

app = typer.Typer(help="Data sets: list the photographs of a folder.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass


@app.command()
def index(
    images: Path = typer.Argument(help="Folder of photographs, IMAGES/<class>/* or IMAGES/<split>/<class>/*."),
    out: Path = typer.Option(Path("dirmap.csv"), "--out", "-o", help="Where to write the dirmap."),
    val_fraction: float = typer.Option(
        0.25, min=0.01, max=0.9, help="Share held out as `val` if there is no such split."
    ),
    seed: int = typer.Option(0, help="Decides which images are held out."),
) -> None:
    """List every photograph in a dirmap (CSV), after checking that each can be read.

    Example: `lwise dataset index photos --out dirmap.csv`
    """
    from lwise_core.vision.image_folder import index_image_folder

    with step(f"Checking the photographs in {images}") as on_progress:
        found = index_image_folder(images, val_fraction=val_fraction, seed=seed, on_progress=on_progress)
    write_dirmap(out, found.rows)
    console.print(f"{out}: {len(found.rows)} images of {len(class_names(found.rows))} classes", markup=False)

"""`lwise look`: pictures of what an enhancement changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import typer

from lwise_core.cli.progress import say, step
from lwise_core.errors import InputError


def look(
    natural: Path = typer.Argument(help="The folder of the variant `natural`."),
    variants: list[Path] = typer.Argument(help="Folders of the variants to compare with it, the columns of the sheet."),
    image: list[str] = typer.Option(
        [], "--image", help="Path of a picture inside the variants; once per picture (default: -n of them)."
    ),
    n: int = typer.Option(4, "-n", min=1, help="How many pictures, spread over the variant."),
    out: Path = typer.Option(Path("look"), "--out", "-o", help="New folder for what is drawn."),
) -> None:
    """Draw what was changed: differences, heat maps, overlays, an animation per picture, and one sheet of all.

    Example: `lwise look variants/natural variants/eps4 variants/eps1 -n 3 --out look`
    """
    from lwise_core import atomic_files
    from lwise_core.vision.comparison import SHEET, Compared, write_comparison

    names = [variant.resolve().name for variant in variants]
    if len(set(names)) < len(names):
        raise InputError(f"the variants are called {', '.join(names)}; expected a name each")
    compared = [
        Compared(
            name=str(PurePosixPath(path).with_suffix("")).replace("/", "_"),
            natural=natural / path,
            variants={name: variant / path for name, variant in zip(names, variants, strict=True)},
        )
        for path in (image or _spread(natural, n))
    ]
    with atomic_files.new_folder(out) as folder, step(f"Drawing {len(compared)} pictures") as on_progress:
        write_comparison(folder, compared, on_progress=on_progress)
    say(f"{out}: {SHEET}, and a folder per picture")


def _spread(natural: Path, n: int) -> Sequence[str]:
    """Up to `n` pictures of a folder, evenly from the first to the last, so that all classes have a chance."""
    found = sorted(_pictures(natural))
    if not found:
        raise InputError(f"{natural}: holds no pictures; expected the folder of a variant")
    n_shown = min(n, len(found))
    return [found[number * len(found) // n_shown] for number in range(n_shown)]


def _pictures(folder: Path) -> Iterator[str]:
    from lwise_core.vision.images import IMAGE_SUFFIXES

    for path in folder.rglob("*"):
        if path.suffix.lower() in IMAGE_SUFFIXES:
            yield path.relative_to(folder).as_posix()

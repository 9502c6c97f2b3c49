"""`lwise look`: draw what an enhancement changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import typer

from lwise_core.cli.progress import say, step
from lwise_core.errors import InputError


def look(
    natural: Path = typer.Argument(help="The folder of the variant `natural`."),
    variants: list[Path] = typer.Argument(help="Folders of the variants to compare, one column of the sheet each."),
    image: list[str] = typer.Option(
        [], "--image", help="Path of an image inside the variants; once per image (default: -n images)."
    ),
    n: int = typer.Option(4, "-n", min=1, help="Number of images, spread over the variant."),
    out: Path = typer.Option(Path("look"), "--out", "-o", help="New folder for the drawings."),
) -> None:
    """Draw the changes: differences, heat maps, overlays, an animation per image, and a contact sheet.

    Example: `lwise look variants/natural variants/eps4 variants/eps1 -n 3 --out look`
    """
    from lwise_core import atomic_files
    from lwise_core.vision.comparison import SHEET, Compared, write_comparison

    names = [variant.resolve().name for variant in variants]
    if len(set(names)) < len(names):
        raise InputError(f"the variants are named {', '.join(names)}; expected different names")
    compared = [
        Compared(
            name=str(PurePosixPath(path).with_suffix("")).replace("/", "_"),
            natural=natural / path,
            variants={name: variant / path for name, variant in zip(names, variants, strict=True)},
        )
        for path in (image or _spread(natural, n))
    ]
    with atomic_files.new_folder(out) as folder, step(f"Drawing {len(compared)} images") as on_progress:
        write_comparison(folder, compared, on_progress=on_progress)
    say(f"{out}: {SHEET}, and a folder per image")


def _spread(natural: Path, n: int) -> Sequence[str]:
    """Up to `n` images of a folder, evenly spaced, so that they are of different classes."""
    images = sorted(_images(natural))
    if not images:
        raise InputError(f"{natural}: holds no images; expected the folder of a variant")
    n_spread = min(n, len(images))
    return [images[number * len(images) // n_spread] for number in range(n_spread)]


def _images(folder: Path) -> Iterator[str]:
    from lwise_core.vision.images import IMAGE_SUFFIXES

    for path in folder.rglob("*"):
        if path.suffix.lower() in IMAGE_SUFFIXES:
            yield path.relative_to(folder).as_posix()

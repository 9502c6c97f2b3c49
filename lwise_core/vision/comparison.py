"""Write drawings of how images differ between variants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lwise_core.errors import InputError
from lwise_core.progress import OnProgress
from lwise_core.vision.encoding import read_8_bits
from lwise_core.vision.images import Pixels, problem_with, save_png
from lwise_core.vision.visualisation import (
    Captioned,
    animation,
    contact_sheet,
    difference,
    full_swing,
    heat_map,
    overlay,
)

SHEET = "sheet.png"


@dataclass(frozen=True)
class Compared:
    """An image in the natural variant, and in others.

    Attributes
    ----------
    name : of the folder for what is drawn of it.
    """

    name: str
    natural: Path
    variants: Mapping[str, Path]


def write_comparison(folder: Path, compared: Sequence[Compared], *, on_progress: OnProgress | None = None) -> None:
    """Write `sheet.png`, with a row per image, and a folder per image.

    Each folder has `animation.gif`, which shows the natural image and all variants, and a difference, a heat map and an
    overlay per variant.

    All drawings of an image have the same scale, that of its most changed variant.

    Raises
    ------
    InputError
        If an image is missing, damaged, or of another size than the natural one.
    """
    rows = []
    for done, one in enumerate(compared, start=1):
        natural = _read_stored(one.natural)
        variants = {name: _check_size(_read_stored(path), natural, path) for name, path in one.variants.items()}
        swing = full_swing(natural, list(variants.values()))
        image_folder = folder / one.name
        image_folder.mkdir(parents=True)
        for name, image in variants.items():
            save_png(image_folder / f"{name}_difference.png", difference(natural, image, swing=swing))
            save_png(image_folder / f"{name}_heat.png", heat_map(natural, image, swing=swing))
            save_png(image_folder / f"{name}_overlay.png", overlay(natural, image, swing=swing))
        row = [Captioned("natural", natural), *(Captioned(name, image) for name, image in variants.items())]
        (image_folder / "animation.gif").write_bytes(animation(row))
        rows.append(row)
        if on_progress:
            on_progress(done, len(compared))
    save_png(folder / SHEET, contact_sheet(rows))


def _read_stored(path: Path) -> Pixels:
    """A stored image, without resizing."""
    if not path.is_file():
        raise InputError(f"{path}: no such image; expected a file of the variant")
    problem, _ = problem_with(path)
    if problem is not None:
        raise InputError(problem)
    return read_8_bits(path.read_bytes())


def _check_size(image: Pixels, natural: Pixels, path: Path) -> Pixels:
    if image.shape != natural.shape:
        (_, height, width), (_, natural_height, natural_width) = image.shape, natural.shape
        raise InputError(
            f"{path}: {width} x {height} pixels, the natural image {natural_width} x {natural_height}; expected "
            "variants of one run"
        )
    return image

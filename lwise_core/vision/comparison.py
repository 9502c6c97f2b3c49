"""Writes what `pictures` draws of some images and their variants, as files to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lwise_core.errors import InputError
from lwise_core.progress import OnProgress
from lwise_core.vision.encoding import read_8_bits
from lwise_core.vision.images import Pixels, problem_with, save_png
from lwise_core.vision.pictures import (
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
    """An image as it is, and the same in each variant.

    Attributes
    ----------
    name : of the folder for what is drawn of it.
    """

    name: str
    natural: Path
    variants: Mapping[str, Path]


def write_comparison(folder: Path, compared: Sequence[Compared], *, on_progress: OnProgress | None = None) -> None:
    """Write `sheet.png`, a row per image, and of each image a folder with a difference, a heat map and an overlay per
    variant and `animation.gif`, from the natural picture through all variants.

    All drawings of one image have one scale, that of its most changed variant.

    Raises
    ------
    InputError
        If a picture is missing, damaged, or of another size than the natural one.
    """
    rows = []
    for done, one in enumerate(compared, start=1):
        natural = _shown(one.natural)
        variants = {name: _same_size(_shown(path), natural, path) for name, path in one.variants.items()}
        swing = full_swing(natural, list(variants.values()))
        of_image = folder / one.name
        of_image.mkdir(parents=True)
        for name, picture in variants.items():
            save_png(of_image / f"{name}_difference.png", difference(natural, picture, swing=swing))
            save_png(of_image / f"{name}_heat.png", heat_map(natural, picture, swing=swing))
            save_png(of_image / f"{name}_overlay.png", overlay(natural, picture, swing=swing))
        row = [Captioned("natural", natural), *(Captioned(name, picture) for name, picture in variants.items())]
        (of_image / "animation.gif").write_bytes(animation(row))
        rows.append(row)
        if on_progress:
            on_progress(done, len(compared))
    save_png(folder / SHEET, contact_sheet(rows))


def _shown(path: Path) -> Pixels:
    """A stored picture, pixel by pixel: it is not brought to another size."""
    if not path.is_file():
        raise InputError(f"{path}: no such picture; expected a file of the variant")
    problem, _ = problem_with(path)
    if problem is not None:
        raise InputError(problem)
    return read_8_bits(path.read_bytes())


def _same_size(picture: Pixels, natural: Pixels, path: Path) -> Pixels:
    if picture.shape != natural.shape:
        (_, height, width), (_, natural_height, natural_width) = picture.shape, natural.shape
        raise InputError(
            f"{path}: {width} x {height} pixels, the natural picture {natural_width} x {natural_height}; expected "
            "variants of one run"
        )
    return picture

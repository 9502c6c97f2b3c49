"""Draws the pictures of this study and lists them in dirmap.csv: `python experiment_site/experiments/moths_0/draw.py`.

The pictures are kept with the study, so that everybody has the same bytes and putting the study online needs neither
NumPy nor Pillow; this script says how they came about. Every moth is drawn three times, on the same ground, in the same
pose and light: as it is, and with its traits moved away from the average of all species, half or all the way that its
species' mean lies from it. Such an exaggeration is a caricature (Rhodes, Brennan & Carey 1987,
https://doi.org/10.1016/0010-0285(87)90016-8). It knows the traits that the moth was drawn from; no network is asked.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from lwise_core.dirmap import DirmapRow, write_dirmap
from lwise_core.simulation.moths import SPECIES, Moth, draw_moth, sample_moths

VARIANTS = {"natural": 0.0, "caricature_half": 0.5, "caricature_full": 1.0}
"""Folder of pictures: how far the traits are moved, in lengths of the species' mean."""

SEED = 0
SIDE = 128
"""In px, of the square pictures."""

_PER_SPECIES = {"train": 10, "val": 5}
_JPEG_QUALITY = 80
"""180 pictures in 0.8 MB; lossless they would take 5.5 MB."""

_CLASSES = {species.name: number for number, species in enumerate(SPECIES)}
_MEANS = {species.name: species.mean for species in SPECIES}


def moths() -> Sequence[Moth]:
    """The study's individuals."""
    return sample_moths(n_per_species=_PER_SPECIES, seed=SEED)


def picture_path(moth: Moth) -> str:
    """Of the moth's picture, inside any variant."""
    return PurePosixPath(moth.path).with_suffix(".jpg").as_posix()


def exaggerated(moth: Moth, strength: float) -> Moth:
    """The moth with its traits moved away from the average of all species, which is 0 on every trait."""
    mean = _MEANS[moth.species]
    return replace(moth, traits=tuple(trait + strength * m for trait, m in zip(moth.traits, mean, strict=True)))


def dirmap_rows() -> list[DirmapRow]:
    """One row per moth; its difficulty is how likely an observer who knows the traits takes it for another species."""
    return [
        DirmapRow(
            split=moth.split,
            class_name=moth.species,
            class_num=_CLASSES[moth.species],
            im_path=picture_path(moth),
            extra={"difficulty": f"{moth.ambiguity:.6f}"},
        )
        for moth in moths()
    ]


def main() -> None:
    """Draw everything anew."""
    folder = Path(__file__).parent
    shutil.rmtree(folder / "variants", ignore_errors=True)
    for variant, strength in VARIANTS.items():
        for moth in moths():
            file = folder / "variants" / variant / picture_path(moth)
            file.parent.mkdir(parents=True, exist_ok=True)
            draw_moth(exaggerated(moth, strength), size=SIDE, seed=SEED).save(file, quality=_JPEG_QUALITY)
    write_dirmap(folder / "dirmap.csv", dirmap_rows())


if __name__ == "__main__":
    main()

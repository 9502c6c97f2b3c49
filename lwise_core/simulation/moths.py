"""Drawn moths of four look-alike species with known ambiguity; the demo's data set.

Three continuous traits distinguish the species: the hue of the wings (ochre to grey-rose), the breadth of
their dark band and the size of their eyespots. Within a species each trait is Gaussian with unit standard
deviation; the species' means are the corners of a regular tetrahedron, so that no single trait suffices and
all pairs are equally similar. An observer who knew the traits exactly would classify 0.893 of the moths correctly
(Monte Carlo, n = 400,000), the best possible accuracy. Pose, background, light and everything else in an image are
independent of species and traits.

The species are invented. The module knows nothing of data sets, models or studies.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from lwise_core import atomic_files
from lwise_core.keyed_random import key_digest

Floats = NDArray[np.floating]
Colour = tuple[float, float, float]
"""Red, green, blue in [0, 1], sRGB."""

TRAITS = ("hue", "band", "spot")
_MEAN = 1.2
"""Distance of every species' mean from 0 on every trait, in within-species standard deviations."""


@dataclass(frozen=True)
class Species:
    """A species and the mean of its traits (order of `TRAITS`, unit within-species standard deviation)."""

    name: str
    mean: tuple[float, float, float]


SPECIES = (
    Species("idaea_ajax", (-_MEAN, _MEAN, _MEAN)),
    Species("idaea_eris", (_MEAN, -_MEAN, _MEAN)),
    Species("idaea_leda", (_MEAN, _MEAN, -_MEAN)),
    Species("idaea_tyro", (-_MEAN, -_MEAN, -_MEAN)),
)

_SUPERSAMPLING = 2
"""Factor along each side. Outlines are antialiased already; this smooths the seam between the wings."""
_BASE_COLOURS: tuple[Colour, Colour] = ((0.89, 0.67, 0.30), (0.64, 0.50, 0.59))
"""Wing colours at the lowest and the highest hue: ochre, grey-rose."""
_BAND_HALF_WIDTHS = (0.008, 0.150)
"""Half widths of the dark band at the lowest and the highest trait; 1 is the distance from wing base to margin."""
_SPOT_RADII = (0.016, 0.135)
"""Radii of the forewing's eyespot at the lowest and the highest trait, in forewing lengths."""
_SATURATION = 2.2
"""Standard deviations at which a trait is tanh(1) = 0.76 of the way to its visible extreme."""
_BACKGROUNDS: dict[str, tuple[Colour, Colour]] = {
    "bark": ((0.27, 0.21, 0.17), (0.50, 0.43, 0.36)),
    "stone": ((0.40, 0.42, 0.45), (0.62, 0.63, 0.64)),
    "leaf": ((0.22, 0.30, 0.18), (0.44, 0.52, 0.33)),
    "paper": ((0.84, 0.81, 0.74), (0.94, 0.92, 0.87)),
}
"""The darkest and the lightest colour of each background."""
_DARK: Colour = (0.17, 0.11, 0.10)
_CREAM: Colour = (0.98, 0.94, 0.84)


@dataclass(frozen=True)
class Moth:
    """One individual.

    Attributes
    ----------
    traits : in the order of `TRAITS`, standard deviations.
    ambiguity : 1 - P(species | traits) with equally frequent species; near 1 it looks like another species.
    """

    species: str
    split: str
    index: int
    traits: tuple[float, ...]
    ambiguity: float

    @property
    def path(self) -> str:
        """POSIX path of the image, relative to the data set's root."""
        return f"{self.split}/{self.species}/{self.index:04d}.png"


@dataclass(frozen=True)
class _Wings:
    """The wings' pixels, one entry each.

    Attributes
    ----------
    pixels : indices into the flattened supersampled image.
    fore : forewing, else hindwing.
    along : 0 at the wing's base, 1 at its outer margin.
    across : 0 at the wing's hind edge, 1 at its front edge.
    x, y : in the moth's frame.
    shade : 1, or less on the hindwing below the forewing.
    """

    pixels: NDArray[np.intp]
    coverage: Floats
    fore: NDArray[np.bool_]
    along: Floats
    across: Floats
    x: Floats
    y: Floats
    shade: Floats


def write_moths(
    root: Path,
    *,
    n_per_species: Mapping[str, int],
    seed: int,
    size: int = 96,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Draw moths as `root/<split>/<species>/<index>.png` and list them in `root/ambiguity.csv`.

    The images are `size` × `size` px; the same seed gives the same bytes under the same NumPy and Pillow.
    `on_progress` gets (images drawn, images in all). `root`, which is returned, appears
    complete or not at all.

    Raises
    ------
    InputError
        If `root` exists (what is there is left alone) or cannot be written.
    """
    moths = sample_moths(n_per_species=n_per_species, seed=seed)
    with atomic_files.new_folder(root) as folder:
        for n_drawn, moth in enumerate(moths, start=1):
            file = folder / moth.path
            file.parent.mkdir(parents=True, exist_ok=True)
            draw_moth(moth, size=size, seed=seed).save(file)
            if on_progress is not None:
                on_progress(n_drawn, len(moths))
        (folder / "ambiguity.csv").write_bytes(_table(moths).encode())
    return root


def sample_moths(*, n_per_species: Mapping[str, int], seed: int) -> list[Moth]:
    """Individuals 0 … n-1 of every species in every split, sorted by split, species and index.

    An individual depends on the seed, its split, species and index alone, not on how many are asked for.

    Raises
    ------
    ValueError
        If a split has no moths or a name that is not a plain lower-case word.
    """
    for split, n in n_per_species.items():
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", split):
            raise ValueError(f"split {split!r}: expected lower-case letters, digits, - and _")
        if n < 1:
            raise ValueError(f"split {split!r}: {n} moths per species; expected at least 1")
    return [
        _individual(species, split, index, seed)
        for split in sorted(n_per_species)
        for species in SPECIES
        for index in range(n_per_species[split])
    ]


def draw_moth(moth: Moth, *, size: int = 96, seed: int) -> Image.Image:
    """Draw the moth from above, wings spread; RGB, `size` × `size` px. Other sizes show the same scene."""
    rng = _generator(seed, "picture", moth.split, moth.species, moth.index)
    light_angle = rng.uniform(0, 2 * math.pi)
    light = np.array([math.cos(light_angle), math.sin(light_angle)], dtype=np.float32)
    ground = _background(rng, size)
    x, y, pixel = _moth_frame(rng, size * _SUPERSAMPLING)
    layer = np.zeros((4, x.size), dtype=np.float32)  # premultiplied red, green, blue; coverage
    wing_colour = _wing_colour(moth.traits[0], rng)
    _draw_antennae(layer, x, y, pixel)
    wings = _wings(rng, x, y, pixel)
    _lay(layer, wings.pixels, _pattern(rng, wings, wing_colour, moth.traits, light), wings.coverage)
    _draw_body(layer, rng, x, y, pixel, wing_colour)
    side = size * _SUPERSAMPLING
    small = layer.reshape(4, side // _SUPERSAMPLING, _SUPERSAMPLING, -1, _SUPERSAMPLING).mean(axis=(2, 4))
    image = ground * (1 - _shadow(small[3], light)) * (1 - small[3]) + small[:3]
    image = _lit(rng, image, light)
    return Image.fromarray((image.clip(0, 1) * 255 + 0.5).astype(np.uint8).transpose(1, 2, 0))


def _table(moths: list[Moth]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["split", "class", "im_path", *TRAITS, "ambiguity"])
    for moth in moths:
        numbers = (f"{number:.6f}" for number in (*moth.traits, moth.ambiguity))
        writer.writerow([moth.split, moth.species, moth.path, *numbers])
    return text.getvalue()


def _generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """Independent random numbers for every purpose."""
    return np.random.default_rng(np.random.SeedSequence(int.from_bytes(key_digest(seed, *purpose)[:16])))


def _individual(species: Species, split: str, index: int, seed: int) -> Moth:
    noise = _generator(seed, "traits", split, species.name, index).standard_normal(len(TRAITS))
    traits = tuple(float(mean + deviation) for mean, deviation in zip(species.mean, noise, strict=True))
    likelihoods = {other.name: math.exp(-(math.dist(traits, other.mean) ** 2) / 2) for other in SPECIES}
    others = sum(likelihood for name, likelihood in likelihoods.items() if name != species.name)
    return Moth(species.name, split, index, traits, others / (others + likelihoods[species.name]))


def _visible(trait: float, ends: tuple[float, float]) -> float:
    """Map a trait to its visible range; steepest where species meet, saturating at the ends."""
    return ends[0] + (ends[1] - ends[0]) * (1 + math.tanh(trait / _SATURATION)) / 2


def _noise(rng: np.random.Generator, size: int, columns: int, rows: int) -> Floats:
    """Smooth noise, (size, size), about unit variance, with `columns` × `rows` bumps whatever the size."""
    lattice = Image.fromarray(rng.standard_normal((rows, columns), dtype=np.float32))
    return np.asarray(lattice.resize((size, size), Image.Resampling.BICUBIC))


def _background(rng: np.random.Generator, size: int) -> Floats:
    """Bark, stone, leaf or paper, (3, size, size)."""
    kind = str(rng.choice(list(_BACKGROUNDS)))
    columns, rows = {"bark": (26, 5), "stone": (14, 14), "leaf": (7, 7), "paper": (9, 9)}[kind]
    if rng.random() < 0.5:
        columns, rows = rows, columns
    relief = 0.6 * _noise(rng, size, 3, 3) + 0.6 * _noise(rng, size, columns, rows)
    relief += 0.3 * _noise(rng, size, 3 * columns, 3 * rows)
    if kind == "leaf":
        relief += 0.9 * _leaf_veins(rng, size)
    mix = 1 / (1 + np.exp(-1.3 * relief))
    dark, bright = (np.array(end, dtype=np.float32)[:, None, None] for end in _BACKGROUNDS[kind])
    grain = 0.018 * _noise(rng, size, 128, 128)
    return (dark + (bright - dark) * mix) * rng.uniform(0.92, 1.08) + grain


def _leaf_veins(rng: np.random.Generator, size: int) -> Floats:
    """A midrib across the image and side veins that leave it at an angle; 0 off the veins, 1 on them."""
    angle, offset = rng.uniform(0, 2 * math.pi), rng.uniform(-0.6, 0.6)
    line = np.linspace(-1, 1, size, dtype=np.float32)
    along = math.cos(angle) * line[None, :] + math.sin(angle) * line[:, None]
    away = np.abs(-math.sin(angle) * line[None, :] + math.cos(angle) * line[:, None] + offset)
    side_veins = np.abs(np.sin(5.5 * (along - 0.7 * away)))
    return np.maximum(np.exp(-((away / 0.03) ** 2)), 0.7 * np.exp(-((side_veins / 0.12) ** 2)))


def _moth_frame(rng: np.random.Generator, side: int) -> tuple[Floats, Floats, float]:
    """x (rightwards) and y (towards the head) of each pixel, flat, and a pixel's breadth in the moth's frame.

    Its unit is the forewing's length and the thorax is at 0, 0.
    """
    angle = math.radians(rng.uniform(-20, 20))
    scale = rng.uniform(0.80, 0.92)
    shift_x, shift_y = rng.uniform(-0.05, 0.05, 2).tolist()
    line = ((np.arange(side, dtype=np.float32) + 0.5) * 2 / side - 1) / scale
    right, up = (line - shift_x)[None, :], -(line - shift_y)[:, None]
    x = math.cos(angle) * right + math.sin(angle) * up
    y = -math.sin(angle) * right + math.cos(angle) * up
    return x.ravel(), y.ravel(), 2 / side / scale


def _smooth_min(a: Floats, b: Floats, radius: float) -> Floats:
    """Smooth minimum of two distances."""
    overlap = np.maximum(radius - np.abs(a - b), 0) / radius
    return np.minimum(a, b) - overlap * overlap * radius / 4


def _wings(rng: np.random.Generator, x: Floats, y: Floats, pixel: float) -> _Wings:
    """Both pairs of wings, in polar coordinates about their bases: veins are rays, bands are arcs."""
    length, fullness = rng.normal(1, 0.02), rng.normal(0, 0.02)

    def fore_radius(t: Floats) -> Floats:
        radius: Floats = 0.72 + 0.28 * t**1.4 + (0.10 + fullness) * np.sin(math.pi * t)
        return length * radius

    def hind_radius(t: Floats) -> Floats:
        lobe = np.sin(math.pi * np.minimum(1.35 * t, 1)) ** 2
        radius: Floats = 0.57 + 0.10 * t + (0.14 + fullness) * lobe + 0.008 * np.cos(18 * math.pi * t)
        return length * radius

    outwards = np.abs(x) - 0.02
    fore_inside, *fore_place = _wing(outwards, y - 0.09, (-0.20, 0.60), fore_radius)
    hind_inside, *hind_place = _wing(outwards, y - 0.03, (-1.40, 0.42), hind_radius)
    fore_coverage, hind_coverage = (np.clip(d / pixel + 0.5, 0, 1) for d in (fore_inside, hind_inside))
    coverage = np.maximum(fore_coverage, hind_coverage)
    pixels = np.flatnonzero(coverage)
    fore = (fore_coverage > 0.5)[pixels] | (hind_coverage == 0)[pixels]
    places = zip(fore_place, hind_place, strict=True)
    along, across = (np.where(fore, on_fore[pixels], on_hind[pixels]) for on_fore, on_hind in places)
    shade = np.where(fore, 1, 1 - 0.45 * np.exp(np.minimum(fore_inside[pixels], 0) / 0.05))
    return _Wings(pixels, coverage[pixels], fore, along, across, x[pixels], y[pixels], shade)


def _wing(
    x: Floats, y: Floats, edges: tuple[float, float], radius: Callable[[Floats], Floats]
) -> tuple[Floats, Floats, Floats]:
    """Distance inside the outline of a wing based at 0, 0 (negative outside); `along`; `across`.

    `edges` are the angles of the hind and the front edge, radians from the x axis; `radius` gives the
    distance of the margin from the base at `across`.
    """
    r = np.hypot(x, y)
    angle = np.arctan2(y, x) + 0.07 * np.sin(3 * r)  # a front edge that bends back towards the tip
    across = (angle - edges[0]) / (edges[1] - edges[0])
    margin = radius(across.clip(0, 1))
    to_edges = r * np.minimum(np.minimum(angle - edges[0], edges[1] - angle), 1)
    return _smooth_min(margin - r, to_edges, 0.16), r / margin, across


def _wing_colour(hue: float, rng: np.random.Generator) -> Colour:
    jitter = rng.normal(1, 0.03) + rng.normal(0, 0.012, 3)
    red, green, blue = (
        _visible(hue, ends) * float(individual)
        for ends, individual in zip(zip(*_BASE_COLOURS, strict=True), jitter, strict=True)
    )
    return red, green, blue


def _band(values: Floats, centre: float | Floats, half_width: float, softness: float) -> Floats:
    """1 within `half_width` of the centre, falling to 0 over `softness`."""
    strength: Floats = np.clip((half_width - np.abs(values - centre)) / softness + 0.5, 0, 1)
    return strength


def _tint(rgb: Floats, colour: Colour | Floats, strength: Floats) -> None:
    rgb += strength * (np.asarray(colour, dtype=np.float32).reshape(3, -1) - rgb)


def _pattern(
    rng: np.random.Generator, wings: _Wings, colour: Colour, traits: tuple[float, ...], light: Floats
) -> Floats:
    """The wings' colours, (3, wing pixels): scales, veins, lines, the band, the eyespots and the fringe."""
    along, across = wings.along, wings.across
    base = np.array(colour, dtype=np.float32)[:, None]
    rgb: Floats = base * (0.86 + 0.2 * np.sqrt(along))
    waves, phase = rng.uniform(3.2, 4.4), rng.uniform(0, 2 * math.pi)
    wavy = along + 0.013 * np.sin(2 * math.pi * waves * across + phase)
    veins = np.abs(np.sin(6 * math.pi * across))
    dark = 0.40 * base + 0.08 * np.array(_DARK, dtype=np.float32)[:, None]
    _tint(rgb, dark, 0.22 * np.exp(-((veins / 0.16) ** 2)) * along)
    _tint(rgb, dark, 0.55 * _band(wavy, rng.normal(0.20, 0.01), 0.010, 0.03))
    centre, half_width = 0.68 + rng.normal(0, 0.01), _visible(traits[1], _BAND_HALF_WIDTHS)
    _tint(rgb, _CREAM, 0.40 * _band(wavy, centre, half_width + 0.022, 0.025))
    _tint(rgb, dark, 0.88 * _band(wavy, centre, half_width, 0.025))
    _tint(rgb, _CREAM, 0.35 * _band(along + 0.010 * veins, 0.895, 0.006, 0.02))
    _tint(rgb, dark, 0.70 * _band(along, 0.952, 0.008, 0.015) * np.clip(3 * veins - 1.2, 0, 1))
    _tint(rgb, _CREAM, 0.40 * np.clip((along - 0.962) / 0.02, 0, 1) * np.clip(4 * veins - 1, 0, 1))
    _tint_spots(rgb, wings, _visible(traits[2], _SPOT_RADII))
    row, column = ((where * 63).astype(int).clip(0, 63) for where in (along, across))
    scales = _noise(rng, 64, 20, 64)[row, column]
    facing = 0.05 * light[0] * np.sign(wings.x) + 0.03 * np.cos(6 * math.pi * across)
    rgb *= wings.shade * (1 + 0.045 * scales + facing)
    return rgb


def _tint_spots(rgb: Floats, wings: _Wings, radius: float) -> None:
    """An eyespot on each wing: a dark disc in a pale ring, with a grey-blue pupil once it can hold one."""
    mirrored = np.abs(wings.x)
    fore = np.hypot(mirrored - 0.42, wings.y - 0.215) / radius
    hind = np.hypot(mirrored - 0.27, wings.y + 0.21) / (0.8 * radius)
    distance = np.where(wings.fore, fore, hind)
    edge = 0.012 / radius
    _tint(rgb, _CREAM, 0.75 * _band(distance, 0, 1.3, edge))
    _tint(rgb, _DARK, 0.92 * _band(distance, 0, 1.0, edge))
    _tint(rgb, (0.62, 0.70, 0.78), 0.75 * _band(distance, 0, 0.42, edge) * min(1, (radius / 0.09) ** 3))


def _lay(layer: Floats, pixels: NDArray[np.intp], rgb: Floats, coverage: Floats) -> None:
    """Paint colours over the layer at some of its pixels."""
    layer[:, pixels] *= 1 - coverage
    layer[:3, pixels] += rgb * coverage
    layer[3, pixels] += coverage


def _draw_antennae(layer: Floats, x: Floats, y: Floats, pixel: float) -> None:
    mirrored = np.abs(x)
    pixels = np.flatnonzero((mirrored > 0.01) & (mirrored < 0.37) & (y > 0.25))
    x, y = mirrored[pixels], y[pixels]
    distance = np.abs(y - (0.30 + 1.45 * x - 1.3 * x * x)) / np.sqrt(1 + (1.45 - 2.6 * x) ** 2)
    feathered = 0.010 + 0.010 * np.sin(math.pi * x / 0.37) * (0.6 + 0.4 * np.sin(190 * x))
    coverage = np.clip((feathered - distance) / pixel + 0.5, 0, 1)
    _lay(layer, pixels, np.array(_DARK, dtype=np.float32)[:, None] * 1.6, coverage)


def _draw_body(
    layer: Floats, rng: np.random.Generator, x: Floats, y: Floats, pixel: float, wing_colour: Colour
) -> None:
    """Abdomen with rings, furry thorax, head and eyes."""
    pixels = np.flatnonzero((np.abs(x) < 0.15) & (y > -0.62) & (y < 0.42))
    x, y = x[pixels], y[pixels]
    fur = _noise(rng, 64, 32, 24)[((y + 0.62) * 61).astype(int), ((x + 0.15) * 209).astype(int)]
    base = 0.62 * np.array(wing_colour, dtype=np.float32)[:, None] + 0.10
    taper = np.clip((y + 0.60) / 0.66, 0, 1)
    abdomen = np.minimum(0.066 * taper**0.4 - np.abs(x), np.minimum(y + 0.58, 0.12 - y))
    parts = [
        (abdomen, 1 + 0.16 * np.sin(62 * y)),
        (0.11 * (1 - np.hypot(x / 0.11, (y - 0.09) / 0.19)), 1.12 + 0.1 * fur),
        (0.055 * (1 - np.hypot(x / 0.062, (y - 0.29) / 0.055)), 0.85 + 0.1 * fur),
    ]
    for inside, brightness in parts:
        roundness = 0.70 + 0.42 * np.sqrt(np.clip(inside / 0.08, 0, 1))
        rim = np.clip((inside + 0.006 * fur) / pixel + 0.5, 0, 1).astype(np.float32)
        _lay(layer, pixels, base * (roundness * brightness), rim)
    eyes = np.clip((0.022 - np.hypot(np.abs(x) - 0.052, y - 0.30)) / pixel + 0.5, 0, 1)
    _lay(layer, pixels, np.array(_DARK, dtype=np.float32)[:, None], eyes)


def _shadow(coverage: Floats, light: Floats) -> Floats:
    """The moth's shadow, (size, size) in [0, 0.5]: its outline, blurred and shifted."""
    size = coverage.shape[0]
    dx, dy = (-0.035 * size * light).tolist()
    mask = Image.fromarray((coverage * 255).astype(np.uint8))
    shift = (1, 0, -dx, 0, 1, -dy)
    moved = mask.transform(mask.size, Image.Transform.AFFINE, shift, Image.Resampling.BILINEAR)
    return np.asarray(moved.filter(ImageFilter.GaussianBlur(0.022 * size)), dtype=np.float32) / 255 * 0.5


def _lit(rng: np.random.Generator, image: Floats, light: Floats) -> Floats:
    """Light the image from one side, with random brightness and colour temperature."""
    line = np.linspace(-1, 1, image.shape[1], dtype=np.float32)
    gradient = light[0] * line[None, :] + light[1] * line[:, None]
    warmth = rng.normal(0, 0.015)
    tint = np.array([1 + warmth, 1, 1 - warmth], dtype=np.float32)[:, None, None]
    grain = 0.012 * _noise(rng, image.shape[1], 160, 160)
    lit: Floats = image * tint * (rng.uniform(0.90, 1.06) + rng.uniform(0.03, 0.11) * gradient) + grain
    return lit

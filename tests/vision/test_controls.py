"""The off-the-shelf controls are what their formulas say, and their variants are all there or not there."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lwise_core.dirmap import DirmapRow, read_dirmap, write_dirmap
from lwise_core.errors import InputError
from lwise_core.vision.control_variants import write_control_variants
from lwise_core.vision.controls import CONTROLS, auto_levels, clahe, msrcr
from lwise_core.vision.encoding import encoding, read_8_bits
from lwise_core.vision.image_folder import index_image_folder
from lwise_core.vision.images import load_rgb
from tests.conftest import write_photographs
from tests.run_cli import lwise

_METHODS = ("clahe", "msrcr", "auto_levels")


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    return write_photographs(tmp_path / "photographs", per_class={"val": 4})


@pytest.fixture
def rows(photographs: Path) -> list[DirmapRow]:
    return index_image_folder(photographs).rows


def _uneven(side: int) -> NDArray[np.uint8]:
    """A dim image with a bright corner, noise, and a dark stripe."""
    random = np.random.default_rng(3)
    light = np.linspace(20, 160, side)[None, :, None] + np.linspace(0, 60, side)[None, None, :]
    pixels = light * np.array([1.0, 0.8, 0.6])[:, None, None] + random.normal(0, 12, (3, side, side))
    pixels[:, side // 3 : side // 2] *= 0.4
    return np.clip(pixels, 0, 255).astype(np.uint8)


def test_clahe_equalises_clipped_histograms_of_8_by_8_tiles() -> None:
    pixels = _uneven(64)
    for channel, result in zip(pixels, clahe(pixels), strict=True):
        assert np.abs(result - _plain_clahe(channel)).max() <= 0.5 + 1e-3  # rounded to whole values


def _plain_clahe(channel: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Each tile's histogram is clipped, what is clipped is spread over all values, and the running sum is the tile's
    curve; a pixel takes the mean of the four nearest tiles' curves, weighted by how near their centres are."""
    tile, limit = 8, max(1, int(2.0 * 64 / 256))
    curves = np.empty((8, 8, 256))
    for down in range(8):
        for across in range(8):
            values = channel[down * tile : (down + 1) * tile, across * tile : (across + 1) * tile]
            histogram = np.bincount(values.ravel(), minlength=256)
            excess = int((histogram - limit).clip(0).sum())
            histogram = histogram.clip(max=limit) + excess // 256
            # What is left over is too little for every value and goes to every so-manieth.
            if left := excess % 256:
                histogram[:: max(256 // left, 1)][:left] += 1
            curves[down, across] = np.rint(np.cumsum(histogram) * 255 / 64)
    result = np.empty(channel.shape)
    for y, x in np.ndindex(*channel.shape):
        ty, tx = y / tile - 0.5, x / tile - 0.5
        result[y, x] = sum(
            (1 - abs(ty - down))
            * (1 - abs(tx - across))
            * curves[min(max(down, 0), 7), min(max(across, 0), 7), channel[y, x]]
            for down in (math.floor(ty), math.floor(ty) + 1)
            for across in (math.floor(tx), math.floor(tx) + 1)
        )
    return result


def test_msrcr_equals_its_formula() -> None:
    pixels = _uneven(24)
    intensity = pixels.astype(float) + 1
    retinex = np.mean([np.log(intensity) - np.log(_plain_blur(intensity, s)) for s in (15, 80, 250)], axis=0)
    restored = 46 * (np.log(125 * intensity) - np.log(intensity.sum(axis=0))) * retinex
    # A value that lies between two whole ones falls to either.
    assert np.abs(msrcr(pixels) - _plain_stretch(restored, 0.01)).max() <= 0.5 + 1e-6


def _plain_blur(channels: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Convolve with a Gaussian truncated at four standard deviations, the image mirrored at its outermost pixels."""
    reach = round(4 * sigma)
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-(offsets**2) / (2 * sigma**2))
    weights /= weights.sum()
    side = channels.shape[1]
    period = 2 * (side - 1)
    blur = np.zeros((side, side))
    for at in range(side):
        for offset, weight in zip(offsets, weights, strict=True):
            place = (at + offset) % period
            blur[at, min(place, period - place)] += weight
    return np.asarray(blur @ channels @ blur.T)


def _plain_stretch(channels: NDArray[np.float64], saturated: float) -> NDArray[np.float64]:
    stretched = []
    for channel in channels:
        values = np.sort(channel.ravel())
        at = saturated * (len(values) - 1)
        below, share = int(at), at - int(at)
        lowest = values[below] * (1 - share) + values[below + 1] * share
        highest = values[-1 - below] * (1 - share) + values[-2 - below] * share
        stretched.append(((channel - lowest) / (highest - lowest) * 255).clip(0, 255))
    return np.stack(stretched)


def test_auto_levels_stretches_each_channel() -> None:
    pixels = _uneven(40)
    result = auto_levels(pixels)
    assert np.abs(result - _plain_stretch(pixels.astype(float), 0.005)).max() <= 0.5 + 1e-9
    assert [(int(channel.min()), int(channel.max())) for channel in result] == [(0, 255)] * 3


@pytest.mark.parametrize("name", ["msrcr", "auto_levels"])
def test_channel_without_contrast_is_unchanged(name: str) -> None:
    pixels = np.broadcast_to(np.array([90, 120, 150], dtype=np.uint8)[:, None, None], (3, 32, 32)).copy()
    assert np.array_equal(CONTROLS[name].apply(pixels), pixels)


def test_variants_hold_the_methods_results(rows: list[DirmapRow], photographs: Path, tmp_path: Path) -> None:
    out = tmp_path / "controls"
    write_control_variants(out, images_root=photographs, rows=rows, methods=_METHODS, size=32)
    of_variants = read_dirmap(out / "dirmap.csv")
    for row in of_variants:
        natural = load_rgb(photographs / row.extra["orig_im_path"], size=32)
        assert np.array_equal(read_8_bits((out / "natural" / row.im_path).read_bytes()), natural)
        for name in _METHODS:
            assert np.array_equal(read_8_bits((out / name / row.im_path).read_bytes()), CONTROLS[name].apply(natural))
    with (out / "clahe" / "changed.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["im_path"] for line in lines] == [row.im_path for row in of_variants]
    first = load_rgb(photographs / rows[0].im_path, size=32)
    distance = np.sqrt(((clahe(first) / 255 - first / 255) ** 2).sum())
    assert float(lines[0]["l2"]) == pytest.approx(distance, abs=1e-6)
    provenance = json.loads((out / "msrcr" / "provenance.json").read_text())
    assert (provenance["method"], provenance["scales"], provenance["size"]) == ("msrcr", [15, 80, 250], 32)


def test_resumed_run_gives_the_same_bytes(rows: list[DirmapRow], photographs: Path, tmp_path: Path) -> None:
    def write(name: str) -> dict[str, bytes]:
        out = tmp_path / name
        write_control_variants(out, images_root=photographs, rows=rows, methods=_METHODS, size=32)
        return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}

    undisturbed = write("whole")
    content = (photographs / rows[7].im_path).read_bytes()
    (photographs / rows[7].im_path).write_bytes(content[:60])
    with pytest.raises(InputError, match=rf"{rows[7].im_path}.*7 images are finished; the next run resumes from there"):
        write("cut")
    (tmp_path / "cut.unfinished" / "clahe" / rows[1].im_path).write_bytes(b"spoilt")
    (photographs / rows[7].im_path).write_bytes(content)
    assert write("cut") == undisturbed


def test_skip_bad_skips_a_damaged_image(rows: list[DirmapRow], photographs: Path, tmp_path: Path) -> None:
    (photographs / rows[5].im_path).write_bytes(b"")
    write_dirmap(tmp_path / "dirmap.csv", rows)
    command = ("controls", "dirmap.csv", "--images", photographs, "--size", 32, "--method", "auto_levels")
    command_result = lwise(*command, "--skip-bad", folder=tmp_path)
    assert command_result.returncode == 0
    assert f"{rows[5].im_path}: empty file" in command_result.stderr
    kept = [row.im_path for row in read_dirmap(tmp_path / "controls" / "dirmap.csv")]
    assert kept == [row.im_path for row in rows if row != rows[5]]
    assert rows[5].im_path in (tmp_path / "controls" / "skipped.csv").read_text()


@pytest.mark.parametrize(
    ("methods", "form", "message"),
    [
        (["lightroom"], "png", "--method is 'lightroom'; expected one of clahe, msrcr, auto_levels"),
        (["clahe", "clahe"], "png", "expected each once"),
        (["clahe"], "png16", "controls give images of 8 bits, so use png"),
    ],
)
def test_rejects_bad_options_before_writing(
    methods: list[str], form: str, message: str, rows: list[DirmapRow], photographs: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        write_control_variants(
            tmp_path / "out", images_root=photographs, rows=rows, methods=methods, size=32, stored_as=encoding(form)
        )
    assert not list(tmp_path.glob("out*"))

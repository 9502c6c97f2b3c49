"""What is drawn of a change says where it is, how large, and in which direction."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from lwise_core.vision.encoding import read_8_bits
from lwise_core.vision.images import save_png
from lwise_core.vision.visualisation import (
    Captioned,
    animation,
    contact_sheet,
    difference,
    full_swing,
    heat_map,
    overlay,
)
from tests.run_cli import lwise, succeed

Pixels = NDArray[np.uint8]

_VARIANTS = Path(__file__).parents[2] / "experiment_site" / "experiments" / "moths_0" / "variants"
_TOLD = ("natural", "caricature_full")


@pytest.fixture
def natural() -> Pixels:
    return np.random.default_rng(0).integers(60, 200, (3, 32, 32)).astype(np.uint8)


@pytest.fixture
def enhanced(natural: Pixels) -> Pixels:
    """Red raised by 20 in the upper left quarter, blue lowered by 10 in the lower right."""
    changed = natural.copy()
    changed[0, :16, :16] += 20
    changed[2, 16:, 16:] -= 10
    return changed


def test_difference_is_grey_without_change_and_brighter_or_darker_with_it(natural: Pixels, enhanced: Pixels) -> None:
    drawn = difference(natural, enhanced, swing=20)
    assert (drawn[0, :16, :16] == 255).all()
    assert (drawn[2, 16:, 16:] == 64).all()  # 127.5 - 10 / 20 · 127.5, rounded
    assert (drawn[1] == 128).all()
    assert (difference(natural, enhanced, swing=10)[2, 16:, 16:] == 0).all()


def test_heat_map_is_brighter_where_pixels_changed_more(natural: Pixels, enhanced: Pixels) -> None:
    brightness = heat_map(natural, enhanced, swing=20).sum(axis=0, dtype=int)
    strong, weak, none = brightness[0, 0], brightness[31, 31], brightness[0, 31]
    assert strong > weak > none
    assert (brightness[:16, :16] == strong).all()
    assert (brightness[:16, 16:] == none).all()


def test_full_swing_in_all_channels_is_the_end_of_the_scale(natural: Pixels) -> None:
    brightest = heat_map(natural, natural + 20, swing=20)
    assert np.array_equal(brightest, heat_map(natural, natural + 40, swing=20))
    assert brightest[:, 0, 0].tolist() == [252, 255, 164]  # the last colour of matplotlib's inferno


def test_overlay_shows_the_image_in_grey_without_change(natural: Pixels, enhanced: Pixels) -> None:
    drawn = overlay(natural, enhanced, swing=20)
    unchanged = drawn[:, :16, 16:]
    luma = np.tensordot([0.299, 0.587, 0.114], natural[:, :16, 16:].astype(float), axes=1)
    assert np.abs(unchanged - luma).max() <= 0.5
    assert (drawn[0, :16, :16] != drawn[2, :16, :16]).all()


def test_drawings_of_an_image_share_the_scale_of_the_most_changed_variant(natural: Pixels, enhanced: Pixels) -> None:
    assert full_swing(natural, [natural, enhanced]) == 20
    assert full_swing(natural, [natural]) == 1
    stray = natural.copy()
    stray[0, 0, 0] = 255
    assert full_swing(natural, [stray]) == 1


def test_animation_loops_through_all_images(natural: Pixels, enhanced: Pixels) -> None:
    written = animation([Captioned("natural", natural), Captioned("eps4", enhanced), Captioned("eps1", natural)])
    with Image.open(io.BytesIO(written)) as image:
        assert (image.format, image.info["loop"], image.n_frames) == ("GIF", 0, 3)  # type: ignore[attr-defined]


def test_animation_keeps_the_change_of_colour() -> None:
    """Measured on these 20 moths: at least 0.923 of each change is kept; with a palette by median cut 0.847."""
    natural, full = (sorted((_VARIANTS / name / "val").rglob("*.jpg")) for name in _TOLD)
    assert len(natural) == 20
    for paths in zip(natural, full, strict=True):
        before, after = (read_8_bits(path.read_bytes()) for path in paths)
        change = after.astype(float) - before
        shown_before, shown_after = _frames(animation([Captioned(_TOLD[0], before), Captioned(_TOLD[1], after)]))
        assert ((shown_after - shown_before) * change).sum() / np.square(change).sum() > 0.91


def _frames(written: bytes) -> list[NDArray[np.float64]]:
    """Each frame's image, without its caption and margin."""
    with Image.open(io.BytesIO(written)) as animated:
        frames = [frame.convert("RGB") for frame in ImageSequence.Iterator(animated)]
    return [np.asarray(frame, dtype=float).transpose(2, 0, 1)[:, 24:-6, 6:-6] for frame in frames]


def test_contact_sheet_has_unchanged_images_below_their_captions(natural: Pixels, enhanced: Pixels) -> None:
    row = [Captioned("natural", natural), Captioned("a variant with a long name", enhanced)]
    sheet = contact_sheet([row, row])
    windows = np.lib.stride_tricks.sliding_window_view(sheet, (3, 32, 32))[0]
    for image in (natural, enhanced):
        assert (windows == image).all(axis=(2, 3, 4)).sum() == 2
    assert sheet[:, :, -6:].min() == 255  # no caption runs over its column


def test_command_draws_variants(natural: Pixels, enhanced: Pixels, tmp_path: Path) -> None:
    for variant, image in (("natural", natural), ("eps4", enhanced), ("eps1", natural)):
        for number in range(5):
            path = tmp_path / variant / "val" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            save_png(path, image)
    succeed("look", "natural", "eps4", "eps1", "-n", 2, folder=tmp_path)
    drawn = tmp_path / "look"
    assert {path.name for path in drawn.iterdir()} == {"sheet.png", "val_0", "val_2"}
    kinds = {f"{name}_{kind}.png" for name in ("eps4", "eps1") for kind in ("difference", "heat", "overlay")}
    assert {path.name for path in (drawn / "val_0").iterdir()} == {*kinds, "animation.gif"}
    shown = read_8_bits((drawn / "val_0" / "eps4_difference.png").read_bytes())
    assert np.array_equal(shown, difference(natural, enhanced, swing=20))


def test_rejects_variants_of_another_size_and_leaves_nothing(natural: Pixels, tmp_path: Path) -> None:
    for variant, image in (("natural", natural), ("eps4", natural[:, :16])):
        (tmp_path / variant).mkdir()
        save_png(tmp_path / variant / "one.png", image)
    refused = lwise("look", "natural", "eps4", folder=tmp_path)
    assert refused.returncode == 2
    assert "eps4/one.png: 32 x 16 pixels, the natural image 32 x 32" in refused.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"natural", "eps4"}

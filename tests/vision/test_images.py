"""Pictures of every kind become the same square RGB pixels, and what cannot be read is refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lwise_core.errors import InputError
from lwise_core.vision.images import load_rgb, save_png


def _orange(mode: str) -> Image.Image:
    return Image.new("RGB", (40, 30), (200, 100, 50)).convert(mode)


@pytest.mark.parametrize(
    ("mode", "suffix"), [("RGB", "png"), ("P", "png"), ("CMYK", "jpg"), ("RGBA", "png"), ("RGB", "webp")]
)
def test_colour_survives_every_colour_mode(tmp_path: Path, mode: str, suffix: str) -> None:
    path = tmp_path / f"image.{suffix}"
    _orange(mode).save(path)
    pixels = load_rgb(path, size=16)
    assert pixels.shape == (3, 16, 16)
    assert pixels.dtype == np.uint8
    assert np.allclose(pixels.mean(axis=(1, 2)), [200, 100, 50], atol=8)


def test_grey_images_have_three_equal_channels(tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    Image.new("L", (20, 20), 77).save(path)
    assert (load_rgb(path, size=8) == 77).all()


def test_sixteen_bit_grey_is_scaled_and_not_clipped(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    Image.fromarray(np.full((20, 20), 32_896, dtype=np.uint16)).save(path)
    assert (load_rgb(path, size=8) == 128).all()


def test_transparency_is_shown_on_white(tmp_path: Path) -> None:
    path = tmp_path / "clear.png"
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(path)
    assert (load_rgb(path, size=8) == 255).all()


def test_transparent_palette_entry_is_shown_on_white(tmp_path: Path) -> None:
    path = tmp_path / "palette.png"
    image = Image.new("P", (20, 20), 3)
    image.putpalette([255, 0, 0] * 4)
    image.save(path, transparency=3)
    assert (load_rgb(path, size=8) == 255).all()


def test_camera_orientation_is_applied(tmp_path: Path) -> None:
    pixels = np.zeros((40, 40, 3), dtype=np.uint8)
    pixels[:20] = 255
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x0112] = 3  # the camera was held upside down
    path = tmp_path / "turned.png"
    image.save(path, exif=exif)
    loaded = load_rgb(path, size=40)
    assert loaded[:, :10].mean() < 1
    assert loaded[:, 30:].mean() > 254


def test_wide_images_are_cropped_around_the_centre(tmp_path: Path) -> None:
    pixels = np.zeros((20, 60, 3), dtype=np.uint8)
    pixels[:, 20:40] = 255
    path = tmp_path / "wide.png"
    Image.fromarray(pixels).save(path)
    assert (load_rgb(path, size=20) == 255).all()


def test_saving_keeps_every_value(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 17, 17), dtype=np.uint8)
    save_png(tmp_path / "kept.png", pixels)
    assert np.array_equal(load_rgb(tmp_path / "kept.png", size=17), pixels)


def test_rejects_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.jpg"
    path.touch()
    with pytest.raises(InputError, match=r"empty\.jpg: empty file"):
        load_rgb(path, size=8)


def test_rejects_text_file(tmp_path: Path) -> None:
    path = tmp_path / "letter.jpg"
    path.write_text("Dear Sir")
    with pytest.raises(InputError, match=r"letter\.jpg: not an image"):
        load_rgb(path, size=8)


@pytest.mark.parametrize(("width", "height"), [(20_000, 10_000), (10_000, 7_000)])
def test_rejects_huge_image_before_decoding(tmp_path: Path, width: int, height: int) -> None:
    path = tmp_path / "huge.png"
    Image.new("1", (width, height)).save(path)
    with pytest.raises(InputError, match=r"huge\.png: .*at most 64"):
        load_rgb(path, size=8)

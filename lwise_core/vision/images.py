"""From a file of any kind to one square RGB picture, and back to a lossless file.

Every image of a study goes through `load_rgb`, so that what the model sees is what the participant sees. Knows nothing
of PyTorch, whose loading takes seconds.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from lwise_core.errors import InputError

MAX_PIXELS = 64_000_000
"""Larger pictures are refused before they are decoded: 64 megapixels take 192 MB as RGB."""

IMAGE_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

_WHITE = (255, 255, 255)

Pixels = NDArray[np.uint8]
"""RGB, (3, height, width)."""


def load_rgb(path: Path, *, size: int) -> Pixels:
    """Decode a picture to `size` x `size` RGB pixels.

    Greyscale (also 16-bit), palette, CMYK and transparent pictures are converted (transparency onto white), the
    camera's orientation is applied, the longer side is cropped around the centre and the rest resampled (bicubic).

    Returns
    -------
    uint8 (3, size, size)

    Raises
    ------
    InputError
        If the file is missing, empty, damaged, no picture, or larger than `MAX_PIXELS`.
    """
    try:
        with Image.open(_checked(path)) as picture:
            square = ImageOps.fit(_to_rgb(picture), (size, size), method=Image.Resampling.BICUBIC)
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: no such picture") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{path}: damaged picture ({error})") from None
    return np.ascontiguousarray(np.asarray(square).transpose(2, 0, 1))


def save_png(path: Path, pixels: Pixels) -> None:
    """Write uint8 (3, H, W) as PNG, which keeps every value."""
    # Level 1 writes about three times as fast as the default at a few per cent more bytes.
    Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))).save(path, format="PNG", compress_level=1)


def problem_with(path: Path) -> tuple[str | None, tuple[int, int]]:
    """What keeps a file from being used, or None, with its width and height in pixels (0, 0 if unknown)."""
    try:
        with Image.open(_checked(path)) as picture:
            picture.load()
            return None, picture.size
    except InputError as error:
        return str(error), (0, 0)
    except FileNotFoundError:
        return f"{path}: no such picture", (0, 0)
    except (OSError, SyntaxError, ValueError) as error:
        return f"{path}: damaged picture ({error})", (0, 0)


def _checked(path: Path) -> Path:
    if path.stat().st_size == 0:
        raise InputError(f"{path}: empty file (0 bytes)")
    try:
        with Image.open(path) as picture:
            width, height = picture.size
    except UnidentifiedImageError:
        raise InputError(f"{path}: not a picture in a known format, or damaged") from None
    except Image.DecompressionBombError:
        raise InputError(
            f"{path}: too large to be a photograph; at most {MAX_PIXELS // 1_000_000} megapixels"
        ) from None
    if width * height > MAX_PIXELS:
        raise InputError(
            f"{path}: {width} x {height} = {width * height / 1e6:.0f} megapixels; "
            f"at most {MAX_PIXELS // 1_000_000} are read, so make it smaller"
        )
    return path


def _to_rgb(picture: Image.Image) -> Image.Image:
    upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I;16") or upright.mode in ("I", "F"):
        return _from_deep_grey(upright)
    if upright.has_transparency_data:
        layer = upright.convert("RGBA")
        ground = Image.new("RGBA", layer.size, (*_WHITE, 255))
        return Image.alpha_composite(ground, layer).convert("RGB")
    return upright.convert("RGB")


def _from_deep_grey(picture: Image.Image) -> Image.Image:
    """Scale 16-bit values 0 … 65535 to 8 bits; Pillow's own conversion would clip everything above 255."""
    values = np.asarray(picture, dtype=np.float64)
    return Image.fromarray(np.clip(np.rint(values / 257.0), 0, 255).astype(np.uint8)).convert("RGB")

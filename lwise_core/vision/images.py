"""Decode image files to square RGB images, and store them lossless.

Every image of a study goes through `load_rgb`, so that the model and the participant see the same. Knows nothing
of PyTorch, whose loading takes seconds.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from lwise_core.errors import InputError

MAX_PIXELS = 64_000_000
"""Larger images are rejected before decoding: 64 megapixels take 192 MB as RGB."""

IMAGE_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

_WHITE = (255, 255, 255)

Pixels = NDArray[np.uint8]
"""RGB, (3, height, width)."""


def load_rgb(path: Path, *, size: int) -> Pixels:
    """Decode an image to `size` x `size` RGB pixels.

    Greyscale (also 16-bit), palette, CMYK and transparent images are converted (transparency onto white), the
    camera's orientation is applied, the longer side is cropped around the centre and the rest resampled (bicubic).

    Returns
    -------
    uint8 (3, size, size)

    Raises
    ------
    InputError
        If the file is missing, empty, damaged, not an image, or larger than `MAX_PIXELS`.
    """
    try:
        with Image.open(_checked(path)) as image:
            square = ImageOps.fit(_to_rgb(image), (size, size), method=Image.Resampling.BICUBIC)
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: no such image") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{path}: damaged image ({error})") from None
    return np.ascontiguousarray(np.asarray(square).transpose(2, 0, 1))


def save_png(path: Path, pixels: Pixels) -> None:
    """Write uint8 (3, H, W) as PNG."""
    # Level 1 writes about three times as fast as the default at a few per cent more bytes.
    Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))).save(path, format="PNG", compress_level=1)


def problem_with(path: Path) -> tuple[str | None, tuple[int, int]]:
    """Why a file cannot be used, or None; and its width and height in pixels, (0, 0) if unknown."""
    try:
        with Image.open(_checked(path)) as image:
            image.load()
            return None, image.size
    except InputError as error:
        return str(error), (0, 0)
    except FileNotFoundError:
        return f"{path}: no such image", (0, 0)
    except (OSError, SyntaxError, ValueError) as error:
        return f"{path}: damaged image ({error})", (0, 0)


def _checked(path: Path) -> Path:
    if path.stat().st_size == 0:
        raise InputError(f"{path}: empty file (0 bytes)")
    try:
        with Image.open(path) as image:
            width, height = image.size
    except UnidentifiedImageError:
        raise InputError(f"{path}: not an image in a known format, or damaged") from None
    except Image.DecompressionBombError:
        raise InputError(
            f"{path}: too large to be a photograph; at most {MAX_PIXELS // 1_000_000} megapixels"
        ) from None
    if width * height > MAX_PIXELS:
        raise InputError(
            f"{path}: {width} x {height} = {width * height / 1e6:.0f} megapixels; "
            f"expected at most {MAX_PIXELS // 1_000_000}, so make it smaller"
        )
    return path


def _to_rgb(image: Image.Image) -> Image.Image:
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I;16") or upright.mode in ("I", "F"):
        return _from_deep_grey(upright)
    if upright.has_transparency_data:
        foreground = upright.convert("RGBA")
        background = Image.new("RGBA", foreground.size, (*_WHITE, 255))
        return Image.alpha_composite(background, foreground).convert("RGB")
    return upright.convert("RGB")


def _from_deep_grey(image: Image.Image) -> Image.Image:
    """Scale 16-bit values to 8 bits; Pillow's conversion would clip everything above 255."""
    values = np.asarray(image, dtype=np.float64)
    return Image.fromarray(np.clip(np.rint(values / 257.0), 0, 255).astype(np.uint8)).convert("RGB")

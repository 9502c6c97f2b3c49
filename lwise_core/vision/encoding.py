"""How pictures are stored, and what that does to them.

A perturbation is small: an ε of 0.25 moves a value of a 224-pixel picture by a sixth of one of its 255 steps, and a
JPEG at quality 75 errs by more than an ε of 8. So pictures are stored lossless unless somebody asks for something else,
and what is measured is always the stored picture.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lwise_core.errors import InputError

DeepPixels = NDArray[np.uint8] | NDArray[np.uint16]
"""RGB, (3, height, width), of 8 or 16 bits."""


@dataclass(frozen=True)
class Encoding:
    """A way to store a picture.

    Attributes
    ----------
    name : as on the command line and in provenance.
    suffix : of the files.
    levels : the value of white: 255, or 65,535 with 16 bits.
    is_lossless : whether what is read is what was written.
    quality : of JPEG, 1 to 100.
    """

    name: str
    suffix: str
    levels: int
    is_lossless: bool
    write: Callable[[DeepPixels], bytes]
    quality: int | None = None

    def stored_path(self, im_path: str) -> str:
        """The path of an image inside every variant: its own, with the suffix of the stored file."""
        return str(PurePosixPath(im_path).with_suffix(self.suffix))


def read_8_bits(content: bytes) -> NDArray[np.uint8]:
    """A stored picture as a browser shows it: uint8 (3, H, W)."""
    with Image.open(io.BytesIO(content)) as picture:
        return np.ascontiguousarray(np.asarray(picture.convert("RGB")).transpose(2, 0, 1))


def encoding(name: str, *, quality: int | None = None) -> Encoding:
    """The encoding of this name.

    Parameters
    ----------
    quality : of `jpeg`, 1 to 100; default 95.

    Raises
    ------
    InputError
        If there is none, or `quality` is given for another than `jpeg`.
    """
    if quality is not None and name != "jpeg":
        raise InputError(f"--quality needs --format jpeg; the format is {name}, which is lossless")
    of_jpeg = 95 if quality is None else quality
    known = {
        "png": Encoding("png", ".png", 255, True, _png),
        "webp": Encoding("webp", ".webp", 255, True, _webp),
        "png16": Encoding("png16", ".png", 65_535, True, _png_of_16_bits),
        "jpeg": Encoding("jpeg", ".jpg", 255, False, lambda pixels: _jpeg(pixels, of_jpeg), of_jpeg),
    }
    if name not in known:
        raise InputError(f"--format is {name!r}; expected one of {', '.join(known)}")
    return known[name]


def _png(pixels: DeepPixels) -> bytes:
    # Level 1 writes about three times as fast as the default at a few per cent more bytes.
    return _with_pillow(pixels, format="PNG", compress_level=1)


def _webp(pixels: DeepPixels) -> bytes:
    return _with_pillow(pixels, format="WEBP", lossless=True, method=0, exact=True)


def _jpeg(pixels: DeepPixels, quality: int) -> bytes:
    # Colour at the full resolution: subsampled, it would lose most of what a perturbation does to it.
    return _with_pillow(pixels, format="JPEG", quality=quality, subsampling=0)


def _with_pillow(pixels: DeepPixels, **options: Any) -> bytes:
    written = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))).save(written, **options)
    return written.getvalue()


def _png_of_16_bits(pixels: DeepPixels) -> bytes:
    import cv2  # Pillow writes no colours of 16 bits

    blue_first = np.ascontiguousarray(pixels[::-1].transpose(1, 2, 0), dtype=np.uint16)
    _, written = cv2.imencode(".png", blue_first, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return bytes(written)

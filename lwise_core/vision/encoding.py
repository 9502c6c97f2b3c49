"""Formats in which images are stored.

Perturbations are small: an ε of 0.25 changes the values of a 224-pixel image by a sixth of a step of 8 bits, and the
error of a JPEG at quality 75 exceeds an ε of 8. So images are stored lossless by default, and measurements are those of
the stored image.
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
    """A format in which images are stored.

    Attributes
    ----------
    name : as on the command line and in provenance.
    suffix : of the files.
    levels : value of white: 255, or 65,535 with 16 bits.
    is_lossless : whether reading gives what was written.
    quality : quality of JPEG, 1 to 100.
    """

    name: str
    suffix: str
    levels: int
    is_lossless: bool
    write: Callable[[DeepPixels], bytes]
    quality: int | None = None

    def stored_path(self, im_path: str) -> str:
        """The path of an image inside every variant: its `im_path` with the suffix of the format."""
        return str(PurePosixPath(im_path).with_suffix(self.suffix))


def read_8_bits(content: bytes) -> NDArray[np.uint8]:
    """A stored image as a browser shows it: uint8 (3, H, W)."""
    with Image.open(io.BytesIO(content)) as image:
        return np.ascontiguousarray(np.asarray(image.convert("RGB")).transpose(2, 0, 1))


def encoding(name: str, *, quality: int | None = None) -> Encoding:
    """The encoding of a name.

    Parameters
    ----------
    quality : quality of `jpeg`, 1 to 100 (default: 95).

    Raises
    ------
    InputError
        If the name is unknown, or `quality` is given with another format than `jpeg`.
    """
    if quality is not None and name != "jpeg":
        raise InputError(f"--quality needs --format jpeg; the format is {name}, which is lossless")
    jpeg_quality = 95 if quality is None else quality
    known = {
        "png": Encoding("png", ".png", 255, True, _png),
        "webp": Encoding("webp", ".webp", 255, True, _webp),
        "png16": Encoding("png16", ".png", 65_535, True, _png16),
        "jpeg": Encoding("jpeg", ".jpg", 255, False, lambda pixels: _jpeg(pixels, jpeg_quality), jpeg_quality),
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
    # Full colour resolution: subsampling would lose most of the perturbation of the colours.
    return _with_pillow(pixels, format="JPEG", quality=quality, subsampling=0)


def _with_pillow(pixels: DeepPixels, **options: Any) -> bytes:
    content = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))).save(content, **options)
    return content.getvalue()


def _png16(pixels: DeepPixels) -> bytes:
    import cv2  # Pillow cannot write 16-bit colour

    blue_first = np.ascontiguousarray(pixels[::-1].transpose(1, 2, 0), dtype=np.uint16)
    _, written = cv2.imencode(".png", blue_first, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return bytes(written)

"""Drawings of what an enhancement changed: difference, heat map, overlay, animation, contact sheet."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lwise_core.vision.images import Pixels

_GREY = 127.5
_WHITE = 255
_LUMA = np.array([0.299, 0.587, 0.114])[:, None, None]
"""Weights of red, green and blue (ITU-R BT.601)."""
_MARGIN, _CAPTION, _FONT_SIZE = 6, 18, 13


@dataclass(frozen=True)
class Captioned:
    """An image and the caption above it."""

    caption: str
    pixels: Pixels


def full_swing(natural: Pixels, enhanced: Sequence[Pixels]) -> float:
    """The change of a value, 0 to 255, that is drawn at full strength, for several drawings to share.

    It is the 99th percentile of the changes of the most changed image, so that outliers do not matter.
    """
    return max(1.0, *(float(np.quantile(np.abs(_change(natural, one)), 0.99)) for one in enhanced))


def difference(natural: Pixels, enhanced: Pixels, *, swing: float) -> Pixels:
    """The change of each channel around grey: brighter if it was raised, darker if it was lowered.

    Parameters
    ----------
    swing : a change of this much, 0 to 255, or more is drawn as white or black.
    """
    return _as_bytes(_GREY + _change(natural, enhanced) * (_GREY / swing))


def heat_map(natural: Pixels, enhanced: Pixels, *, swing: float) -> Pixels:
    """L2 norm of each pixel's change over its channels: black for none, yellow for `swing` or more in each channel."""
    strength = _strength(natural, enhanced, swing)
    blue_first = cv2.applyColorMap(_as_bytes(strength * _WHITE), cv2.COLORMAP_INFERNO)
    return np.ascontiguousarray(blue_first[..., ::-1].transpose(2, 0, 1))


def overlay(natural: Pixels, enhanced: Pixels, *, swing: float) -> Pixels:
    """The heat map over the image in grey, more opaque where a pixel was changed more."""
    strength = _strength(natural, enhanced, swing)
    grey = np.broadcast_to((natural * _LUMA).sum(axis=0), natural.shape)
    return _as_bytes((1 - strength) * grey + strength * heat_map(natural, enhanced, swing=swing))


def animation(frames: Sequence[Captioned], *, milliseconds: int = 700) -> bytes:
    """GIF that loops through the images with their captions."""
    sheets = [Image.fromarray(contact_sheet([[frame]]).transpose(1, 2, 0)) for frame in frames]
    # One palette for all frames: different palettes would look like changes of the image.
    side_by_side = Image.fromarray(np.concatenate([np.asarray(frame) for frame in sheets], axis=1))
    # A median cut spends colours on the background, and loses up to a sixth of the change; measured in the test.
    palette = side_by_side.quantize(colors=256, method=Image.Quantize.FASTOCTREE)
    indexed = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in sheets]
    gif = io.BytesIO()
    indexed[0].save(gif, format="GIF", save_all=True, append_images=indexed[1:], duration=milliseconds, loop=0)
    return gif.getvalue()


def contact_sheet(rows: Sequence[Sequence[Captioned]]) -> Pixels:
    """Images of the same size in rows on white, below their captions."""
    _, height, width = rows[0][0].pixels.shape
    across, down = width + _MARGIN, height + _CAPTION + _MARGIN
    n_columns = max(len(row) for row in rows)
    sheet = Image.new("RGB", (_MARGIN + across * n_columns, _MARGIN + down * len(rows)), "white")
    drawing, font = ImageDraw.Draw(sheet), ImageFont.load_default(_FONT_SIZE)
    for number, row in enumerate(rows):
        for column, one in enumerate(row):
            left, top = _MARGIN + across * column, _MARGIN + down * number
            drawing.text((left, top), _fit(one.caption, font, width), fill="black", font=font)
            sheet.paste(Image.fromarray(np.ascontiguousarray(one.pixels.transpose(1, 2, 0))), (left, top + _CAPTION))
    return np.ascontiguousarray(np.asarray(sheet).transpose(2, 0, 1))


def _fit(caption: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """Shorten a long caption to its end, which distinguishes the names of variants."""
    if font.getlength(caption) <= width:
        return caption
    while caption and font.getlength(f"…{caption}") > width:
        caption = caption[1:]
    return f"…{caption}"


def _change(natural: Pixels, enhanced: Pixels) -> NDArray[np.float64]:
    return enhanced.astype(np.float64) - natural


def _strength(natural: Pixels, enhanced: Pixels, swing: float) -> NDArray[np.float64]:
    """(H, W), 0 to 1."""
    norms: NDArray[np.float64] = np.linalg.norm(_change(natural, enhanced), axis=0) / (swing * np.sqrt(len(natural)))
    return norms.clip(0, 1)


def _as_bytes(values: NDArray[np.float64]) -> Pixels:
    rounded: Pixels = np.rint(values.clip(0, _WHITE)).astype(np.uint8)
    return rounded

"""Off-the-shelf methods that make images clearer whatever their class, to compare an enhancement with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lwise_core.vision.images import Pixels

_CLIP_LIMIT, _TILES = 2.0, 8
_SCALES = (15.0, 80.0, 250.0)
_ALPHA, _BETA = 125.0, 46.0
_RETINEX_SATURATION = 0.01
_LEVELS_SATURATION = 0.005
_NO_CONTRAST = 1e-9


@dataclass(frozen=True)
class Control:
    """A method that makes images clearer.

    Attributes
    ----------
    apply : uint8 RGB (3, H, W) -> the changed image.
    settings : parameters of the method, for provenance.
    """

    apply: Callable[[Pixels], Pixels]
    settings: Mapping[str, Any]


def clahe(pixels: Pixels) -> Pixels:
    """Contrast-limited adaptive histogram equalisation of each channel: clip limit 2, 8 x 8 tiles (Zuiderveld 1994)."""
    equaliser = cv2.createCLAHE(clipLimit=_CLIP_LIMIT, tileGridSize=(_TILES, _TILES))
    return np.stack([equaliser.apply(channel) for channel in pixels])


def msrcr(pixels: Pixels) -> Pixels:
    """Multiscale retinex with colour restoration.

    For channels I_c in 1 … 256 (stored values plus one, for the logarithm) and Gaussians G_s of standard deviation
    s = 15, 80 and 250 pixels, reflected at the border:

        R_c = β [ln(α I_c) - ln(Σ_k I_k)] · mean_s [ln I_c - ln(G_s * I_c)],  α = 125, β = 46

    (Jobson, Rahman & Woodell 1997, https://doi.org/10.1109/83.597272). Instead of that paper's fixed gain and offset,
    each R_c is stretched to 0 … 255 with 1 % of its values saturated at either end (Petro, Sbert & Morel 2014,
    https://doi.org/10.5201/ipol.2014.107).
    """
    channels = pixels.astype(np.float64) + 1
    _, height, width = channels.shape
    surrounds = [_blur_matrix(height, scale) @ channels @ _blur_matrix(width, scale).T for scale in _SCALES]
    retinex = np.log(channels) - np.mean([np.log(surround) for surround in surrounds], axis=0)
    restoration = _BETA * (np.log(_ALPHA * channels) - np.log(channels.sum(axis=0)))
    return _stretch(restoration * retinex, _RETINEX_SATURATION, flat=pixels)


def auto_levels(pixels: Pixels) -> Pixels:
    """Each channel stretched to 0 … 255, 0.5 % of its values saturated at either end.

    Limare, Lisani, Morel, Petro & Sbert 2011, https://doi.org/10.5201/ipol.2011.llmps-scb.
    """
    return _stretch(pixels.astype(np.float64), _LEVELS_SATURATION, flat=pixels)


CONTROLS: dict[str, Control] = {
    "clahe": Control(clahe, {"clip_limit": _CLIP_LIMIT, "tiles": _TILES}),
    "msrcr": Control(msrcr, {"scales": _SCALES, "alpha": _ALPHA, "beta": _BETA, "saturation": _RETINEX_SATURATION}),
    "auto_levels": Control(auto_levels, {"saturation": _LEVELS_SATURATION}),
}
"""By name in files and on the command line."""


@lru_cache(maxsize=32)
def _blur_matrix(side: int, scale: float) -> NDArray[np.float64]:
    """Matrix (side, side) that blurs a column of pixels, mirrored at its ends.

    The Gaussian is truncated at four standard deviations. Most of them are longer than the image; then a product with
    this matrix takes a tenth of the time of a convolution.
    """
    gaussian = cv2.getGaussianKernel(2 * round(4 * scale) + 1, scale)
    eye = np.eye(side)
    return np.asarray(cv2.sepFilter2D(eye, -1, np.ones(1), gaussian, borderType=cv2.BORDER_REFLECT_101), np.float64)


def _stretch(channels: NDArray[np.float64], saturation: float, *, flat: Pixels) -> Pixels:
    """Stretch each channel to 0 … 255, from its `saturation` quantile to its 1 - `saturation` quantile.

    Parameters
    ----------
    flat : the values of a channel without contrast; stretched, it would only show rounding.
    """
    lowest, highest = np.quantile(channels, [saturation, 1 - saturation], axis=(1, 2), keepdims=True)
    spread = highest - lowest
    stretched = (channels - lowest) / spread.clip(min=_NO_CONTRAST) * 255
    rounded: Pixels = np.rint(np.where(spread > _NO_CONTRAST, stretched, flat).clip(0, 255)).astype(np.uint8)
    return rounded

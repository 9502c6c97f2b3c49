"""Read what is known about the images: the dirmap, and the folder of variants with their provenance.

Knows the files; knows nothing of participants.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, UnidentifiedImageError

from lwise_core.dirmap import read_dirmap
from lwise_core.errors import InputError
from lwise_core.file_names import NATURAL, PROVENANCE_FILE
from lwise_core.records.tables import read_cells

_MEASURED = ("logit_natural", "logit_enhanced", "l2")


@dataclass(frozen=True)
class Variant:
    """One enhanced copy of the images.

    Attributes
    ----------
    epsilon : L2 radius, pixels in [0, 1]; NaN if not recorded.
    provenance : content of provenance.json; empty if there is none.
    measured : columns im_path, logit_natural, logit_enhanced, l2 of the stored images; no rows if not measured.
    """

    name: str
    folder: Path
    epsilon: float
    provenance: Mapping[str, Any]
    measured: pd.DataFrame

    @property
    def logit_gain(self) -> pd.Series:
        """Increase of the guide model's true-class logit, one value per measured image."""
        return (self.measured["logit_enhanced"] - self.measured["logit_natural"]).dropna()


def read_images(dirmap: Path) -> pd.DataFrame:
    """Columns split, class, im_path, robust_gt_logit and difficulty; the last two NaN where an image is not scored.

    Raises
    ------
    InputError
        As `dirmap.read_dirmap`.
    """
    rows = read_dirmap(dirmap)
    return pd.DataFrame(
        {
            "split": [row.split for row in rows],
            "class": [row.class_name for row in rows],
            "im_path": [row.im_path for row in rows],
            "robust_gt_logit": pd.Series([row.robust_gt_logit for row in rows], dtype=float),
            "difficulty": pd.Series([row.difficulty for row in rows], dtype=float),
        }
    )


def read_variants(root: Path) -> list[Variant]:
    """The enhanced variants below `root`, from the smallest ε to the largest.

    Raises
    ------
    InputError
        If there is no folder of natural images, or a variant's file cannot be read.
    """
    if not (root / NATURAL).is_dir():
        raise InputError(f"{root}: has no folder {NATURAL!r}; make the variants with `lwise enhance`")
    folders = [path for path in root.iterdir() if path.is_dir() and path.name != NATURAL and path.name[0] != "."]
    variants = [_variant(folder) for folder in folders]
    return sorted(variants, key=lambda variant: (math.isnan(variant.epsilon), variant.epsilon, variant.name))


def short_names(variants: Sequence[Variant]) -> list[str]:
    """The name of each variant in figures: its ε, or its folder if ε is unknown or not unique."""
    counts = Counter(variant.epsilon for variant in variants if not math.isnan(variant.epsilon))
    return [f"ε = {one.epsilon:g}" if counts[one.epsilon] == 1 else one.name for one in variants]


def open_image(path: Path) -> Image.Image:
    """An image as RGB.

    Raises
    ------
    InputError
        If it does not exist or is not an image.
    """
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except FileNotFoundError:
        raise InputError(f"{path}: no such image, although the dirmap names it") from None
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: cannot be read as an image ({error})") from None


def _variant(folder: Path) -> Variant:
    provenance = _provenance(folder / PROVENANCE_FILE)
    epsilon = provenance.get("epsilon", math.nan)
    table = folder / "enhanced.csv"
    if table.exists():
        measured = read_cells(table, required=["im_path", *_MEASURED], made_by="lwise enhance")
        for name in _MEASURED:
            measured[name] = _numbers(measured[name], name, table)
    else:
        measured = pd.DataFrame({"im_path": [], **{name: pd.Series(dtype=float) for name in _MEASURED}})
    is_number = isinstance(epsilon, int | float)
    return Variant(folder.name, folder, float(epsilon) if is_number else math.nan, provenance, measured)


def _provenance(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: not JSON ({error})") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON object, found {type(content).__name__}")
    return content


def _numbers(cells: pd.Series, name: str, path: Path) -> pd.Series:
    """The column as numbers; NaN for empty cells."""
    numbers = pd.to_numeric(cells, errors="coerce").astype("Float64").astype(float)
    invalid = cells.notna() & ~np.isfinite(numbers)
    if invalid.any():
        row = int(invalid.argmax())
        raise InputError(f"{path}: column {name}, row {row + 2}: found {cells.iloc[row]!r}, expected a number")
    return numbers

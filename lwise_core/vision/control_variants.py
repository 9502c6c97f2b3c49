"""Variants of a data set made by the off-the-shelf controls, as `enhance` makes them by a guide model.

A folder of variants appears under its name only when it is complete, and a run that was cut short goes on where it
stopped. Pictures are read, changed and written by threads.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lwise_core import __version__, atomic_files
from lwise_core.dirmap import DirmapRow, write_csv
from lwise_core.errors import InputError
from lwise_core.vision.controls import CONTROLS
from lwise_core.vision.encoding import Encoding, encoding, read_8_bits
from lwise_core.vision.images import Pixels, Progress, load_rgb
from lwise_core.vision.prefetch import ahead
from lwise_core.vision.resumable import Stored, UnfinishedVariants
from lwise_core.vision.variant_folder import (
    NATURAL,
    PROVENANCE_FILE,
    refuse_shared_names,
    variant_paths,
    write_variants_dirmap,
)

CHANGED_FILE = "changed.csv"

_WHITE = 255
_L2 = "l2"
_AHEAD = 4 * (os.cpu_count() or 1)
"""Images begun but not done with."""


def write_control_variants(
    out: Path,
    *,
    images_root: Path,
    rows: Sequence[DirmapRow],
    methods: Sequence[str],
    size: int,
    stored_as: Encoding | None = None,
    skip_bad: bool = False,
    on_progress: Progress | None = None,
) -> list[str]:
    """Write `out/natural`, a folder per method with `provenance.json` and `changed.csv`, and `out/dirmap.csv`.

    `changed.csv` has the L2 distance of each stored picture to the natural one, pixels in [0, 1].

    Parameters
    ----------
    methods : names of `controls.CONTROLS`.
    size : side of the pictures in pixels.
    skip_bad : leave out images that cannot be read and list them in `skipped.csv`, instead of stopping.

    Returns
    -------
    What was skipped, a sentence per image.

    Raises
    ------
    InputError
        If there is no such method, the format has more than the 8 bits that methods give, `out` exists or was begun
        with other settings, or an image cannot be read; what was stored until then is used by the next run.
    """
    encoder = stored_as or encoding("png")
    _check(methods, encoder)
    provenance = {
        "format": encoder.name,
        "size": size,
        "opencv_version": cv2.__version__,
        "package_version": __version__,
    }
    plan = {
        **provenance,
        "methods": {name: dict(CONTROLS[name].settings) for name in methods},
        "images": str(images_root.resolve()),
        "rows_sha256": hashlib.sha256(repr(rows).encode()).hexdigest(),
    }
    refuse_shared_names(rows, encoder)
    unfinished = UnfinishedVariants(out, json.loads(json.dumps(plan)))
    paths = variant_paths(unfinished.root, rows, (NATURAL, *methods), encoder)
    stored = unfinished.stored(paths)
    work = _Work(images_root, rows, methods, size, encoder, paths)
    skipped: dict[int, str] = {}
    left = [index for index in range(len(rows)) if index not in stored]
    with unfinished.journal(0) as journal, ThreadPoolExecutor() as threads:

        def begin(index: int) -> tuple[int, Future[Stored]]:
            return index, threads.submit(work.do, index)

        for index, done in ahead(left, begin=begin, end=_result, n=_AHEAD):
            if isinstance(done, Stored):
                journal.note([done])
                stored[index] = done
            elif skip_bad:
                skipped[index] = done
            else:
                raise InputError(
                    f"{done}; mend it or use --skip-bad. {len(stored)} images are done, with which the next run goes on"
                )
            if on_progress:
                on_progress(len(stored) + len(skipped), len(rows))
    if not stored:
        raise InputError(f"{images_root}: none of the {len(rows)} images can be read; is it the dirmap's folder?")
    _write_tables(unfinished.root, rows, stored, skipped, methods, encoder, provenance)
    unfinished.complete()
    return [why for _, why in sorted(skipped.items())]


@dataclass(frozen=True)
class _Work:
    """What is done to each image."""

    images_root: Path
    rows: Sequence[DirmapRow]
    methods: Sequence[str]
    size: int
    encoder: Encoding
    paths: Mapping[str, Sequence[Path]]

    def do(self, index: int) -> Stored:
        natural = load_rgb(self.images_root / self.rows[index].im_path, size=self.size)
        made = {NATURAL: natural, **{name: CONTROLS[name].apply(natural) for name in self.methods}}
        sha256: dict[str, str] = {}
        shown: dict[str, Pixels] = {}
        for name, pixels in made.items():
            content = self.encoder.write(pixels)
            self.paths[name][index].write_bytes(content)
            sha256[name] = hashlib.sha256(content).hexdigest()
            shown[name] = pixels if self.encoder.is_lossless else read_8_bits(content)
        measured = {name: {_L2: _distance(shown[NATURAL], shown[name])} for name in self.methods}
        return Stored(index, sha256, measured)


def _result(begun: tuple[int, Future[Stored]]) -> tuple[int, Stored | str]:
    """What is stored of an image, or why it cannot be read."""
    index, doing = begun
    try:
        return index, doing.result()
    except InputError as error:
        return index, str(error)


def _write_tables(
    root: Path,
    rows: Sequence[DirmapRow],
    stored: Mapping[int, Stored],
    skipped: Mapping[int, str],
    methods: Sequence[str],
    encoder: Encoding,
    provenance: Mapping[str, Any],
) -> None:
    for name in methods:
        about = {"method": name, **CONTROLS[name].settings, **provenance}
        atomic_files.write_text(root / name / PROVENANCE_FILE, json.dumps(about, indent=2) + "\n")
        lines = (
            (encoder.stored_path(rows[index].im_path), f"{stored[index].measured[name][_L2]:.6f}")
            for index in sorted(stored)
        )
        write_csv(root / name / CHANGED_FILE, ("im_path", _L2), lines)
    write_variants_dirmap(root, rows, stored, skipped, encoder)


def _distance(one: Pixels, other: Pixels) -> float:
    return float(np.linalg.norm((one.astype(np.float64) - other).ravel()) / _WHITE)


def _check(methods: Sequence[str], encoder: Encoding) -> None:
    if strange := [name for name in methods if name not in CONTROLS]:
        raise InputError(f"--method is {strange[0]!r}; expected one of {', '.join(CONTROLS)}")
    if len(set(methods)) < len(methods):
        raise InputError(f"--method is given as {', '.join(methods)}; expected each once")
    if encoder.levels != _WHITE:
        raise InputError(f"--format is {encoder.name}; controls give pictures of 8 bits, so use png")

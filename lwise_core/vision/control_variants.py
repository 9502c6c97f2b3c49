"""Variants of a data set made by the off-the-shelf controls, in the same form as enhanced ones.

A folder of variants gets its name only when it is complete, and an interrupted run can be resumed. Threads read, change
and write images.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lwise_core import __version__, atomic_files
from lwise_core.dirmap import DirmapRow, write_csv
from lwise_core.errors import InputError
from lwise_core.file_names import NATURAL, PROVENANCE_FILE
from lwise_core.progress import OnProgress
from lwise_core.vision.controls import CONTROLS
from lwise_core.vision.encoding import Encoding, encoding, read_8_bits
from lwise_core.vision.images import Pixels, load_rgb
from lwise_core.vision.resumable import Finished, Outcome, ResumableFolder, in_threads, run_batches
from lwise_core.vision.shard import cut_batches
from lwise_core.vision.variant_folder import refuse_shared_names, variant_paths, write_variants_dirmap

CHANGED_FILE = "changed.csv"

_WHITE = 255
_L2 = "l2"


def write_control_variants(
    out: Path,
    *,
    images_root: Path,
    rows: Sequence[DirmapRow],
    methods: Sequence[str],
    size: int,
    stored_as: Encoding | None = None,
    skip_bad: bool = False,
    on_progress: OnProgress | None = None,
) -> list[str]:
    """Write `out/natural`, a folder per method with `provenance.json` and `changed.csv`, and `out/dirmap.csv`.

    `changed.csv` has the L2 distance of each stored image to the natural one, pixels in [0, 1].

    Parameters
    ----------
    methods : names of `controls.CONTROLS`.
    size : side of the images in pixels.
    skip_bad : skip unreadable images and list them in `skipped.csv`, instead of stopping.

    Returns
    -------
    Why images were skipped, one sentence each.

    Raises
    ------
    InputError
        If a method is unknown, the format has more than the 8 bits that methods give, `out` exists or has unfinished
        work with other settings, or an image cannot be read; the next run resumes from there.
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
    folder = ResumableFolder(out, plan)
    paths = variant_paths(folder.root, rows, (NATURAL, *methods), encoder)
    outcome = run_batches(
        cut_batches(range(len(rows)), 1),
        in_threads(_Control(images_root, rows, methods, size, encoder, paths).apply),
        images_root=images_root,
        folder=folder,
        paths=paths,
        skip_bad=skip_bad,
        on_progress=on_progress,
    )
    _write_tables(folder.root, rows, outcome, methods, encoder, provenance)
    folder.complete()
    return outcome.skipped


@dataclass(frozen=True)
class _Control:
    """Applies the methods to an image and stores the results."""

    images_root: Path
    rows: Sequence[DirmapRow]
    methods: Sequence[str]
    size: int
    encoder: Encoding
    paths: Mapping[str, Sequence[Path]]

    def apply(self, index: int) -> Finished:
        natural = load_rgb(self.images_root / self.rows[index].im_path, size=self.size)
        variants = {NATURAL: natural, **{name: CONTROLS[name].apply(natural) for name in self.methods}}
        sha256: dict[str, str] = {}
        stored: dict[str, Pixels] = {}
        for name, pixels in variants.items():
            content = self.encoder.write(pixels)
            self.paths[name][index].write_bytes(content)
            sha256[name] = hashlib.sha256(content).hexdigest()
            stored[name] = pixels if self.encoder.is_lossless else read_8_bits(content)
        return Finished(index, {name: {_L2: _distance(stored[NATURAL], stored[name])} for name in self.methods}, sha256)


def _write_tables(
    root: Path,
    rows: Sequence[DirmapRow],
    outcome: Outcome,
    methods: Sequence[str],
    encoder: Encoding,
    provenance: Mapping[str, Any],
) -> None:
    for name in methods:
        of_method = {"method": name, **CONTROLS[name].settings, **provenance}
        atomic_files.write_text(root / name / PROVENANCE_FILE, json.dumps(of_method, indent=2) + "\n")
        lines = (
            (encoder.stored_path(rows[index].im_path), f"{one.result[name][_L2]:.6f}")
            for index, one in sorted(outcome.finished.items())
        )
        write_csv(root / name / CHANGED_FILE, ("im_path", _L2), lines)
    write_variants_dirmap(root, rows, outcome, encoder)


def _distance(one: Pixels, other: Pixels) -> float:
    return float(np.linalg.norm((one.astype(np.float64) - other).ravel()) / _WHITE)


def _check(methods: Sequence[str], encoder: Encoding) -> None:
    if unknown := [name for name in methods if name not in CONTROLS]:
        raise InputError(f"--method is {unknown[0]!r}; expected one of {', '.join(CONTROLS)}")
    if len(set(methods)) < len(methods):
        raise InputError(f"--method is given as {', '.join(methods)}; expected each once")
    if encoder.levels != _WHITE:
        raise InputError(f"--format is {encoder.name}; controls give images of 8 bits, so use png")

"""Write the variants of a data set: natural, and enhanced within several budgets.

What is saved is what was made: pictures are stored lossless unless another format is asked for, and the distance and
the logits that are recorded were measured on the stored pictures. A folder of variants appears under its name only when
it is complete. Pictures are read and written by threads while the next ones are enhanced.
"""

from __future__ import annotations

import csv
import hashlib
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lwise_core import __version__, atomic_files
from lwise_core.dirmap import DirmapRow, class_names, write_csv
from lwise_core.errors import InputError
from lwise_core.vision.checkpoints.own import file_sha256, load_model
from lwise_core.vision.encoding import Encoding, encoding
from lwise_core.vision.engine import Engine
from lwise_core.vision.enhanced_batches import MEASURES, Ascent, EnhancedBatches
from lwise_core.vision.guide import GuideModel
from lwise_core.vision.images import Progress
from lwise_core.vision.objectives import objective_for
from lwise_core.vision.perturb import Budget
from lwise_core.vision.targets import Targets, targets_for
from lwise_core.vision.unfinished import Stored, UnfinishedVariants
from lwise_core.vision.variant_folder import (
    NATURAL,
    PROVENANCE_FILE,
    refuse_shared_names,
    variant_paths,
    write_variants_dirmap,
)
from lwise_core.vision.views import Views

ENHANCED_FILE = "enhanced.csv"


@dataclass(frozen=True)
class Enhancement:
    """What is done to each image.

    Attributes
    ----------
    budgets : by the variant's name.
    objective : a name of `objectives.OBJECTIVES`.
    diverge_from : classes of the data set that `logit_diverge` tells images apart from; None: all that it has.
    turned : lower the objective instead.
    best : keep of each image the iterate of the highest value instead of the last.
    n_views, seed : raise the mean over random views; 0: the picture itself.
    class_num_col, superclasses : how the model's logits stand for the classes, as in `targets.targets_for`.
    """

    budgets: Mapping[str, Budget]
    objective: str
    diverge_from: tuple[str, ...] | None = None
    turned: bool = False
    best: bool = True
    n_views: int = 0
    seed: int = 0
    class_num_col: str | None = None
    superclasses: Mapping[str, Sequence[int]] | None = None


@dataclass(frozen=True)
class Shard:
    """The part of the work that one of `of` runs at once does: every `of`-th batch from number `index`."""

    index: int = 0
    of: int = 1


def write_variants(
    out: Path,
    *,
    images_root: Path,
    rows: Sequence[DirmapRow],
    model_file: Path,
    enhancement: Enhancement,
    stored_as: Encoding | None = None,
    engine: Engine | None = None,
    skip_bad: bool = False,
    shard: Shard | None = None,
    on_progress: Progress | None = None,
) -> list[str]:
    """Write `out/natural`, one folder per budget (each with `provenance.json` and `enhanced.csv`) and `out/dirmap.csv`.

    `enhanced.csv` has per image, measured on the stored files, the guide model's true-class logit of the natural and of
    the enhanced picture, their L2 distance, and how much of the perturbation was kept: 1 if storing it changed nothing
    along its direction. `dirmap.csv` is the given dirmap with `im_path` pointing into the variants and the source in
    `orig_im_path`. A run that was cut short goes on where it stopped, and its result is that of a run that was not.

    Parameters
    ----------
    skip_bad : leave out images that cannot be read and list them in `skipped.csv`, instead of stopping.
    shard : of several runs at once, the part of this one; the variants are complete with the last.

    Returns
    -------
    What was skipped, a sentence per image.

    Raises
    ------
    InputError
        If `out` exists or was begun with other settings, the model does not know the classes, two images would get one
        name, or an image cannot be read; what was stored until then is used by the next run.
    """
    encoder, how, part = stored_as or encoding("png"), engine or Engine.automatic(), shard or Shard()
    model = load_model(model_file)
    ascent = _ascent(model, rows, enhancement, how)
    size = model.description.size
    provenance = _provenance(enhancement, model_file=model_file, size=size, encoder=encoder, engine=how)
    plan = {
        **provenance,
        "budgets": {name: asdict(budget) for name, budget in enhancement.budgets.items()},
        "images": str(images_root.resolve()),
        "rows_sha256": hashlib.sha256(repr(rows).encode()).hexdigest(),
        "batch_size": how.batch_size(size),
    }
    refuse_shared_names(rows, encoder)
    unfinished = UnfinishedVariants(out, json.loads(json.dumps(plan)))
    paths = variant_paths(unfinished.root, rows, (NATURAL, *enhancement.budgets), encoder)
    stored = unfinished.stored(paths)
    batches = [
        batch
        for batch in _batches(len(rows), how.batch_size(size))[part.index :: part.of]
        if not all(index in stored for index in batch)
    ]
    work = EnhancedBatches(ascent, rows, images_root=images_root, size=size, encoder=encoder, paths=paths)
    skipped: dict[int, str] = {}
    with unfinished.journal(part.index) as journal:
        for done in work.go_through(batches):
            journal.note(done.stored)
            stored |= {one.index: one for one in done.stored}
            skipped |= done.unreadable
            if skipped and not skip_bad:
                raise InputError(_cannot_be_read(skipped, len(stored)))
            if on_progress:
                on_progress(len(stored) + len(skipped), len(rows))
    if part.of == 1:
        if not stored:
            raise InputError(f"{images_root}: none of the {len(rows)} images can be read; is it the dirmap's folder?")
        _write_tables(unfinished.root, rows, stored, skipped, enhancement, encoder, provenance)
        unfinished.complete()
    return [why for _, why in sorted(skipped.items())]


def mean_kept(variant: Path) -> float:
    """How much of the perturbations storing them kept, over the images of a variant's folder."""
    with (variant / ENHANCED_FILE).open(encoding="utf-8", newline="") as file:
        return statistics.fmean(float(line["kept"]) for line in csv.DictReader(file))


def _ascent(model: GuideModel, rows: Sequence[DirmapRow], enhancement: Enhancement, engine: Engine) -> Ascent:
    targets = targets_for(
        model.description, rows, class_num_col=enhancement.class_num_col, superclasses=enhancement.superclasses
    )
    objective = objective_for(
        enhancement.objective,
        present=targets.column_of,
        rivals=_columns_of(enhancement.diverge_from, rows, targets),
        turned=enhancement.turned,
    )
    return Ascent(
        engine=engine,
        model=engine.prepared(model),
        targets=targets,
        objective=objective,
        budgets=enhancement.budgets,
        best=enhancement.best,
        views=Views(enhancement.n_views, enhancement.seed) if enhancement.n_views else None,
    )


def _columns_of(names: Sequence[str] | None, rows: Sequence[DirmapRow], targets: Targets) -> list[int] | None:
    if names is None:
        return None
    classes = class_names(rows)
    if strange := [name for name in names if name not in classes]:
        raise InputError(f"--diverge-from names {strange[0]}; the classes of the dirmap are {', '.join(classes)}")
    return [targets.column_of[classes.index(name)] for name in names]


def _provenance(
    enhancement: Enhancement, *, model_file: Path, size: int, encoder: Encoding, engine: Engine
) -> dict[str, Any]:
    """What is the same for every variant."""
    settings = {name: value for name, value in asdict(enhancement).items() if name != "budgets"}
    return {
        **settings,
        "format": encoder.name,
        "quality": encoder.quality,
        "model_sha256": file_sha256(model_file),
        "size": size,
        "precision": engine.precision,
        "package_version": __version__,
    }


def _batches(n: int, size: int) -> list[list[int]]:
    """Always the same, however often a run is cut short and whoever does which: an image's last digits depend on it."""
    return [list(range(first, min(first + size, n))) for first in range(0, n, size)]


def _cannot_be_read(skipped: Mapping[int, str], n_stored: int) -> str:
    (why, *others) = skipped.values()
    more = f" and {len(others)} more" if others else ""
    return f"{why}{more}; mend it or use --skip-bad. {n_stored} images are done, with which the next run goes on"


def _write_tables(
    root: Path,
    rows: Sequence[DirmapRow],
    stored: Mapping[int, Stored],
    skipped: Mapping[int, str],
    enhancement: Enhancement,
    encoder: Encoding,
    provenance: Mapping[str, Any],
) -> None:
    for name, budget in enhancement.budgets.items():
        about = {**asdict(budget), **provenance}
        atomic_files.write_text(root / name / PROVENANCE_FILE, json.dumps(about, indent=2) + "\n")
        lines = (
            [encoder.stored_path(rows[index].im_path), *(f"{stored[index].measured[name][m]:.6f}" for m in MEASURES)]
            for index in sorted(stored)
        )
        write_csv(root / name / ENHANCED_FILE, ["im_path", *MEASURES], lines)
    write_variants_dirmap(root, rows, stored, skipped, encoder)

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
from lwise_core.vision.checkpoints.native import file_sha256, load_model
from lwise_core.vision.encoding import Encoding, encoding
from lwise_core.vision.engine import Engine
from lwise_core.vision.enhanced_batches import MEASURES, Ascent, EnhancedBatches
from lwise_core.vision.guide import GuideModel
from lwise_core.vision.images import Progress
from lwise_core.vision.objectives import objective_for
from lwise_core.vision.perturb import Budget
from lwise_core.vision.random_views import RandomViews
from lwise_core.vision.resumable import Stored, UnfinishedVariants
from lwise_core.vision.shard import WHOLE, Shard
from lwise_core.vision.targets import Targets, targets_for
from lwise_core.vision.variant_folder import (
    NATURAL,
    PROVENANCE_FILE,
    refuse_shared_names,
    rows_of_variants,
    variant_paths,
    write_variants_dirmap,
)

ENHANCED_FILE = "enhanced.csv"
_OF_THE_RUN = ("budgets", "images", "rows_sha256", "batch_size")
"""What a plan has beside the provenance of the variants."""


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
    begun: Path | None = None,
    called: str | None = None,
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
    shard : of several runs at once, the part of this one, which is left as `out.unfinished`; `complete_variants`, or a
        run without it, makes the whole of them.
    begun : an unfinished folder that such a run left elsewhere; what it has of this run's part is taken from there.
    called : what the images are in the plan, by which a run knows its own work; None: their folder.

    Returns
    -------
    What was skipped, a sentence per image.

    Raises
    ------
    InputError
        If `out` exists or was begun with other settings, the model does not know the classes, two images would get one
        name, or an image cannot be read; what was stored until then is used by the next run.
    """
    encoder, how, part = stored_as or encoding("png"), engine or Engine.automatic(), shard or WHOLE
    model = load_model(model_file)
    ascent = _ascent(model, rows, enhancement, how)
    size = model.description.size
    plan = {
        **_provenance(enhancement, model_file=model_file, size=size, encoder=encoder, engine=how),
        "budgets": {name: asdict(budget) for name, budget in enhancement.budgets.items()},
        "images": called or str(images_root.resolve()),
        "rows_sha256": _fingerprint(rows),
        "batch_size": how.batch_size(size),
    }
    refuse_shared_names(rows, encoder)
    json_plan = json.loads(json.dumps(plan))
    unfinished = UnfinishedVariants(out, json_plan)
    paths = variant_paths(unfinished.root, rows, (NATURAL, *enhancement.budgets), encoder)
    batches = part.batches(len(rows), how.batch_size(size))
    work = EnhancedBatches(ascent, rows, images_root=images_root, size=size, encoder=encoder, paths=paths)
    skipped: dict[int, str] = {}
    with unfinished.journal(part.index) as journal:
        stored = unfinished.stored(paths)
        if begun is not None:
            missing = {index for batch in batches for index in batch} - stored.keys()
            stored |= unfinished.adopt(begun, missing, journal, paths)
        left = [batch for batch in batches if not all(index in stored for index in batch)]
        for done in work.go_through(left):
            journal.note(done.stored)
            journal.note_unreadable(done.unreadable)
            stored |= {one.index: one for one in done.stored}
            skipped |= done.unreadable
            if skipped and not skip_bad:
                raise InputError(_cannot_be_read(skipped, len(stored)))
            if on_progress:
                on_progress(len(stored) + len(skipped), len(rows))
    if shard is None:
        if not stored:
            raise InputError(f"{images_root}: none of the {len(rows)} images can be read; is it the dirmap's folder?")
        _write_tables(unfinished.root, rows, stored, skipped, encoder, json_plan)
        unfinished.complete()
    return [why for _, why in sorted(skipped.items())]


def complete_variants(out: Path, rows: Sequence[DirmapRow], *, skip_bad: bool = False) -> list[str]:
    """Make the whole of what runs with a shard each left in `out.unfinished`, wherever they ran.

    Parameters
    ----------
    skip_bad : leave out images that those runs could not read, instead of stopping.

    Returns
    -------
    What was skipped, a sentence per image.

    Raises
    ------
    InputError
        If an image is missing or is not what was written, or `rows` are not those of the runs.
    """
    unfinished = UnfinishedVariants.found(out)
    encoder = _encoder_of(unfinished, rows)
    stored = unfinished.stored(variant_paths(unfinished.root, rows, (NATURAL, *unfinished.plan["budgets"]), encoder))
    skipped = _skipped(unfinished, rows, stored, skip_bad=skip_bad)
    _write_tables(unfinished.root, rows, stored, skipped, encoder, unfinished.plan)
    unfinished.complete()
    return [why for _, why in sorted(skipped.items())]


@dataclass(frozen=True)
class Recorded:
    """What runs with a shard each say that they made.

    Attributes
    ----------
    sha256 : (variant, im_path) -> of the stored picture, hexadecimal; natural ones are among them.
    provenance : variant -> as in its provenance.json; of the natural one nothing.
    rows : of the images that were kept, as in the variants' dirmap.
    """

    sha256: Mapping[tuple[str, str], str]
    provenance: Mapping[str, Mapping[str, Any]]
    rows: Sequence[DirmapRow]


def recorded_variants(out: Path, rows: Sequence[DirmapRow], *, skip_bad: bool = False) -> Recorded:
    """As `complete_variants`, where plan and journals are in `out.unfinished` but the pictures somewhere else.

    Raises
    ------
    InputError
        If an image is in no journal, or `rows` are not those of the runs.
    """
    unfinished = UnfinishedVariants.found(out)
    encoder = _encoder_of(unfinished, rows)
    noted = unfinished.noted()
    _skipped(unfinished, rows, noted, skip_bad=skip_bad)
    return Recorded(
        sha256={
            (variant, encoder.stored_path(rows[index].im_path)): sha256
            for index, one in sorted(noted.items())
            for variant, sha256 in one.sha256.items()
        },
        provenance={NATURAL: {}, **_provenance_of_variants(unfinished.plan)},
        rows=rows_of_variants(rows, noted, encoder),
    )


def _encoder_of(unfinished: UnfinishedVariants, rows: Sequence[DirmapRow]) -> Encoding:
    plan = unfinished.plan
    if plan["rows_sha256"] != _fingerprint(rows):
        raise InputError(f"{unfinished.root}: was made from another dirmap than this; expected the same rows")
    return encoding(plan["format"], quality=plan["quality"])


def _skipped(
    unfinished: UnfinishedVariants, rows: Sequence[DirmapRow], stored: Mapping[int, Stored], *, skip_bad: bool
) -> dict[int, str]:
    """Images that could not be read, by their index; every other one must be stored."""
    skipped = {index: why for index, why in unfinished.unreadable().items() if index not in stored}
    if skipped and not skip_bad:
        raise InputError(_cannot_be_read(skipped, len(stored)))
    if missing := [row.im_path for index, row in enumerate(rows) if index not in stored and index not in skipped]:
        raise InputError(
            f"{unfinished.root}: {len(missing)} of {len(rows)} images are missing or damaged, the first is "
            f"{missing[0]}; run the part of the work again that makes them"
        )
    return skipped


def _provenance_of_variants(plan: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    same = {name: value for name, value in plan.items() if name not in _OF_THE_RUN}
    return {name: {**budget, **same} for name, budget in plan["budgets"].items()}


def _fingerprint(rows: Sequence[DirmapRow]) -> str:
    return hashlib.sha256(repr(rows).encode()).hexdigest()


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
        lower=enhancement.turned,
    )
    return Ascent(
        engine=engine,
        model=engine.prepared(model),
        targets=targets,
        objective=objective,
        budgets=enhancement.budgets,
        best=enhancement.best,
        views=RandomViews(enhancement.n_views, enhancement.seed) if enhancement.n_views else None,
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


def _cannot_be_read(skipped: Mapping[int, str], n_stored: int) -> str:
    (why, *others) = skipped.values()
    more = f" and {len(others)} more" if others else ""
    return f"{why}{more}; mend it or use --skip-bad. {n_stored} images are done, with which the next run goes on"


def _write_tables(
    root: Path,
    rows: Sequence[DirmapRow],
    stored: Mapping[int, Stored],
    skipped: Mapping[int, str],
    encoder: Encoding,
    plan: Mapping[str, Any],
) -> None:
    for name, about in _provenance_of_variants(plan).items():
        atomic_files.write_text(root / name / PROVENANCE_FILE, json.dumps(about, indent=2) + "\n")
        lines = (
            [encoder.stored_path(rows[index].im_path), *(f"{stored[index].measured[name][m]:.6f}" for m in MEASURES)]
            for index in sorted(stored)
        )
        write_csv(root / name / ENHANCED_FILE, ["im_path", *MEASURES], lines)
    write_variants_dirmap(root, rows, stored, skipped, encoder)

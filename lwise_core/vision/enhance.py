"""Write the variants of a data set: natural, and enhanced within several budgets.

Images are stored lossless unless another format is asked for, and the recorded distances and logits are those of the
stored images. A folder of variants gets its name only when it is complete. Threads read and write images while the next
ones are enhanced.
"""

from __future__ import annotations

import csv
import hashlib
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lwise_core import __version__, atomic_files
from lwise_core.dirmap import DirmapRow, class_names, write_csv
from lwise_core.errors import InputError
from lwise_core.file_names import NATURAL, PROVENANCE_FILE
from lwise_core.progress import OnProgress
from lwise_core.vision.checkpoints.native import file_sha256, load_model
from lwise_core.vision.encoding import Encoding, encoding
from lwise_core.vision.engine import Engine
from lwise_core.vision.enhanced_batches import MEASURES, Ascent, EnhancedBatches
from lwise_core.vision.enhancement_config import EnhancementConfig
from lwise_core.vision.guide import GuideModel
from lwise_core.vision.objectives import objective_for
from lwise_core.vision.random_views import RandomViews
from lwise_core.vision.resumable import Finished, Outcome, ResumableFolder, run_batches, unreadable_message
from lwise_core.vision.shard import WHOLE, Shard, cut_batches
from lwise_core.vision.superclasses import superclasses_of
from lwise_core.vision.targets import Targets, targets_for
from lwise_core.vision.variant_folder import (
    refuse_shared_names,
    rows_of_variants,
    variant_paths,
    write_variants_dirmap,
)

ENHANCED_FILE = "enhanced.csv"
_ONLY_IN_PLAN = ("budgets", "images", "rows_sha256", "batch_size")
"""What a plan has beside the provenance of the variants."""


def write_variants(
    out: Path,
    *,
    images_root: Path,
    rows: Sequence[DirmapRow],
    model_file: Path,
    config: EnhancementConfig,
    dataset: str | None = None,
    engine: Engine | None = None,
    shard: Shard | None = None,
    resume_from: Path | None = None,
    images_name: str | None = None,
    on_progress: OnProgress | None = None,
) -> list[str]:
    """Write `out/natural`, one folder per budget (each with `provenance.json` and `enhanced.csv`) and `out/dirmap.csv`.

    `enhanced.csv` has for each image, measured on the stored files, the guide model's true-class logit of the natural
    and of the enhanced image, their L2 distance, and the share of the perturbation that storing it has kept, 1 if all.
    `dirmap.csv` is the given dirmap with `im_path` pointing into the variants and the source in `orig_im_path`. An
    interrupted run can be resumed, with the same result as an uninterrupted one.

    Parameters
    ----------
    dataset : name of the data set in the names of variants (default: that of the images' folder).
    engine : how to compute (default: `engine_for`).
    shard : the part of this run, of several parallel runs, which is left as `out.unfinished`; `complete_variants`, or a
        run without a shard, completes it.
    resume_from : an unfinished folder that such a run left elsewhere, from which finished images are copied.
    images_name : what identifies the images in the plan (default: the path of their folder).

    Returns
    -------
    Why images were skipped, one sentence each.

    Raises
    ------
    InputError
        If `out` exists or has unfinished work with other settings, the model does not know the classes, two variants or
        two images would get the same name, or an image cannot be read; the next run resumes from there.
    """
    encoder, engine = encoding(config.format, quality=config.quality), engine or engine_for(config)
    model = load_model(model_file)
    ascent = _ascent(model, rows, config, engine, dataset=dataset or images_root.resolve().name)
    size = model.description.size
    plan = {
        **_provenance(config, model_file=model_file, size=size, encoder=encoder, engine=engine),
        "budgets": {name: asdict(budget) for name, budget in ascent.budgets.items()},
        "images": images_name or str(images_root.resolve()),
        "rows_sha256": _fingerprint(rows),
        "batch_size": engine.batch_size(size),
    }
    refuse_shared_names(rows, encoder)
    folder = ResumableFolder(out, plan)
    paths = variant_paths(folder.root, rows, (NATURAL, *ascent.budgets), encoder)
    enhanced = EnhancedBatches(ascent, rows, images_root=images_root, size=size, encoder=encoder, paths=paths)
    outcome = run_batches(
        cut_batches(range(len(rows)), engine.batch_size(size)),
        enhanced.compute,
        images_root=images_root,
        folder=folder,
        paths=paths,
        shard=shard or WHOLE,
        resume_from=resume_from,
        skip_bad=config.skip_bad,
        on_progress=on_progress,
    )
    if shard is None:
        _write_tables(folder, rows, outcome, encoder)
        folder.complete()
    return outcome.skipped


def engine_for(config: EnhancementConfig) -> Engine:
    """The fastest engine on this machine without loss, unless the settings say otherwise."""
    automatic = replace(Engine.automatic(), at_once=config.batch)
    return automatic if config.precision is None else replace(automatic, precision=config.precision)


def complete_variants(out: Path, rows: Sequence[DirmapRow], *, skip_bad: bool = False) -> list[str]:
    """Complete `out.unfinished`, the folder that runs with a shard each have left, wherever they ran.

    Parameters
    ----------
    skip_bad : skip images that those runs could not read, instead of stopping.

    Returns
    -------
    Why images were skipped, one sentence each.

    Raises
    ------
    InputError
        If an image is missing or damaged, or `rows` are not those of the runs.
    """
    folder = ResumableFolder.open_existing(out)
    encoder = _encoder_of(folder, rows)
    finished = folder.finished(variant_paths(folder.root, rows, (NATURAL, *folder.plan["budgets"]), encoder))
    outcome = _outcome(folder, rows, finished, skip_bad=skip_bad)
    _write_tables(folder, rows, outcome, encoder)
    folder.complete()
    return outcome.skipped


@dataclass(frozen=True)
class RecordedVariants:
    """Variants as the journals of the runs describe them.

    Attributes
    ----------
    sha256 : (variant, im_path) -> SHA-256 of the stored image, hexadecimal, natural ones included.
    provenance : variant -> as in its provenance.json; empty for the natural one.
    rows : as in the variants' dirmap, without skipped images.
    """

    sha256: Mapping[tuple[str, str], str]
    provenance: Mapping[str, Mapping[str, Any]]
    rows: Sequence[DirmapRow]


def recorded_variants(out: Path, rows: Sequence[DirmapRow], *, skip_bad: bool = False) -> RecordedVariants:
    """As `complete_variants`, with plan and journals in `out.unfinished` but the images somewhere else.

    Raises
    ------
    InputError
        If an image is missing from the journals, or `rows` are not those of the runs.
    """
    folder = ResumableFolder.open_existing(out)
    encoder = _encoder_of(folder, rows)
    recorded = folder.recorded()
    _outcome(folder, rows, recorded, skip_bad=skip_bad)
    return RecordedVariants(
        sha256={
            (variant, encoder.stored_path(rows[index].im_path)): sha256
            for index, one in sorted(recorded.items())
            for variant, sha256 in one.sha256.items()
        },
        provenance={NATURAL: {}, **_provenance_of_variants(folder.plan)},
        rows=rows_of_variants(rows, recorded, encoder),
    )


def _encoder_of(folder: ResumableFolder, rows: Sequence[DirmapRow]) -> Encoding:
    plan = folder.plan
    if plan["rows_sha256"] != _fingerprint(rows):
        raise InputError(f"{folder.root}: was made from another dirmap; expected the same rows")
    return encoding(plan["format"], quality=plan["quality"])


def _outcome(
    folder: ResumableFolder, rows: Sequence[DirmapRow], finished: dict[int, Finished], *, skip_bad: bool
) -> Outcome:
    """What parallel runs have finished; every image that is not must be unreadable."""
    unreadable = {index: why for index, why in folder.unreadable().items() if index not in finished}
    if unreadable and not skip_bad:
        raise InputError(unreadable_message(unreadable, n_finished=len(finished)))
    missing = [row.im_path for index, row in enumerate(rows) if index not in finished and index not in unreadable]
    if missing:
        raise InputError(
            f"{folder.root}: {len(missing)} of {len(rows)} images are missing or damaged, the first is {missing[0]}; "
            "run the shard that makes them again"
        )
    return Outcome(finished, unreadable)


def _provenance_of_variants(plan: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    shared = {name: value for name, value in plan.items() if name not in _ONLY_IN_PLAN}
    return {name: {**budget, **shared} for name, budget in plan["budgets"].items()}


def _fingerprint(rows: Sequence[DirmapRow]) -> str:
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def mean_kept(variant: Path) -> float:
    """The share of the perturbations that storing them has kept, mean over the images of a variant's folder."""
    with (variant / ENHANCED_FILE).open(encoding="utf-8", newline="") as file:
        return statistics.fmean(float(line["kept"]) for line in csv.DictReader(file))


def _ascent(
    model: GuideModel, rows: Sequence[DirmapRow], config: EnhancementConfig, engine: Engine, *, dataset: str
) -> Ascent:
    targets = targets_for(
        model.description,
        rows,
        class_num_col=config.class_num_col,
        superclasses=superclasses_of(config.superclasses),
    )
    objective = objective_for(
        config.objective,
        present=targets.column_of,
        rivals=_columns_of(config.diverge_from, rows, targets) if config.diverge_from else None,
        lower=config.lower,
    )
    return Ascent(
        engine=engine,
        model=engine.prepared(model),
        targets=targets,
        objective=objective,
        budgets=config.budgets(dataset=dataset),
        best=config.best,
        views=RandomViews(config.views, config.seed) if config.views else None,
    )


def _columns_of(names: Sequence[str], rows: Sequence[DirmapRow], targets: Targets) -> list[int]:
    classes = class_names(rows)
    if unknown := [name for name in names if name not in classes]:
        raise InputError(f"--diverge-from names {unknown[0]}; the classes of the dirmap are {', '.join(classes)}")
    return [targets.column_of[classes.index(name)] for name in names]


def _provenance(
    config: EnhancementConfig, *, model_file: Path, size: int, encoder: Encoding, engine: Engine
) -> dict[str, Any]:
    """What all variants have in common."""
    return {
        "objective": config.objective,
        "diverge_from": config.diverge_from or None,
        "lower": config.lower,
        "best": config.best,
        "n_views": config.views,
        "seed": config.seed,
        "class_num_col": config.class_num_col,
        "superclasses": superclasses_of(config.superclasses),
        "format": encoder.name,
        "quality": encoder.quality,
        "model_sha256": file_sha256(model_file),
        "size": size,
        "precision": engine.precision,
        "package_version": __version__,
    }


def _write_tables(folder: ResumableFolder, rows: Sequence[DirmapRow], outcome: Outcome, encoder: Encoding) -> None:
    for name, provenance in _provenance_of_variants(folder.plan).items():
        variant = folder.root / name
        atomic_files.write_text(variant / PROVENANCE_FILE, json.dumps(provenance, indent=2) + "\n")
        lines = (
            [encoder.stored_path(rows[index].im_path), *(f"{one.result[name][measure]:.6f}" for measure in MEASURES)]
            for index, one in sorted(outcome.finished.items())
        )
        write_csv(variant / ENHANCED_FILE, ["im_path", *MEASURES], lines)
    write_variants_dirmap(folder.root, rows, outcome, encoder)

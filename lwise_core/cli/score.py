"""`lwise score`: how hard each picture is, and how often a model is right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lwise_core.cli.image_options import (
    CLASS_NUM_COL,
    DIRMAP,
    IMAGES,
    MODEL,
    PRESENT_ONLY,
    SKIP_BAD,
    SPLIT,
    SUPERCLASSES,
)
from lwise_core.cli.measuring import measured
from lwise_core.cli.progress import console, step
from lwise_core.dirmap import DirmapRow, read_dirmap, write_dirmap

if TYPE_CHECKING:
    from lwise_core.vision.accuracy import Confusion

_MOST_CLASSES_TOLD = 20


def score(
    dirmap: Path = DIRMAP,
    images: Path = IMAGES,
    model: Path = MODEL,
    out: Path | None = typer.Option(None, "--out", "-o", help="Where to write the scored dirmap (default: in place)."),
    split: str | None = SPLIT,
    column: str = typer.Option(
        "robust_gt_logit", help="Column of the true class's logit; of another model than the guide: vanilla_gt_logit."
    ),
    class_num_col: str | None = CLASS_NUM_COL,
    superclasses: str | None = SUPERCLASSES,
    present_only: bool = PRESENT_ONLY,
    report: Path | None = typer.Option(None, help="Folder for accuracy per class and the confusion matrix."),
    skip_bad: bool = SKIP_BAD,
) -> None:
    """Add `robust_gt_logit`, `difficulty` and what else a model makes of each image to a dirmap.

    May be cut short and run again: it goes on where it stopped.

    Example: `lwise score dirmap.csv --images photos --model guide.safetensors --report scores`
    """
    from lwise_core.vision.accuracy import confusion, write_report
    from lwise_core.vision.checkpoints.own import file_sha256, load_model
    from lwise_core.vision.engine import Engine, preferred_device
    from lwise_core.vision.measuring import measurements_of
    from lwise_core.vision.score import column_prefix, scores, scoring, with_columns
    from lwise_core.vision.superclasses import superclasses as read_superclasses
    from lwise_core.vision.targets import targets_for

    column_prefix(column)
    rows, table = read_dirmap(dirmap), out or dirmap
    guide = load_model(model)
    targets = targets_for(
        guide.description,
        rows,
        class_num_col=class_num_col,
        superclasses=None if superclasses is None else read_superclasses(superclasses),
        present_only=present_only,
    )
    engine = Engine(preferred_device())
    measure = scoring(guide, targets, engine)
    begun = measurements_of(table, column, measure, rows, engine=engine, settings={"model_sha256": file_sha256(model)})
    found = measured(
        "Scoring how hard each picture is",
        measure,
        rows,
        images,
        engine=engine,
        split=split,
        skip_bad=skip_bad,
        begun=begun,
    )
    scored = scores(found.values, rows, targets=targets, model_classes=guide.description.classes)
    write_dirmap(table, with_columns(rows, scored, column=column, unreadable=found.unreadable))
    matrix = confusion(rows, scored)
    if report is not None:
        with step(f"Drawing the confusion matrix in {report}"):
            write_report(report, matrix)
    begun.discard()
    console.print(f"{table}: {len(scored)} images scored", markup=False, soft_wrap=True)
    _say_accuracy(matrix)


def score_images(rows: list[DirmapRow], images: Path, model_file: Path) -> list[DirmapRow]:
    """Dirmap rows with a guide model's `robust_gt_logit` and `difficulty`. Used by `lwise demo`."""
    from lwise_core.vision.checkpoints.own import load_model
    from lwise_core.vision.engine import Engine, preferred_device
    from lwise_core.vision.score import scores, scoring, with_columns
    from lwise_core.vision.targets import targets_for

    guide = load_model(model_file)
    targets, engine = targets_for(guide.description, rows), Engine(preferred_device())
    measure = scoring(guide, targets, engine)
    found = measured("Scoring how hard each picture is", measure, rows, images, engine=engine)
    scored = scores(found.values, rows, targets=targets, model_classes=guide.description.classes)
    return with_columns(rows, scored)


def _say_accuracy(matrix: Confusion) -> None:
    console.print(f"accuracy {matrix.accuracy:.1%} (n = {matrix.n_images})", markup=False)
    if len(matrix.classes) > _MOST_CLASSES_TOLD:
        return
    for number, name in enumerate(matrix.classes):
        share, n = matrix.accuracy_of(number), sum(matrix.counts[number])
        if share is not None:
            console.print(f"  {name}: {share:.1%} (n = {n})", markup=False)

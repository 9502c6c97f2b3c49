"""`lwise score`: how hard each image is, and the accuracy of a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lwise_core.cli.image_options import DIRMAP, IMAGES, MODEL, SETTINGS_FILE, SHARD, parse_shard
from lwise_core.cli.measuring import print_skipped
from lwise_core.cli.progress import say, step
from lwise_core.cli.setting_options import choose_settings, with_settings
from lwise_core.dirmap import read_dirmap
from lwise_core.vision.scoring_config import ScoringConfig

if TYPE_CHECKING:
    from lwise_core.vision.accuracy import Confusion

_MAX_CLASSES_PRINTED = 20


@with_settings(ScoringConfig)
def score(
    dirmap: Path = DIRMAP,
    images: Path = IMAGES,
    model: Path = MODEL,
    out: Path | None = typer.Option(None, "--out", "-o", help="Where to write the scored dirmap (default: in place)."),
    report: Path | None = typer.Option(None, help="Folder for accuracy per class and the confusion matrix."),
    config: Path | None = SETTINGS_FILE,
    shard: str | None = SHARD,
    **options: Any,
) -> None:
    """Add `robust_gt_logit`, `difficulty` and the other scores of each image to a dirmap.

    An interrupted run resumes when it is started again.

    Example: `lwise score dirmap.csv --images photos --model guide.safetensors --report scores`
    """
    settings = choose_settings(ScoringConfig, options, command="lwise score", file=config)
    from lwise_core.vision.accuracy import write_report
    from lwise_core.vision.score_dirmap import score_dirmap, score_part

    rows, table, part = read_dirmap(dirmap), out or dirmap, parse_shard(shard)
    with step("Scoring the difficulty of each image") as on_progress:
        if part is not None:
            score_part(rows, images, model, table, config=settings, shard=part, on_progress=on_progress)
            return
        scored = score_dirmap(rows, images, model, table, config=settings, on_progress=on_progress)
    print_skipped(scored.unreadable)
    if report is not None:
        with step(f"Drawing the confusion matrix in {report}"):
            write_report(report, scored.confusion)
    say(f"{table}: {scored.n_images} images scored")
    _print_accuracy(scored.confusion)


def _print_accuracy(matrix: Confusion) -> None:
    say(f"accuracy {matrix.accuracy:.1%} (n = {matrix.n_images})")
    if len(matrix.classes) > _MAX_CLASSES_PRINTED:
        return
    for number, name in enumerate(matrix.classes):
        share, n = matrix.accuracy_of(number), sum(matrix.counts[number])
        if share is not None:
            say(f"  {name}: {share:.1%} (n = {n})")

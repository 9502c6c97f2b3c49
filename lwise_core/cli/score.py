"""`lwise score`: how hard each picture is, and how often a model is right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lwise_core.cli.image_options import DIRMAP, IMAGES, MODEL, SETTINGS_FILE, SHARD, shard_told
from lwise_core.cli.measuring import say_skipped
from lwise_core.cli.progress import say, step
from lwise_core.cli.setting_options import chosen, with_settings
from lwise_core.dirmap import read_dirmap
from lwise_core.vision.scoring_config import ScoringConfig

if TYPE_CHECKING:
    from lwise_core.vision.accuracy import Confusion

_MOST_CLASSES_TOLD = 20


@with_settings(ScoringConfig)
def score(
    dirmap: Path = DIRMAP,
    images: Path = IMAGES,
    model: Path = MODEL,
    out: Path | None = typer.Option(None, "--out", "-o", help="Where to write the scored dirmap (default: in place)."),
    report: Path | None = typer.Option(None, help="Folder for accuracy per class and the confusion matrix."),
    config: Path | None = SETTINGS_FILE,
    shard: str | None = SHARD,
    **settings: Any,
) -> None:
    """Add `robust_gt_logit`, `difficulty` and what else a model makes of each image to a dirmap.

    May be cut short and run again: it goes on where it stopped.

    Example: `lwise score dirmap.csv --images photos --model guide.safetensors --report scores`
    """
    settled = chosen(ScoringConfig, settings, command="lwise score", file=config)
    from lwise_core.vision.accuracy import write_report
    from lwise_core.vision.score_dirmap import score_dirmap, score_part

    rows, table, part = read_dirmap(dirmap), out or dirmap, shard_told(shard)
    with step("Scoring how hard each picture is") as on_progress:
        if part is not None:
            score_part(rows, images, model, table, config=settled, shard=part, on_progress=on_progress)
            return
        scored = score_dirmap(rows, images, model, table, config=settled, on_progress=on_progress)
    say_skipped(scored.unreadable)
    if report is not None:
        with step(f"Drawing the confusion matrix in {report}"):
            write_report(report, scored.confusion)
    say(f"{table}: {scored.n_images} images scored")
    _say_accuracy(scored.confusion)


def _say_accuracy(matrix: Confusion) -> None:
    say(f"accuracy {matrix.accuracy:.1%} (n = {matrix.n_images})")
    if len(matrix.classes) > _MOST_CLASSES_TOLD:
        return
    for number, name in enumerate(matrix.classes):
        share, n = matrix.accuracy_of(number), sum(matrix.counts[number])
        if share is not None:
            say(f"  {name}: {share:.1%} (n = {n})")

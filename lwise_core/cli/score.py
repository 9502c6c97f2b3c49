"""`lwise score`: how hard each picture is."""

from __future__ import annotations

from pathlib import Path

import typer

from lwise_core.cli.image_options import DIRMAP, IMAGES, MODEL
from lwise_core.cli.progress import console, step
from lwise_core.dirmap import DirmapRow, read_dirmap, write_dirmap


def score(
    dirmap: Path = DIRMAP,
    images: Path = IMAGES,
    model: Path = MODEL,
    out: Path | None = typer.Option(None, "--out", "-o", help="Where to write the scored dirmap (default: in place)."),
) -> None:
    """Add `robust_gt_logit` and `difficulty` to a dirmap.

    Example: `lwise score dirmap.csv --images photos --model guide.safetensors`
    """
    scored = score_images(read_dirmap(dirmap), images, model)
    write_dirmap(out or dirmap, scored)
    console.print(f"{out or dirmap}: {len(scored)} images scored", markup=False)


def score_images(rows: list[DirmapRow], images: Path, model_file: Path) -> list[DirmapRow]:
    """Dirmap rows with their scores. Shared by `lwise score` and `lwise demo`."""
    from lwise_core.vision.checkpoints.own import load_model
    from lwise_core.vision.datasets import DirmapDataset
    from lwise_core.vision.score import true_logits, with_scores
    from lwise_core.vision.targets import targets_for
    from lwise_core.vision.train import preferred_device

    model = load_model(model_file).to(preferred_device())
    targets = targets_for(model.description, rows)
    with step("Loading pictures") as on_progress:
        pictures, _ = DirmapDataset(images, rows, size=model.description.size).load(on_progress)
    with step("Scoring how hard each picture is") as on_progress:
        logits = true_logits(model, pictures, targets.labels(rows), on_progress=on_progress)
    return with_scores(rows, logits.tolist())

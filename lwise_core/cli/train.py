"""`lwise train`: a guide model for a data set."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lwise_core.cli.image_options import DIRMAP, IMAGES
from lwise_core.cli.progress import console, step
from lwise_core.dirmap import DirmapRow, class_names, read_dirmap
from lwise_core.errors import InputError

if TYPE_CHECKING:
    from lwise_core.vision.train import Accuracy, TrainingConfig


def train(
    dirmap: Path = DIRMAP,
    images: Path = IMAGES,
    out: Path = typer.Option(Path("guide.safetensors"), "--out", "-o", help="Where to write the model."),
    size: int = typer.Option(96, min=16, max=512, help="Side of the square pictures in pixels."),
    eps: float = typer.Option(
        1.0, min=0.0, help="L2 radius of the attack in [0,1] pixels; 0 trains a non-robust model."
    ),
    epochs: int = typer.Option(30, min=1),
    seed: int = typer.Option(0),
) -> None:
    """Train a guide model adversarially on the split `train` and measure it on `val`.

    Example: `lwise train dirmap.csv --images photos --eps 1 --out guide.safetensors`
    """
    from lwise_core.vision.train import TrainingConfig

    config = TrainingConfig(epsilon=eps, epochs=epochs, seed=seed)
    accuracy = train_model(read_dirmap(dirmap), images, out, size=size, config=config)
    console.print(
        f"{out}: accuracy {accuracy.clean_accuracy:.1%} on natural images, {accuracy.robust_accuracy:.1%} under attack "
        f"(L2 ε = {accuracy.attack['epsilon']:g}, {accuracy.attack['steps']} steps); chance {accuracy.chance:.1%}",
        markup=False,
    )


def train_model(rows: list[DirmapRow], images: Path, out: Path, *, size: int, config: TrainingConfig) -> Accuracy:
    """Train, measure under PGD-10 at the training radius, save. Shared by `lwise train` and `lwise demo`."""
    from lwise_core.vision.architectures import SMALL_RESNET
    from lwise_core.vision.checkpoints.own import save_model
    from lwise_core.vision.datasets import DirmapDataset
    from lwise_core.vision.guide import GuideDescription
    from lwise_core.vision.train import evaluate, validation_budget
    from lwise_core.vision.train import train as train_new

    parts = {split: [row for row in rows if row.split == split] for split in ("train", "val")}
    for split, of_split in parts.items():
        if not of_split:
            raise InputError(f"the dirmap has no images in split {split}; make one with `lwise dataset index`")
    with step("Loading pictures") as on_progress:
        loaded = {
            split: DirmapDataset(images, of_split, size=size).load(on_progress) for split, of_split in parts.items()
        }
    with step(f"Training the guide model ({config.epochs} epochs, adversarially)") as on_progress:
        model = train_new(
            *loaded["train"],
            description=GuideDescription(SMALL_RESNET, classes=tuple(class_names(rows)), size=size),
            config=config,
            on_epoch=lambda done, loss: on_progress(done, config.epochs),
        )
    with step("Attacking it on the validation images"):
        accuracy = evaluate(model, *loaded["val"], budget=validation_budget(config))
    save_model(out, model, training=asdict(config), metrics=asdict(accuracy))
    return accuracy

"""`lwise train`, `lwise score`, `lwise enhance`: the image side on this machine."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lwise_core.cli.progress import console, step
from lwise_core.dirmap import DirmapRow, class_names, read_dirmap, write_dirmap
from lwise_core.errors import InputError

if TYPE_CHECKING:
    from lwise_core.vision.train import Accuracy, TrainingConfig

_DIRMAP = typer.Argument(help="The dirmap of the data set.")
_IMAGES = typer.Option(..., "--images", help="Folder that the dirmap's im_path starts from.")
_MODEL = typer.Option(..., "--model", "-m", help="Guide model (.safetensors).")


def train(
    dirmap: Path = _DIRMAP,
    images: Path = _IMAGES,
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


def score(
    dirmap: Path = _DIRMAP,
    images: Path = _IMAGES,
    model: Path = _MODEL,
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


def enhance(
    dirmap: Path = _DIRMAP,
    images: Path = _IMAGES,
    model: Path = _MODEL,
    eps: list[float] = typer.Option(
        [4.0, 2.0, 1.0, 0.5], "--eps", min=0.0, help="L2 budget; give it once per variant."
    ),
    step_size: float = typer.Option(0.5, "--step", min=0.001, help="L2 length of one step."),
    objective: str = typer.Option("logit_diverge", help="What to raise: logit, logit_diverge or cross_entropy."),
    out: Path = typer.Option(Path("variants"), "--out", "-o", help="New folder for the variants."),
    seed: int = typer.Option(0, help="Recorded in provenance.json."),
) -> None:
    """Enhance every image within each budget and write one variant folder per ε, plus the natural one.

    Example: `lwise enhance dirmap.csv --images photos --model guide.safetensors --eps 4 --eps 1`
    """
    enhance_images(
        read_dirmap(dirmap), images, model, out, epsilons=eps, step_size=step_size, objective=objective, seed=seed
    )
    console.print(f"{out}: variants natural, {', '.join(f'eps{epsilon:g}' for epsilon in eps)}", markup=False)


def enhance_images(
    rows: list[DirmapRow],
    images: Path,
    model_file: Path,
    out: Path,
    *,
    epsilons: list[float],
    step_size: float,
    objective: str,
    seed: int,
) -> None:
    """Write the variants of a data set. Shared by `lwise enhance` and `lwise demo`."""
    from lwise_core.vision.enhance import write_variants
    from lwise_core.vision.objectives import OBJECTIVES
    from lwise_core.vision.perturb import Budget

    if objective not in OBJECTIVES:
        raise InputError(f"--objective is {objective!r}; expected one of {', '.join(OBJECTIVES)}")
    if len(set(epsilons)) < len(epsilons):
        raise InputError(f"--eps is given as {', '.join(f'{epsilon:g}' for epsilon in epsilons)}; expected each ε once")
    with step(
        f"Enhancing {len(rows)} pictures at ε = {', '.join(f'{epsilon:g}' for epsilon in epsilons)}"
    ) as on_progress:
        write_variants(
            out,
            images_root=images,
            rows=rows,
            model_file=model_file,
            budgets=[Budget.along_radius(epsilon, step=step_size) for epsilon in epsilons],
            objective=objective,
            seed=seed,
            on_progress=on_progress,
        )

"""`lwise enhance`: variants of a data set, enhanced within several budgets."""

from __future__ import annotations

from pathlib import Path

import typer

from lwise_core.cli.image_options import DIRMAP, IMAGES, MODEL
from lwise_core.cli.progress import console, step
from lwise_core.dirmap import DirmapRow, read_dirmap
from lwise_core.errors import InputError


def enhance(
    dirmap: Path = DIRMAP,
    images: Path = IMAGES,
    model: Path = MODEL,
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

"""`lwise enhance`: variants of a data set, enhanced within several budgets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lwise_core.cli.image_options import CLASS_NUM_COL, DIRMAP, IMAGES, MODEL, SKIP_BAD, SUPERCLASSES
from lwise_core.cli.progress import console, errors, step
from lwise_core.dirmap import DirmapRow, read_dirmap
from lwise_core.errors import InputError

if TYPE_CHECKING:
    from lwise_core.vision.encoding import Encoding
    from lwise_core.vision.engine import Engine
    from lwise_core.vision.enhance import Enhancement, Shard
    from lwise_core.vision.perturb import Budget

_LITTLE = 0.9
"""Less of a perturbation than this is kept: worth a word."""


def enhance(
    dirmap: Path = DIRMAP,
    images: Path = IMAGES,
    model: Path = MODEL,
    eps: list[float] = typer.Option([4.0, 2.0, 1.0, 0.5], "--eps", min=0.0, help="L2 budget; once per variant."),
    step_size: float = typer.Option(0.5, "--step", min=0.001, help="L2 length of one step."),
    steps: int | None = typer.Option(None, min=1, help="Number of steps (default: as many as walk the radius)."),
    objective: str = typer.Option("logit_diverge", help="What to raise: logit, logit_diverge or cross_entropy."),
    diverge_from: list[str] = typer.Option(
        [], help="With logit_diverge: a class to tell images apart from; may be given several times (default: all)."
    ),
    attack: bool = typer.Option(False, "--attack", help="Lower it instead."),
    best: bool = typer.Option(True, "--best/--last", help="Keep each picture's best iterate, or the last one."),
    views: int = typer.Option(0, min=0, help="Raise the mean over so many random views a step; for transformers."),
    class_num_col: str | None = CLASS_NUM_COL,
    superclasses: str | None = SUPERCLASSES,
    stored_as: str = typer.Option("png", "--format", help="png, webp (lossless), png16 (16 bits) or jpeg."),
    quality: int | None = typer.Option(None, min=1, max=100, help="Of jpeg (default: 95)."),
    name: str = typer.Option(
        "{dataset}_{eps}_{step}_{steps}_{objective}", help="What variants are called, e.g. 'eps{eps}'."
    ),
    dataset: str | None = typer.Option(None, help="{dataset} in the names (default: the name of IMAGES)."),
    precision: str | None = typer.Option(None, help="fp32, bf16 or fp64 (default: the fastest that is as good)."),
    at_once: int | None = typer.Option(
        None, "--batch", min=1, help="Pictures at once (default: what suits the device)."
    ),
    skip_bad: bool = SKIP_BAD,
    shard: str | None = typer.Option(
        None, help="Of N runs at once, e.g. on N cards, this one's part: I/N, I from 0; then once without --shard."
    ),
    out: Path = typer.Option(Path("variants"), "--out", "-o", help="New folder for the variants."),
    seed: int = typer.Option(0, min=0, help="Of the random views."),
) -> None:
    """Enhance every image within each budget and write one variant folder per ε, plus the natural one.

    May be cut short and run again: it goes on where it stopped.

    Example: `lwise enhance dirmap.csv --images photos --model guide.safetensors --eps 4 --eps 1`
    """
    from lwise_core.vision.encoding import encoding
    from lwise_core.vision.enhance import Enhancement, variant_names
    from lwise_core.vision.superclasses import superclasses as read_superclasses

    budgets = variant_names(
        name,
        _budgets(eps, step_size=step_size, steps=steps),
        dataset=dataset or images.resolve().name,
        objective=objective,
    )
    enhancement = Enhancement(
        budgets=budgets,
        objective=objective,
        diverge_from=tuple(diverge_from) or None,
        turned=attack,
        best=best,
        n_views=views,
        seed=seed,
        class_num_col=class_num_col,
        superclasses=None if superclasses is None else read_superclasses(superclasses),
    )
    enhance_images(
        read_dirmap(dirmap),
        images,
        model,
        out,
        enhancement=enhancement,
        stored_as=encoding(stored_as, quality=quality),
        engine=_engine(precision, at_once),
        skip_bad=skip_bad,
        shard=_shard(shard),
    )
    if shard is None:
        console.print(f"{out}: variants natural, {', '.join(budgets)}", markup=False, soft_wrap=True)
        _say_what_was_kept(out, enhancement)


def enhance_images(
    rows: list[DirmapRow],
    images: Path,
    model_file: Path,
    out: Path,
    *,
    enhancement: Enhancement,
    stored_as: Encoding | None = None,
    engine: Engine | None = None,
    skip_bad: bool = False,
    shard: Shard | None = None,
) -> None:
    """Write the variants of a data set. Shared by `lwise enhance` and `lwise demo`."""
    from lwise_core.vision.enhance import write_variants
    from lwise_core.vision.perturb import n_gradients

    budgets = list(enhancement.budgets.values())
    told = ", ".join(f"{budget.epsilon:g}" for budget in budgets)
    alone = sum(budget.steps for budget in budgets)
    with step(
        f"Enhancing {len(rows)} pictures at ε = {told} ({n_gradients(budgets)} gradients each, of {alone} one by one)"
    ) as on_progress:
        skipped = write_variants(
            out,
            images_root=images,
            rows=rows,
            model_file=model_file,
            enhancement=enhancement,
            stored_as=stored_as,
            engine=engine,
            skip_bad=skip_bad,
            shard=shard,
            on_progress=on_progress,
        )
    for why in skipped:
        errors.print(f"skipped: {why}", markup=False, soft_wrap=True)


def _budgets(epsilons: list[float], *, step_size: float, steps: int | None) -> list[Budget]:
    from lwise_core.vision.perturb import Budget

    if len(set(epsilons)) < len(epsilons):
        raise InputError(f"--eps is given as {', '.join(f'{epsilon:g}' for epsilon in epsilons)}; expected each ε once")
    if steps is None:
        return [Budget.along_radius(epsilon, step=step_size) for epsilon in epsilons]
    return [Budget(epsilon, step_size, steps) for epsilon in epsilons]


def _engine(precision: str | None, at_once: int | None) -> Engine:
    from dataclasses import replace
    from typing import get_args

    from lwise_core.vision.engine import Engine, Precision

    automatic = replace(Engine.automatic(), at_once=at_once)
    if precision is None:
        return automatic
    known: dict[str, Precision] = {name: name for name in get_args(Precision)}
    if precision not in known:
        raise InputError(f"--precision is {precision!r}; expected one of {', '.join(known)}")
    return replace(automatic, precision=known[precision])


def _shard(text: str | None) -> Shard | None:
    from lwise_core.vision.enhance import Shard

    if text is None:
        return None
    index, slash, of = text.partition("/")
    if not slash or not index.isdecimal() or not of.isdecimal() or int(index) >= int(of) or int(of) < 2:
        raise InputError(f"--shard is {text!r}; expected I/N with I from 0 to N - 1, e.g. 0/4")
    return Shard(int(index), int(of))


def _say_what_was_kept(out: Path, enhancement: Enhancement) -> None:
    """Storing may take more of a small perturbation than people expect."""
    from lwise_core.vision.enhance import mean_kept

    for name, budget in enhancement.budgets.items():
        kept = mean_kept(out / name)
        if kept < _LITTLE:
            errors.print(
                f"{name}: storing kept {kept:.0%} of the perturbation (ε = {budget.epsilon:g}); what is lost is "
                "smaller than a step of the format. --format png16 keeps it, for other programs than a browser",
                markup=False,
                soft_wrap=True,
            )

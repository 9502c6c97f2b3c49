"""`lwise enhance`: variants of a data set, enhanced within several budgets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lwise_core.cli.image_options import DIRMAP, IMAGES, MODEL, SETTINGS_FILE, SHARD, shard_told
from lwise_core.cli.progress import say, step, warn
from lwise_core.cli.setting_options import chosen, with_settings
from lwise_core.dirmap import DirmapRow, read_dirmap
from lwise_core.vision.enhancement_config import EnhancementConfig

if TYPE_CHECKING:
    from lwise_core.vision.encoding import Encoding
    from lwise_core.vision.engine import Engine
    from lwise_core.vision.enhance import Enhancement
    from lwise_core.vision.shard import Shard

_LITTLE = 0.9
"""Less of a perturbation than this is kept: worth a word."""


@with_settings(EnhancementConfig)
def enhance(
    dirmap: Path = DIRMAP,
    images: Path = IMAGES,
    model: Path = MODEL,
    out: Path = typer.Option(Path("variants"), "--out", "-o", help="New folder for the variants."),
    dataset: str | None = typer.Option(None, help="{dataset} in the names (default: the name of IMAGES)."),
    config: Path | None = SETTINGS_FILE,
    shard: str | None = SHARD,
    **settings: Any,
) -> None:
    """Enhance every image within each budget and write one variant folder per ε, plus the natural one.

    May be cut short and run again: it goes on where it stopped.

    Example: `lwise enhance dirmap.csv --images photos --model guide.safetensors --eps 4 1 0.25`
    """
    settled = chosen(EnhancementConfig, settings, command="lwise enhance", file=config)
    from lwise_core.vision.encoding import encoding
    from lwise_core.vision.enhancement_setup import engine_of, enhancement_of

    enhancement = enhancement_of(settled, dataset=dataset or images.resolve().name)
    enhance_images(
        read_dirmap(dirmap),
        images,
        model,
        out,
        enhancement=enhancement,
        stored_as=encoding(settled.format, quality=settled.quality),
        engine=engine_of(settled),
        skip_bad=settled.skip_bad,
        shard=shard_told(shard),
    )
    if shard is None:
        say(f"{out}: variants natural, {', '.join(enhancement.budgets)}")
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
    from lwise_core.vision.shared_gradients import n_gradients

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
        warn(f"skipped: {why}")


def _say_what_was_kept(out: Path, enhancement: Enhancement) -> None:
    """Storing may take more of a small perturbation than people expect."""
    from lwise_core.vision.enhance import mean_kept

    for name, budget in enhancement.budgets.items():
        kept = mean_kept(out / name)
        if kept < _LITTLE:
            warn(
                f"{name}: storing kept {kept:.0%} of the perturbation (ε = {budget.epsilon:g}); what is lost is "
                "smaller than a step of the format. --format png16 keeps it, for other programs than a browser",
            )

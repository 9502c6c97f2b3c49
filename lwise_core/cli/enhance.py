"""`lwise enhance`: variants of a data set, enhanced within several budgets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from lwise_core.cli.image_options import DIRMAP, IMAGES, MODEL, SETTINGS_FILE, SHARD, parse_shard
from lwise_core.cli.progress import say, step, warn
from lwise_core.cli.setting_options import choose_settings, with_settings
from lwise_core.dirmap import DirmapRow, read_dirmap
from lwise_core.file_names import NATURAL
from lwise_core.vision.enhancement_config import EnhancementConfig

_LITTLE_KEPT = 0.9
"""Below this share of the perturbation kept, the user is warned."""


@with_settings(EnhancementConfig)
def enhance(
    dirmap: Path = DIRMAP,
    images: Path = IMAGES,
    model: Path = MODEL,
    out: Path = typer.Option(Path("variants"), "--out", "-o", help="New folder for the variants."),
    dataset: str | None = typer.Option(None, help="{dataset} in the names (default: the name of IMAGES)."),
    config: Path | None = SETTINGS_FILE,
    shard: str | None = SHARD,
    **options: Any,
) -> None:
    """Enhance every image within each budget and write one variant folder per ε, plus the natural one.

    An interrupted run resumes when it is started again.

    Example: `lwise enhance dirmap.csv --images photos --model guide.safetensors --eps 4 1 0.25`
    """
    settings = choose_settings(EnhancementConfig, options, command="lwise enhance", file=config)
    enhance_images(read_dirmap(dirmap), images, model, out, config=settings, dataset=dataset, shard=shard)
    if shard is None:
        budgets = settings.budgets(dataset=dataset or images.resolve().name)
        say(f"{out}: variants {', '.join((NATURAL, *budgets))}")
        for name, budget in budgets.items():
            _warn_if_little_kept(out / name, budget.epsilon)


def enhance_images(
    rows: list[DirmapRow],
    images: Path,
    model_file: Path,
    out: Path,
    *,
    config: EnhancementConfig,
    dataset: str | None = None,
    shard: str | None = None,
) -> None:
    """Write the variants of a data set. Shared by `lwise enhance` and `lwise demo`."""
    part, name = parse_shard(shard), dataset or images.resolve().name
    budgets = list(config.budgets(dataset=name).values())
    from lwise_core.vision.enhance import write_variants
    from lwise_core.vision.shared_gradients import n_gradients

    epsilons = ", ".join(f"{budget.epsilon:g}" for budget in budgets)
    n_separate = sum(budget.steps for budget in budgets)
    with step(
        f"Enhancing {len(rows)} images at ε = {epsilons} ({n_gradients(budgets)} gradients each, {n_separate} if not "
        "shared)"
    ) as on_progress:
        skipped = write_variants(
            out,
            images_root=images,
            rows=rows,
            model_file=model_file,
            config=config,
            dataset=name,
            shard=part,
            on_progress=on_progress,
        )
    for why in skipped:
        warn(f"skipped: {why}")


def _warn_if_little_kept(variant: Path, epsilon: float) -> None:
    """Storing may lose more of a small perturbation than people expect."""
    from lwise_core.vision.enhance import mean_kept

    kept = mean_kept(variant)
    if kept < _LITTLE_KEPT:
        warn(
            f"{variant.name}: storing kept {kept:.0%} of the perturbation (ε = {epsilon:g}); the rest is smaller than "
            "a step of the format. --format png16 keeps it, but browsers show 8 bits"
        )

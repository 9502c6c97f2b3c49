"""`lwise controls`: variants made by off-the-shelf methods, to compare an enhancement with."""

from __future__ import annotations

from pathlib import Path

import typer

from lwise_core.cli.image_options import DIRMAP, IMAGES, SKIP_BAD
from lwise_core.cli.progress import say, step, warn
from lwise_core.dirmap import read_dirmap
from lwise_core.errors import InputError


def controls(
    dirmap: Path = DIRMAP,
    images: Path = IMAGES,
    model: Path | None = typer.Option(
        None, "--model", "-m", help="Guide model (.safetensors): pictures get the side of those that it sees."
    ),
    size: int | None = typer.Option(None, min=16, max=4096, help="Side of the pictures in pixels, instead of --model."),
    method: list[str] = typer.Option(
        ["clahe", "msrcr", "auto_levels"], "--method", help="clahe, msrcr or auto_levels; once per variant."
    ),
    stored_as: str = typer.Option("png", "--format", help="png, webp (lossless) or jpeg."),
    quality: int | None = typer.Option(None, min=1, max=100, help="Of jpeg (default: 95)."),
    skip_bad: bool = SKIP_BAD,
    out: Path = typer.Option(Path("controls"), "--out", "-o", help="New folder for the variants."),
) -> None:
    """Make every image clearer by methods that know no classes, and write one variant folder per method.

    May be cut short and run again: it goes on where it stopped.

    Example: `lwise controls dirmap.csv --images photos --model guide.safetensors --method clahe`
    """
    from lwise_core.vision.control_variants import write_control_variants
    from lwise_core.vision.encoding import encoding

    rows = read_dirmap(dirmap)
    with step(f"Changing {len(rows)} pictures by {', '.join(method)}") as on_progress:
        skipped = write_control_variants(
            out,
            images_root=images,
            rows=rows,
            methods=method,
            size=_size(model, size),
            stored_as=encoding(stored_as, quality=quality),
            skip_bad=skip_bad,
            on_progress=on_progress,
        )
    for why in skipped:
        warn(f"skipped: {why}")
    say(f"{out}: variants natural, {', '.join(method)}")


def _size(model: Path | None, size: int | None) -> int:
    if model is not None and size is None:
        from lwise_core.vision.checkpoints.native import load_model

        return load_model(model).description.size
    if size is not None and model is None:
        return size
    raise InputError("expected one of --model and --size, which say how large the pictures become")

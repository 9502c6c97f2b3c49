"""`lwise controls`: variants made by off-the-shelf methods, to compare an enhancement with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from lwise_core.cli.image_options import DIRMAP, IMAGES
from lwise_core.cli.progress import say, step, warn
from lwise_core.cli.setting_options import choose_settings, with_settings
from lwise_core.dirmap import read_dirmap
from lwise_core.errors import InputError
from lwise_core.file_names import NATURAL
from lwise_core.vision.control_config import ControlConfig


@with_settings(ControlConfig)
def controls(
    dirmap: Path = DIRMAP,
    images: Path = IMAGES,
    model: Path | None = typer.Option(
        None, "--model", "-m", help="Guide model (.safetensors), for the size of its images."
    ),
    out: Path = typer.Option(Path("controls"), "--out", "-o", help="New folder for the variants."),
    **options: Any,
) -> None:
    """Make every image clearer by methods that ignore its class, and write one variant folder per method.

    An interrupted run resumes when it is started again.

    Example: `lwise controls dirmap.csv --images photos --model guide.safetensors --method clahe`
    """
    config = choose_settings(ControlConfig, options, command="lwise controls")
    from lwise_core.vision.control_variants import write_control_variants
    from lwise_core.vision.encoding import encoding

    rows, methods = read_dirmap(dirmap), ", ".join(config.method)
    with step(f"Changing {len(rows)} images by {methods}") as on_progress:
        skipped = write_control_variants(
            out,
            images_root=images,
            rows=rows,
            methods=config.method,
            size=_size(model, config.size),
            stored_as=encoding(config.format, quality=config.quality),
            skip_bad=config.skip_bad,
            on_progress=on_progress,
        )
    for why in skipped:
        warn(f"skipped: {why}")
    say(f"{out}: variants {NATURAL}, {methods}")


def _size(model: Path | None, size: int | None) -> int:
    if model is not None and size is None:
        from lwise_core.vision.checkpoints.native import load_model

        return load_model(model).description.size
    if size is not None and model is None:
        return size
    raise InputError("expected either --model or --size, which give the size of the images")

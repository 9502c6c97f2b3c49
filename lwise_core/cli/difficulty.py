"""`lwise difficulty`: other measures of how hard an image is, beside the robust model's logit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lwise_core.cli.image_options import (
    CLASS_NUM_COL,
    DIRMAP,
    IMAGES,
    MODEL,
    PRESENT_ONLY,
    SHARD,
    SKIP_BAD,
    SPLIT,
    SUPERCLASSES,
    shard_told,
)
from lwise_core.cli.measuring import measured
from lwise_core.cli.progress import say, step
from lwise_core.dirmap import DirmapRow, read_dirmap, write_dirmap
from lwise_core.errors import InputError

if TYPE_CHECKING:
    from lwise_core.vision.engine import Engine
    from lwise_core.vision.per_image import Measure
    from lwise_core.vision.shard import Shard

app = typer.Typer(help="Other measures of how hard an image is, as columns of the dirmap.", no_args_is_help=True)

_OUT = typer.Option(None, "--out", "-o", help="Where to write the dirmap (default: in place).")


@app.command()
def epsilon(
    dirmap: Path = DIRMAP,
    images: Path = IMAGES,
    model: Path = MODEL,
    out: Path | None = _OUT,
    largest: float = typer.Option(10.0, min=0.001, help="L2 radius beyond which nothing is looked for."),
    rounds: int = typer.Option(
        10, min=1, max=30, help="Halvings of the radius; 10 find it to a thousandth of LARGEST."
    ),
    steps: int = typer.Option(20, min=1, help="Steps of the attack at each radius."),
    split: str | None = SPLIT,
    class_num_col: str | None = CLASS_NUM_COL,
    superclasses: str | None = SUPERCLASSES,
    present_only: bool = PRESENT_ONLY,
    shard: str | None = SHARD,
    skip_bad: bool = SKIP_BAD,
) -> None:
    """Add `minimal_epsilon`, the smallest L2 perturbation found that makes the model take an image for another class.

    0 for an image that it does anyway, inf where none was found. May be cut short and run again.

    Example: `lwise difficulty epsilon dirmap.csv --images photos --model guide.safetensors --split val`
    """
    from dataclasses import asdict

    from lwise_core.vision.checkpoints.native import file_sha256, load_model
    from lwise_core.vision.difficulty.minimal_epsilon import Bisection, minimal_epsilon
    from lwise_core.vision.engine import Engine, preferred_device
    from lwise_core.vision.superclasses import superclasses_of
    from lwise_core.vision.targets import targets_for

    rows, guide, engine = read_dirmap(dirmap), load_model(model), Engine(preferred_device())
    targets = targets_for(
        guide.description,
        rows,
        class_num_col=class_num_col,
        superclasses=superclasses_of(superclasses),
        present_only=present_only,
    )
    bisection = Bisection(largest=largest, rounds=rounds, steps=steps)
    _add(
        "Looking for the smallest perturbation that misleads the model",
        minimal_epsilon(guide, targets, engine, bisection),
        rows,
        images,
        engine=engine,
        table=out or dirmap,
        settings={"model_sha256": file_sha256(model), **asdict(bisection)},
        split=split,
        skip_bad=skip_bad,
        shard=shard_told(shard),
    )


@app.command()
def depth(
    dirmap: Path = DIRMAP,
    images: Path = IMAGES,
    model: Path = MODEL,
    out: Path | None = _OUT,
    fit_on: str = typer.Option("train", "--fit-on", help="Split whose images the probes are fitted on."),
    layer: list[str] = typer.Option(
        [], "--layer", help="Layer to put a probe after, in the order of the forward pass; once per layer."
    ),
    split: str | None = SPLIT,
    class_num_col: str | None = CLASS_NUM_COL,
    superclasses: str | None = SUPERCLASSES,
    skip_bad: bool = SKIP_BAD,
) -> None:
    """Add `prediction_depth`, the number of layers after which it is settled what the model says of an image.

    May be cut short and run again; the probes are then fitted anew.

    Example: `lwise difficulty depth dirmap.csv --images photos --model guide.safetensors --split val`
    """
    from lwise_core.vision.checkpoints.native import file_sha256, load_model
    from lwise_core.vision.difficulty.prediction_depth import fit_probes, layers_of, prediction_depth
    from lwise_core.vision.engine import Engine, preferred_device
    from lwise_core.vision.superclasses import superclasses_of
    from lwise_core.vision.targets import targets_for

    rows, guide, engine = read_dirmap(dirmap), load_model(model), Engine(preferred_device())
    targets = targets_for(
        guide.description,
        rows,
        class_num_col=class_num_col,
        superclasses=superclasses_of(superclasses),
        present_only=True,
    )
    layers = layer or layers_of(guide.network)
    to_fit_on = [row for row in rows if row.split == fit_on]
    if not to_fit_on:
        raise InputError(f"the dirmap has no images in split {fit_on} to fit probes on; name another by --fit-on")
    with step(f"Fitting {len(layers)} probes on {len(to_fit_on)} images") as on_progress:
        probes = fit_probes(
            guide,
            to_fit_on,
            images_root=images,
            targets=targets,
            engine=engine,
            layers=layers,
            on_progress=on_progress,
        )
    say(f"layers: {', '.join(layers)}")
    _add(
        "Looking how deep each image's prediction lies",
        prediction_depth(guide, probes, targets, engine),
        rows,
        images,
        engine=engine,
        table=out or dirmap,
        settings={"model_sha256": file_sha256(model), "fit_on": fit_on, "layers": layers},
        split=split,
        skip_bad=skip_bad,
    )


@app.command()
def confidence(
    dirmap: Path = DIRMAP,
    images: Path = IMAGES,
    model: list[Path] = typer.Option(..., "--model", "-m", help="Model of one epoch (.safetensors); once per epoch."),
    out: Path | None = _OUT,
    split: str | None = SPLIT,
    class_num_col: str | None = CLASS_NUM_COL,
    superclasses: str | None = SUPERCLASSES,
    present_only: bool = PRESENT_ONLY,
    shard: str | None = SHARD,
    skip_bad: bool = SKIP_BAD,
) -> None:
    """Add `epoch_confidence`, the mean probability of the true class over the models of several epochs.

    May be cut short and run again.

    Example: `lwise difficulty confidence dirmap.csv --images photos -m epoch-1.safetensors -m epoch-2.safetensors`
    """
    from lwise_core.vision.checkpoints.native import file_sha256, load_model
    from lwise_core.vision.difficulty.epoch_confidence import epoch_confidence
    from lwise_core.vision.engine import Engine, preferred_device
    from lwise_core.vision.superclasses import superclasses_of
    from lwise_core.vision.targets import targets_for

    rows, engine = read_dirmap(dirmap), Engine(preferred_device())
    models = [load_model(path) for path in model]
    targets = targets_for(
        models[0].description,
        rows,
        class_num_col=class_num_col,
        superclasses=superclasses_of(superclasses),
        present_only=present_only,
    )
    _add(
        f"Averaging the confidence of {len(models)} models",
        epoch_confidence(models, targets, engine),
        rows,
        images,
        engine=engine,
        table=out or dirmap,
        settings={"models_sha256": [file_sha256(path) for path in model]},
        split=split,
        skip_bad=skip_bad,
        shard=shard_told(shard),
    )


def _add(
    description: str,
    measure: Measure,
    rows: list[DirmapRow],
    images: Path,
    *,
    engine: Engine,
    table: Path,
    settings: Mapping[str, Any],
    split: str | None,
    skip_bad: bool,
    shard: Shard | None = None,
) -> None:
    from lwise_core.vision.per_image import measurements_of, with_measured

    (column,) = measure.names
    begun = measurements_of(table, column, measure, rows, images_root=images, engine=engine, settings=settings)
    found = measured(
        description, measure, rows, images, engine=engine, split=split, skip_bad=skip_bad, begun=begun, shard=shard
    )
    if shard is not None:
        return
    write_dirmap(table, with_measured(rows, found))
    begun.discard()
    say(f"{table}: {column} of {len(found.values)} images")

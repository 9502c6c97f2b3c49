"""`lwise difficulty`: measures of image difficulty other than the robust model's logit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lwise_core.cli.image_options import DIRMAP, IMAGES, MODEL, SHARD, parse_shard
from lwise_core.cli.measuring import measure_with_progress
from lwise_core.cli.progress import say, step
from lwise_core.cli.setting_options import choose_settings, with_settings
from lwise_core.dirmap import DirmapRow, read_dirmap, write_dirmap
from lwise_core.errors import InputError
from lwise_core.vision.difficulty.settings import Bisection, ConfidenceConfig, DepthConfig
from lwise_core.vision.shared_settings import MeasurementSettings

if TYPE_CHECKING:
    from lwise_core.vision.engine import Engine
    from lwise_core.vision.guide import GuideModel
    from lwise_core.vision.per_image import Measure
    from lwise_core.vision.shard import Shard
    from lwise_core.vision.targets import Targets

app = typer.Typer(help="Other measures of image difficulty, as columns of the dirmap.", no_args_is_help=True)

_OUT = typer.Option(None, "--out", "-o", help="Where to write the dirmap (default: in place).")


@app.command()
@with_settings(Bisection)
def epsilon(
    dirmap: Path = DIRMAP,
    images: Path = IMAGES,
    model: Path = MODEL,
    out: Path | None = _OUT,
    shard: str | None = SHARD,
    **options: Any,
) -> None:
    """Add `minimal_epsilon`, the smallest L2 perturbation found that makes the model misclassify an image.

    0 for an image that is misclassified as it is, inf if none was found. An interrupted run resumes when it is started
    again.

    Example: `lwise difficulty epsilon dirmap.csv --images photos --model guide.safetensors --split val`
    """
    config = choose_settings(Bisection, options, command="lwise difficulty epsilon")
    from lwise_core.vision.checkpoints.native import file_sha256, load_model
    from lwise_core.vision.difficulty.minimal_epsilon import minimal_epsilon
    from lwise_core.vision.engine import Engine, preferred_device

    rows, guide, engine = read_dirmap(dirmap), load_model(model), Engine(preferred_device())
    targets = _targets(guide, rows, config, present_only=config.present_only)
    _add_column(
        "Searching the smallest perturbation that misleads the model",
        minimal_epsilon(guide, targets, engine, config),
        rows,
        images,
        engine=engine,
        table=out or dirmap,
        plan={
            "model_sha256": file_sha256(model),
            "largest": config.largest,
            "rounds": config.rounds,
            "steps": config.steps,
        },
        config=config,
        shard=parse_shard(shard),
    )


@app.command()
@with_settings(DepthConfig)
def depth(
    dirmap: Path = DIRMAP, images: Path = IMAGES, model: Path = MODEL, out: Path | None = _OUT, **options: Any
) -> None:
    """Add `prediction_depth`, the number of layers after which the model's prediction for an image is settled.

    An interrupted run resumes when it is started again, after fitting the probes again.

    Example: `lwise difficulty depth dirmap.csv --images photos --model guide.safetensors --split val`
    """
    config = choose_settings(DepthConfig, options, command="lwise difficulty depth")
    from lwise_core.vision.checkpoints.native import file_sha256, load_model
    from lwise_core.vision.difficulty.prediction_depth import default_layers, fit_probes, prediction_depth
    from lwise_core.vision.engine import Engine, preferred_device

    rows, guide, engine = read_dirmap(dirmap), load_model(model), Engine(preferred_device())
    targets = _targets(guide, rows, config, present_only=True)
    layers = list(config.layer) or default_layers(guide.network)
    fit_rows = [row for row in rows if row.split == config.fit_on]
    if not fit_rows:
        raise InputError(f"the dirmap has no images in split {config.fit_on}; choose another split with --fit-on")
    with step(f"Fitting {len(layers)} probes on {len(fit_rows)} images") as on_progress:
        probes = fit_probes(
            guide,
            fit_rows,
            images_root=images,
            targets=targets,
            engine=engine,
            layers=layers,
            on_progress=on_progress,
        )
    say(f"layers: {', '.join(layers)}")
    _add_column(
        "Measuring the prediction depth of each image",
        prediction_depth(guide, probes, targets, engine),
        rows,
        images,
        engine=engine,
        table=out or dirmap,
        plan={"model_sha256": file_sha256(model), "fit_on": config.fit_on, "layers": layers},
        config=config,
    )


@app.command()
@with_settings(ConfidenceConfig)
def confidence(
    dirmap: Path = DIRMAP,
    images: Path = IMAGES,
    model: list[Path] = typer.Option(..., "--model", "-m", help="Model of one epoch (.safetensors); repeatable."),
    out: Path | None = _OUT,
    shard: str | None = SHARD,
    **options: Any,
) -> None:
    """Add `epoch_confidence`, the mean probability of the true class over the models of several epochs.

    An interrupted run resumes when it is started again.

    Example: `lwise difficulty confidence dirmap.csv --images photos -m epoch-1.safetensors -m epoch-2.safetensors`
    """
    config = choose_settings(ConfidenceConfig, options, command="lwise difficulty confidence")
    from lwise_core.vision.checkpoints.native import file_sha256, load_model
    from lwise_core.vision.difficulty.epoch_confidence import epoch_confidence
    from lwise_core.vision.engine import Engine, preferred_device

    rows, engine = read_dirmap(dirmap), Engine(preferred_device())
    models = [load_model(path) for path in model]
    targets = _targets(models[0], rows, config, present_only=config.present_only)
    _add_column(
        f"Averaging the confidence of {len(models)} models",
        epoch_confidence(models, targets, engine),
        rows,
        images,
        engine=engine,
        table=out or dirmap,
        plan={"models_sha256": [file_sha256(path) for path in model]},
        config=config,
        shard=parse_shard(shard),
    )


def _targets(guide: GuideModel, rows: list[DirmapRow], config: MeasurementSettings, *, present_only: bool) -> Targets:
    from lwise_core.vision.superclasses import superclasses_of
    from lwise_core.vision.targets import targets_for

    return targets_for(
        guide.description,
        rows,
        class_num_col=config.class_num_col,
        superclasses=superclasses_of(config.superclasses),
        present_only=present_only,
    )


def _add_column(
    description: str,
    measure: Measure,
    rows: list[DirmapRow],
    images: Path,
    *,
    engine: Engine,
    table: Path,
    plan: Mapping[str, Any],
    config: MeasurementSettings,
    shard: Shard | None = None,
) -> None:
    from lwise_core.vision.per_image import measurement_folder, with_measurements

    (column,) = measure.names
    folder = measurement_folder(table, column, measure, rows, images_root=images, engine=engine, settings=plan)
    measurements = measure_with_progress(
        description,
        measure,
        rows,
        images,
        engine=engine,
        split=config.split,
        skip_bad=config.skip_bad,
        folder=folder,
        shard=shard,
    )
    if shard is None:
        write_dirmap(table, with_measurements(rows, measurements))
        folder.discard()
        say(f"{table}: {column} of {len(measurements.values)} images")

"""`lwise train`: a guide model for a data set."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lwise_core.cli.image_options import DIRMAP, IMAGES
from lwise_core.cli.progress import OnProgress, console, errors, step
from lwise_core.cli.training_options import chosen_config, with_training_options
from lwise_core.cli.training_table import training_table
from lwise_core.dirmap import DirmapRow, class_names, read_dirmap
from lwise_core.errors import InputError
from lwise_core.vision.training.config import TrainingConfig

if TYPE_CHECKING:
    from lwise_core.vision.training.distributed import Group
    from lwise_core.vision.training.evaluation import Accuracy
    from lwise_core.vision.training.log import EpochRecord
    from lwise_core.vision.training.loop import Data
    from lwise_core.vision.training.pictures import Pictures

_SIZE = 96
_HOW_IT_IS_LOADED = ("workers", "in_memory")

Shown = tuple[OnProgress, "Callable[[EpochRecord], None]"]
"""What is called after each batch, and after each epoch."""


@with_training_options
def train(
    dirmap: Path = DIRMAP,
    images: Path = IMAGES,
    out: Path = typer.Option(Path("guide.safetensors"), "--out", "-o", help="Where to write the model."),
    begin_from: Path | None = typer.Option(
        None, "--from", help="Guide model to begin from; it gets a new head for other classes."
    ),
    config: Path | None = typer.Option(None, help="YAML file of the settings below; options win."),
    resume: bool = typer.Option(False, "--resume", help="Go on with a training that was cut short, if there is one."),
    **settings: Any,
) -> None:
    """Train a guide model adversarially on the split `train` and measure it on `val`.

    Keeps its state in the folder OUT.training (OUT without its ending), with log.csv and what TensorBoard shows.
    Ctrl-C or SIGTERM stop it with its state saved (exit code 130 or 143); --resume goes on. On several cards or
    machines, start it by `torchrun -m lwise_core.cli train …`.

    Example: `lwise train dirmap.csv --images photos --eps 1 --out guide.safetensors`
    """
    chosen = chosen_config(config, settings)
    from lwise_core.vision.training.distributed import started_group

    with started_group() as group:
        accuracy = train_model(
            read_dirmap(dirmap),
            images,
            out,
            config=chosen,
            begin_from=begin_from,
            resume=resume,
            group=group,
            showing=_as_table,
        )
    if group.leads:
        console.print(
            f"{out}: accuracy {accuracy.clean_accuracy:.1%} on natural images, {accuracy.robust_accuracy:.1%} under "
            f"attack (L2 ε = {accuracy.attack['epsilon']:g}, {accuracy.attack['steps']} steps); "
            f"chance {accuracy.chance:.1%}",
            markup=False,
            soft_wrap=True,
        )


@contextmanager
def _as_step(config: TrainingConfig) -> Iterator[Shown]:
    with step(f"Training the guide model ({config.epochs} epochs, adversarially)") as on_progress:
        yield on_progress, lambda record: None


@contextmanager
def _as_table(config: TrainingConfig) -> Iterator[Shown]:
    with training_table() as table:
        yield table.on_batch, table.on_epoch


@contextmanager
def _unseen(config: TrainingConfig) -> Iterator[Shown]:
    """Of the processes that do not lead."""
    yield _unheard, lambda record: None


def _unheard(done: int, total: int) -> None:
    pass


def train_model(
    rows: list[DirmapRow],
    images: Path,
    out: Path,
    *,
    config: TrainingConfig,
    begin_from: Path | None = None,
    resume: bool = False,
    group: Group | None = None,
    showing: Callable[[TrainingConfig], AbstractContextManager[Shown]] = _as_step,
) -> Accuracy:
    """Train, measure under attack, save the best model. Shared by `lwise train` and `lwise demo`.

    A signal to stop ends the program, the state kept, with 128 + its number as the exit code.
    """
    from lwise_core.vision.checkpoints.own import file_sha256, load_model, save_model
    from lwise_core.vision.training.beginning import fine_tuned_from, new_model
    from lwise_core.vision.training.distributed import ALONE
    from lwise_core.vision.training.loop import Stopped, Watch
    from lwise_core.vision.training.loop import train as train_on
    from lwise_core.vision.training.state import RunFolder
    from lwise_core.vision.training.stopping import listening_for_stop

    group, classes = group or ALONE, class_names(rows)
    start = load_model(begin_from) if begin_from else None
    if start is not None and config.architecture not in (None, start.description.architecture):
        raise InputError(
            f"{begin_from}: is a {start.description.architecture}; architecture is {config.architecture}; leave one out"
        )
    size = config.size or (start.description.size if start else _SIZE)
    plan = _plan(rows, config, size=size, begin_from=file_sha256(begin_from) if begin_from else None)
    folder = RunFolder(out.with_name(f"{out.stem}.training"), plan, resume=resume) if group.leads else None
    data = _data(rows, images, config, size=size, group=group)
    model = (
        fine_tuned_from(start, classes, size=size, seed=config.seed)
        if start
        else new_model(_description(config, classes, size), data.train, seed=config.seed)
    )
    with listening_for_stop() as request:
        try:
            with (showing if group.leads else _unseen)(config) as (on_batch, on_epoch):
                watch = Watch(on_batch, on_epoch, stop=lambda: request.signal != 0)
                trained = train_on(model, data, config, group=group, folder=folder, watch=watch)
        except Stopped:
            if group.leads:
                _say_that_it_stopped(out, request.signal)
            raise typer.Exit(128 + (request.signal or signal.SIGTERM)) from None
    if folder is not None:
        save_model(out, trained.model, training=plan, metrics=asdict(trained.accuracy))
        folder.complete()
    return trained.accuracy


def _plan(rows: list[DirmapRow], config: TrainingConfig, *, size: int, begin_from: str | None) -> dict[str, Any]:
    """What decides the weights that come out."""
    settings = {name: value for name, value in asdict(config).items() if name not in _HOW_IT_IS_LOADED}
    listed = "\n".join(f"{row.split},{row.class_num},{row.class_name},{row.im_path}" for row in rows)
    return {**settings, "size": size, "begin_from": begin_from, "dirmap": sha256(listed.encode()).hexdigest()}


def _data(rows: list[DirmapRow], images: Path, config: TrainingConfig, *, size: int, group: Group) -> Data:
    from lwise_core.vision.training.augment import augmentation
    from lwise_core.vision.training.loop import Data

    parts = {split: [row for row in rows if row.split == split] for split in ("train", "val")}
    for split, of_split in parts.items():
        if not of_split:
            raise InputError(f"the dirmap has no images in split {split}; make one with `lwise dataset index`")
    loaded_size = augmentation(config.augment, size=size).loaded_size
    with step("Loading pictures") if group.leads else nullcontext(_unheard) as on_progress:
        return Data(
            train=_pictures(parts["train"], images, config, loaded_size, on_progress, group),
            validation=_pictures(parts["val"], images, config, size, on_progress, group),
        )


def _pictures(
    rows: list[DirmapRow], images: Path, config: TrainingConfig, size: int, on_progress: OnProgress, group: Group
) -> Pictures:
    from lwise_core.vision.datasets import DirmapDataset
    from lwise_core.vision.training.pictures import PicturesInMemory, fit_memory

    listed = DirmapDataset(images, rows, size=size)
    in_memory = fit_memory(len(rows), size, group) if config.in_memory is None else config.in_memory
    return PicturesInMemory(*listed.load(on_progress)) if in_memory else listed


def _description(config: TrainingConfig, classes: list[str], size: int) -> Any:
    from lwise_core.vision.architectures import SMALL_RESNET
    from lwise_core.vision.guide import GuideDescription

    return GuideDescription(config.architecture or SMALL_RESNET, classes=tuple(classes), size=size)


def _say_that_it_stopped(out: Path, number: int) -> None:
    name = signal.Signals(number).name if number else "another process"
    errors.print(
        f"stopped by {name}; the state is saved in {out.with_name(f'{out.stem}.training')}, --resume goes on with it",
        markup=False,
        soft_wrap=True,
    )

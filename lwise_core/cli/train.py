"""`lwise train`: train a guide model on a data set."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lwise_core.cli.image_options import DIRMAP, IMAGES, SETTINGS_FILE
from lwise_core.cli.progress import say, step, warn
from lwise_core.cli.setting_options import choose_settings, with_settings
from lwise_core.cli.training_table import training_table
from lwise_core.dirmap import DirmapRow, read_dirmap
from lwise_core.progress import OnProgress
from lwise_core.vision.training.config import TrainingConfig

if TYPE_CHECKING:
    from lwise_core.vision.training.distributed import Group
    from lwise_core.vision.training.evaluation import Accuracy
    from lwise_core.vision.training.log import EpochRecord

Display = tuple[OnProgress, "Callable[[EpochRecord], None]"]
"""Called after each batch, and after each epoch."""


@with_settings(TrainingConfig)
def train(
    dirmap: Path = DIRMAP,
    images: Path = IMAGES,
    out: Path = typer.Option(Path("guide.safetensors"), "--out", "-o", help="Where to save the model."),
    begin_from: Path | None = typer.Option(
        None, "--from", help="Guide model with the initial weights; it gets a new head if the classes differ."
    ),
    config: Path | None = SETTINGS_FILE,
    resume: bool = typer.Option(False, "--resume", help="Resume an interrupted training, if there is one."),
    **settings: Any,
) -> None:
    """Train a guide model adversarially on split `train` and evaluate it on split `val`.

    Saves its state in the folder OUT.training (OUT without its suffix), with log.csv and TensorBoard event files.
    Ctrl-C and SIGTERM save the state and stop (exit code 130 or 143); --resume continues. On several GPUs or machines,
    start it with `torchrun -m lwise_core.cli train …`.

    Example: `lwise train dirmap.csv --images photos --eps 1 --out guide.safetensors`
    """
    training_config = choose_settings(TrainingConfig, settings, command="lwise train", file=config)
    from lwise_core.vision.training.distributed import process_group

    with process_group() as group:
        accuracy = train_model(
            read_dirmap(dirmap),
            images,
            out,
            config=training_config,
            begin_from=begin_from,
            resume=resume,
            group=group,
            display=_table,
        )
    if group.is_leader:
        say(
            f"{out}: accuracy {accuracy.clean_accuracy:.1%} on natural images, {accuracy.robust_accuracy:.1%} under "
            f"attack (L2 ε = {accuracy.attack['epsilon']:g}, {accuracy.attack['steps']} steps); "
            f"chance {accuracy.chance:.1%}",
        )


@contextmanager
def _progress_bar(config: TrainingConfig) -> Iterator[Display]:
    with step(f"Training the guide model ({config.epochs} epochs, adversarially)") as on_progress:
        yield on_progress, lambda record: None


@contextmanager
def _table(config: TrainingConfig) -> Iterator[Display]:
    with training_table() as table:
        yield table.on_batch, table.on_epoch


@contextmanager
def _no_display(config: TrainingConfig) -> Iterator[Display]:
    """For processes other than the leader."""
    yield _ignore, lambda record: None


def _ignore(done: int, total: int) -> None:
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
    display: Callable[[TrainingConfig], AbstractContextManager[Display]] = _progress_bar,
) -> Accuracy:
    """Train, evaluate under attack, save the best model. Shared by `lwise train` and `lwise demo`.

    Ctrl-C and SIGTERM save the state and end the program with exit code 128 + the signal's number.
    """
    from lwise_core.vision.training.distributed import SINGLE_PROCESS
    from lwise_core.vision.training.loop import Callbacks, Stopped
    from lwise_core.vision.training.run import prepare_run, run_folder
    from lwise_core.vision.training.signals import stop_on_signal

    group = group or SINGLE_PROCESS
    with step("Loading images") if group.is_leader else nullcontext(_ignore) as on_progress:
        run = prepare_run(
            rows,
            images,
            out,
            config=config,
            begin_from=begin_from,
            resume=resume,
            group=group,
            on_progress=on_progress,
        )
    with stop_on_signal() as request:
        try:
            with (display if group.is_leader else _no_display)(config) as (on_batch, on_epoch):
                return run.train(Callbacks(on_batch, on_epoch, stop=lambda: request.signal != 0))
        except Stopped:
            if group.is_leader:
                _print_stopped(run_folder(out), request.signal)
            raise typer.Exit(128 + (request.signal or signal.SIGTERM)) from None


def _print_stopped(folder: Path, number: int) -> None:
    name = signal.Signals(number).name if number else "another process"
    warn(
        f"stopped by {name}; the state is saved in {folder}; continue with --resume",
    )

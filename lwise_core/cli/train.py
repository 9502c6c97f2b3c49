"""`lwise train`: a guide model for a data set."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from lwise_core.cli.image_options import DIRMAP, IMAGES, SETTINGS_FILE
from lwise_core.cli.progress import OnProgress, console, errors, step
from lwise_core.cli.setting_options import chosen, with_settings
from lwise_core.cli.training_table import training_table
from lwise_core.dirmap import DirmapRow, read_dirmap
from lwise_core.vision.training.config import TrainingConfig

if TYPE_CHECKING:
    from lwise_core.vision.training.distributed import Group
    from lwise_core.vision.training.evaluation import Accuracy
    from lwise_core.vision.training.log import EpochRecord

Shown = tuple[OnProgress, "Callable[[EpochRecord], None]"]
"""What is called after each batch, and after each epoch."""


@with_settings(TrainingConfig)
def train(
    dirmap: Path = DIRMAP,
    images: Path = IMAGES,
    out: Path = typer.Option(Path("guide.safetensors"), "--out", "-o", help="Where to write the model."),
    begin_from: Path | None = typer.Option(
        None, "--from", help="Guide model to begin from; it gets a new head for other classes."
    ),
    config: Path | None = SETTINGS_FILE,
    resume: bool = typer.Option(False, "--resume", help="Go on with a training that was cut short, if there is one."),
    **settings: Any,
) -> None:
    """Train a guide model adversarially on the split `train` and measure it on `val`.

    Keeps its state in the folder OUT.training (OUT without its ending), with log.csv and what TensorBoard shows.
    Ctrl-C or SIGTERM stop it with its state saved (exit code 130 or 143); --resume goes on. On several cards or
    machines, start it by `torchrun -m lwise_core.cli train …`.

    Example: `lwise train dirmap.csv --images photos --eps 1 --out guide.safetensors`
    """
    settled = chosen(TrainingConfig, settings, command="lwise train", file=config)
    from lwise_core.vision.training.distributed import started_group

    with started_group() as group:
        accuracy = train_model(
            read_dirmap(dirmap),
            images,
            out,
            config=settled,
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
    from lwise_core.vision.training.distributed import ALONE
    from lwise_core.vision.training.loop import Stopped, Watch
    from lwise_core.vision.training.run import prepared, run_folder
    from lwise_core.vision.training.signals import listening_for_stop

    group = group or ALONE
    with step("Loading pictures") if group.leads else nullcontext(_unheard) as on_progress:
        run = prepared(
            rows,
            images,
            out,
            config=config,
            begin_from=begin_from,
            resume=resume,
            group=group,
            on_progress=on_progress,
        )
    with listening_for_stop() as request:
        try:
            with (showing if group.leads else _unseen)(config) as (on_batch, on_epoch):
                return run.train(Watch(on_batch, on_epoch, stop=lambda: request.signal != 0))
        except Stopped:
            if group.leads:
                _say_that_it_stopped(run_folder(out), request.signal)
            raise typer.Exit(128 + (request.signal or signal.SIGTERM)) from None


def _say_that_it_stopped(folder: Path, number: int) -> None:
    name = signal.Signals(number).name if number else "another process"
    errors.print(
        f"stopped by {name}; the state is saved in {folder}, --resume goes on with it",
        markup=False,
        soft_wrap=True,
    )

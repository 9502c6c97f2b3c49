"""Display of a running training: a table row for each epoch on a terminal, a line for each in a log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from lwise_core.cli.progress import errors, warn
from lwise_core.progress import OnProgress

if TYPE_CHECKING:
    from lwise_core.vision.training.log import EpochRecord

_HEADINGS = ("epoch", "loss", "accuracy", "under attack", "learning rate", "ε", "images/s", "TFLOP/s", "MFU")


class TrainingTable:
    """The table of a training; its methods are `Callbacks`."""

    def __init__(self, on_batch: OnProgress) -> None:
        self.on_batch = on_batch
        self._table = Table(*_HEADINGS)

    def on_epoch(self, record: EpochRecord) -> None:
        self._table.add_row(*_cells(record))
        if not errors.is_terminal:
            warn(record.line())

    def __rich__(self) -> Table:
        return self._table


@contextmanager
def training_table() -> Iterator[TrainingTable]:
    """Display a training while the block runs."""
    if not errors.is_terminal:
        yield TrainingTable(lambda done, total: None)
        return
    columns = (TextColumn("batches"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=errors)
    task = progress.add_task("", total=None)
    table = TrainingTable(lambda done, total: progress.update(task, completed=done, total=total))
    with Live(Group(table, progress), console=errors):
        yield table


def _cells(record: EpochRecord) -> list[str]:
    def share(value: float | None) -> str:
        return "" if value is None else f"{value:.1%}"

    return [
        f"{record.epoch}",
        f"{record.loss:.4f}",
        share(record.clean_accuracy),
        share(record.robust_accuracy),
        f"{record.learning_rate:.2e}",
        f"{record.epsilon:.3g}",
        f"{record.images_per_s:.1f}",
        f"{record.tflops:.3g}",
        share(record.mfu),
    ]

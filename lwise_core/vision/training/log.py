"""Measurements of each epoch: as a line, as CSV and for TensorBoard."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from lwise_core import atomic_files

_CSV = "log.csv"
_TENSORBOARD = "tensorboard"


@dataclass(frozen=True)
class EpochRecord:
    """One epoch.

    Attributes
    ----------
    epoch : counted from 1.
    loss : mean over the perturbed training images.
    clean_accuracy, robust_accuracy : on the validation images; None if the epoch was not evaluated.
    learning_rate, epsilon : at the end of the epoch.
    images_per_s : training images of all processes together, evaluation time excluded.
    tflops : TFLOP/s of training.
    mfu : tflops as a share of the devices' peak; None if the peak is not known.
    """

    epoch: int
    loss: float
    clean_accuracy: float | None
    robust_accuracy: float | None
    learning_rate: float
    epsilon: float
    images_per_s: float
    tflops: float
    mfu: float | None

    def line(self) -> str:
        """Known values as `name=value`, for logs that are searched by a pattern."""
        return " ".join(f"{name}={value:.6g}" for name, value in asdict(self).items() if value is not None)


COLUMNS = tuple(field.name for field in fields(EpochRecord))


class Log:
    """The log files of a folder: `log.csv`, written atomically, and TensorBoard's event files."""

    def __init__(self, folder: Path, history: Sequence[EpochRecord]) -> None:
        """
        Parameters
        ----------
        history : epochs to resume after; entries of later epochs, from an interrupted run, are discarded.
        """
        self._folder = folder
        shutil.rmtree(folder / _TENSORBOARD, ignore_errors=True)
        self._writer = SummaryWriter(str(folder / _TENSORBOARD))
        for record in history:
            self._add_scalars(record)

    def write(self, history: Sequence[EpochRecord]) -> None:
        """Write all epochs so far, the last of which is new."""
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(COLUMNS)
        # Full precision; an empty cell for what was not measured.
        writer.writerows(["" if value is None else value for value in asdict(one).values()] for one in history)
        atomic_files.write_text(self._folder / _CSV, table.getvalue())
        self._add_scalars(history[-1])
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()

    def _add_scalars(self, record: EpochRecord) -> None:
        for name, value in asdict(record).items():
            if name != "epoch" and value is not None:
                self._writer.add_scalar(name, value, record.epoch)

"""What is measured after each epoch, as a line, a CSV file and for TensorBoard."""

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
    loss : mean over the attacked pictures that were learned from.
    clean_accuracy, robust_accuracy : on the validation pictures; None where the epoch was not measured.
    learning_rate, epsilon : at its end.
    images_per_s : learned from, of all processes together, without the measurements.
    tflops : TFLOP/s computed for that.
    mfu : share of the devices' peak that this is; None where the peak is not known.
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
        """`name=value` for whatever is known, for logs that are searched by a pattern."""
        return " ".join(f"{name}={value:.6g}" for name, value in asdict(self).items() if value is not None)


COLUMNS = tuple(field.name for field in fields(EpochRecord))


class Log:
    """Files in a folder: `log.csv`, always whole, and TensorBoard's own."""

    def __init__(self, folder: Path, history: Sequence[EpochRecord]) -> None:
        """
        Parameters
        ----------
        history : epochs that are known; whatever else the folder says was of a run that was cut short.
        """
        self._folder = folder
        shutil.rmtree(folder / _TENSORBOARD, ignore_errors=True)
        self._writer = SummaryWriter(str(folder / _TENSORBOARD))
        for record in history:
            self._draw(record)

    def write(self, history: Sequence[EpochRecord]) -> None:
        """Take in the last of the epochs so far."""
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(COLUMNS)
        # Numbers in full, so that the file says what was measured; nothing where nothing was.
        writer.writerows(["" if value is None else value for value in asdict(one).values()] for one in history)
        atomic_files.write_text(self._folder / _CSV, table.getvalue())
        self._draw(history[-1])
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()

    def _draw(self, record: EpochRecord) -> None:
        for name, value in asdict(record).items():
            if name != "epoch" and value is not None:
                self._writer.add_scalar(name, value, record.epoch)

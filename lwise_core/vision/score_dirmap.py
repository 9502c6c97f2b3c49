"""Score the images of a dirmap with a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lwise_core.dirmap import DirmapRow, write_dirmap
from lwise_core.progress import OnProgress
from lwise_core.vision.accuracy import Confusion, confusion
from lwise_core.vision.checkpoints.native import file_sha256, load_model
from lwise_core.vision.engine import Engine, preferred_device
from lwise_core.vision.per_image import Measurements, measure_images, measurement_folder
from lwise_core.vision.score import scores, scoring, with_columns
from lwise_core.vision.scoring_config import ScoringConfig
from lwise_core.vision.shard import WHOLE, Shard
from lwise_core.vision.superclasses import superclasses_of
from lwise_core.vision.targets import targets_for


@dataclass(frozen=True)
class Scored:
    """Result of `score_dirmap`.

    Attributes
    ----------
    n_images : number of scored images.
    unreadable : index of the row -> why its image cannot be read.
    """

    n_images: int
    unreadable: Mapping[int, str]
    confusion: Confusion


def score_dirmap(
    rows: Sequence[DirmapRow],
    images_root: Path,
    model_file: Path,
    table: Path,
    *,
    config: ScoringConfig | None = None,
    images_name: str | None = None,
    on_progress: OnProgress | None = None,
) -> Scored:
    """Write the rows to `table` with the columns of `score.with_columns`.

    Resumes an interrupted run, and uses what `score_part` has measured.

    Parameters
    ----------
    images_name : as in `measurement_folder`.

    Raises
    ------
    InputError
        If the model does not know a class, an image cannot be read, or there is unfinished work with other settings.
    """
    config = config or ScoringConfig()
    scoring_run = _ScoringRun(rows, images_root, model_file, table, config, images_name)
    measurements = scoring_run.measure(shard=WHOLE, on_progress=on_progress)
    scored = scores(
        measurements.values, rows, targets=scoring_run.targets, model_classes=scoring_run.guide.description.classes
    )
    write_dirmap(table, with_columns(rows, scored, column=config.column, unreadable=measurements.unreadable))
    scoring_run.folder.discard()
    return Scored(len(scored), measurements.unreadable, confusion(rows, scored))


def score_part(
    rows: Sequence[DirmapRow],
    images_root: Path,
    model_file: Path,
    table: Path,
    *,
    config: ScoringConfig | None = None,
    shard: Shard,
    images_name: str | None = None,
    on_progress: OnProgress | None = None,
) -> None:
    """Measure the part of one of several parallel runs; `score_dirmap` then writes the table.

    Raises
    ------
    InputError
        As `score_dirmap`.
    """
    scoring_run = _ScoringRun(rows, images_root, model_file, table, config or ScoringConfig(), images_name)
    scoring_run.measure(shard=shard, on_progress=on_progress)


class _ScoringRun:
    """Measures the images of a table."""

    def __init__(
        self,
        rows: Sequence[DirmapRow],
        images_root: Path,
        model_file: Path,
        table: Path,
        config: ScoringConfig,
        images_name: str | None,
    ) -> None:
        self._rows, self._images_root, self._config = rows, images_root, config
        self._engine = Engine(preferred_device())
        self.guide = load_model(model_file)
        self.targets = targets_for(
            self.guide.description,
            rows,
            class_num_col=config.class_num_col,
            superclasses=superclasses_of(config.superclasses),
            present_only=config.present_only,
        )
        self._measure = scoring(self.guide, self.targets, self._engine)
        self.folder = measurement_folder(
            table,
            config.column,
            self._measure,
            rows,
            images_root=images_root,
            engine=self._engine,
            settings={"model_sha256": file_sha256(model_file)},
            images_name=images_name,
        )

    def measure(self, *, shard: Shard, on_progress: OnProgress | None) -> Measurements:
        return measure_images(
            self._measure,
            self._rows,
            images_root=self._images_root,
            engine=self._engine,
            split=self._config.split,
            skip_bad=self._config.skip_bad,
            folder=self.folder,
            shard=shard,
            on_progress=on_progress,
        )

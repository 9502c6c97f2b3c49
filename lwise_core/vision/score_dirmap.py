"""A dirmap scored by a model: what `lwise score` does, and a job does elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lwise_core.dirmap import DirmapRow, write_dirmap
from lwise_core.vision.accuracy import Confusion, confusion
from lwise_core.vision.checkpoints.native import file_sha256, load_model
from lwise_core.vision.engine import Engine, preferred_device
from lwise_core.vision.images import Progress
from lwise_core.vision.per_image import Measured, measure_images, measurements_of
from lwise_core.vision.score import scores, scoring, with_columns
from lwise_core.vision.scoring_config import ScoringConfig
from lwise_core.vision.shard import WHOLE, Shard
from lwise_core.vision.superclasses import superclasses_of
from lwise_core.vision.targets import targets_for


@dataclass(frozen=True)
class Scored:
    """What came of it.

    Attributes
    ----------
    n_images : scored.
    unreadable : index of the row -> why its picture could not be read.
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
    called: str | None = None,
    on_progress: Progress | None = None,
) -> Scored:
    """Write the rows to `table` with the columns of `score.with_columns`.

    A run that was cut short goes on where it stopped, with what `score_part` measured too.

    Parameters
    ----------
    called : as in `measurements_of`.

    Raises
    ------
    InputError
        If the model does not know a class, a picture cannot be read, or a run with other settings was begun there.
    """
    how = config or ScoringConfig()
    begun = _Begun(rows, images_root, model_file, table, how, called)
    found = begun.measure(shard=WHOLE, on_progress=on_progress)
    scored = scores(found.values, rows, targets=begun.targets, model_classes=begun.guide.description.classes)
    write_dirmap(table, with_columns(rows, scored, column=how.column, unreadable=found.unreadable))
    begun.written_down.discard()
    return Scored(len(scored), found.unreadable, confusion(rows, scored))


def score_part(
    rows: Sequence[DirmapRow],
    images_root: Path,
    model_file: Path,
    table: Path,
    *,
    config: ScoringConfig | None = None,
    shard: Shard,
    called: str | None = None,
    on_progress: Progress | None = None,
) -> None:
    """Measure what one of several runs at once does of a table's scores; `score_dirmap` makes the whole of them.

    Raises
    ------
    InputError
        As `score_dirmap`.
    """
    begun = _Begun(rows, images_root, model_file, table, config or ScoringConfig(), called)
    begun.measure(shard=shard, on_progress=on_progress)


class _Begun:
    """The measurements that become the scores of a table."""

    def __init__(
        self,
        rows: Sequence[DirmapRow],
        images_root: Path,
        model_file: Path,
        table: Path,
        config: ScoringConfig,
        called: str | None,
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
        self.written_down = measurements_of(
            table,
            config.column,
            self._measure,
            rows,
            images_root=images_root,
            engine=self._engine,
            settings={"model_sha256": file_sha256(model_file)},
            called=called,
        )

    def measure(self, *, shard: Shard, on_progress: Progress | None) -> Measured:
        return measure_images(
            self._measure,
            self._rows,
            images_root=self._images_root,
            engine=self._engine,
            split=self._config.split,
            skip_bad=self._config.skip_bad,
            begun=self.written_down,
            shard=shard,
            on_progress=on_progress,
        )

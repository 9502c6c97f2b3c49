"""A dirmap scored by a model: what `lwise score` does, and a job does elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lwise_core.dirmap import DirmapRow, write_dirmap
from lwise_core.vision.accuracy import Confusion, confusion
from lwise_core.vision.checkpoints.own import file_sha256, load_model
from lwise_core.vision.engine import Engine, preferred_device
from lwise_core.vision.images import Progress
from lwise_core.vision.measuring import measure_images, measurements_of
from lwise_core.vision.score import scores, scoring, with_columns
from lwise_core.vision.scoring_config import ScoringConfig
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
    on_progress: Progress | None = None,
) -> Scored:
    """Write the rows to `table` with the columns of `score.with_columns`.

    A run that was cut short goes on where it stopped.

    Raises
    ------
    InputError
        If the model does not know a class, a picture cannot be read, or a run with other settings was begun there.
    """
    how = config or ScoringConfig()
    guide = load_model(model_file)
    targets = targets_for(
        guide.description,
        rows,
        class_num_col=how.class_num_col,
        superclasses=superclasses_of(how.superclasses),
        present_only=how.present_only,
    )
    engine = Engine(preferred_device())
    measure = scoring(guide, targets, engine)
    settings = {"model_sha256": file_sha256(model_file)}
    begun = measurements_of(table, how.column, measure, rows, engine=engine, settings=settings)
    found = measure_images(
        measure,
        rows,
        images_root=images_root,
        engine=engine,
        split=how.split,
        skip_bad=how.skip_bad,
        begun=begun,
        on_progress=on_progress,
    )
    scored = scores(found.values, rows, targets=targets, model_classes=guide.description.classes)
    write_dirmap(table, with_columns(rows, scored, column=how.column, unreadable=found.unreadable))
    begun.discard()
    return Scored(len(scored), found.unreadable, confusion(rows, scored))

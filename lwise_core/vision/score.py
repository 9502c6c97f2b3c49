"""Difficulty of images, predicted by the robust model's logit of the true class (Talbot et al. 2025)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from lwise_core.dirmap import SCORE_COLUMNS, DirmapRow
from lwise_core.errors import InputError
from lwise_core.vision.engine import Engine
from lwise_core.vision.guide import GuideModel
from lwise_core.vision.objectives import logit
from lwise_core.vision.per_image import Measure
from lwise_core.vision.targets import Targets

ROBUST_COLUMN = SCORE_COLUMNS[0]
"""Column of the guide model's logits, from which the difficulty is computed."""

_SUFFIX = "_gt_logit"


@dataclass(frozen=True)
class Score:
    """Scores of one image.

    Attributes
    ----------
    gt_logit : logit of the true class.
    entropy : of the model's probabilities, in nats: -sum_k p_k ln p_k.
    cross_entropy : of the true class, in nats: -ln p_y.
    prediction : name of the class of the largest logit.
    is_correct : whether the prediction is the true class.
    """

    gt_logit: float
    entropy: float
    cross_entropy: float
    prediction: str
    is_correct: bool


def scoring(model: GuideModel, targets: Targets, engine: Engine) -> Measure:
    """The measure behind `scores`. Probabilities are the softmax over the columns of `targets`."""
    ready = engine.prepared(model)

    def compute(images: Tensor, labels: Tensor) -> list[Tensor]:
        with torch.inference_mode(), engine.computing():
            return _scores(targets.columns(ready(images)).to(engine.dtype), labels)

    return Measure(("gt_logit", "entropy", "cross_entropy", "column"), compute, model.description.size, targets)


def scores(
    values: Mapping[int, Mapping[str, float]],
    rows: Sequence[DirmapRow],
    *,
    targets: Targets,
    model_classes: Sequence[str],
) -> dict[int, Score]:
    """Scores from the measurements of `scoring`, by index of the row.

    Parameters
    ----------
    model_classes : names of the model's logits.
    """
    names = _column_names(rows, targets, model_classes)
    return {
        index: Score(
            gt_logit=numbers["gt_logit"],
            entropy=numbers["entropy"],
            cross_entropy=numbers["cross_entropy"],
            prediction=names[round(numbers["column"])],
            is_correct=round(numbers["column"]) == targets.column_of[rows[index].class_num],
        )
        for index, numbers in values.items()
    }


def with_columns(
    rows: Sequence[DirmapRow],
    scored: Mapping[int, Score],
    *,
    column: str = ROBUST_COLUMN,
    unreadable: Iterable[int] = (),
) -> list[DirmapRow]:
    """Dirmap rows with the scores of a model.

    With a column `vanilla_gt_logit` come `vanilla_entropy`, `vanilla_cross_entropy`, `vanilla_prediction` and
    `vanilla_correct` (1 or 0). With `robust_gt_logit` comes the difficulty too, by `with_difficulty`.

    Parameters
    ----------
    scored : by index of the row; other rows keep their scores.
    unreadable : indices of rows whose images cannot be read; they lose their scores.

    Raises
    ------
    InputError
        If `column` does not end in `_gt_logit`.
    """
    prefix = column_prefix(column)
    scored_rows = list(rows)
    for index in (*unreadable, *scored):
        score = scored.get(index)
        cells = dict.fromkeys(("entropy", "cross_entropy", "prediction", "correct"), "")
        if score is not None:
            cells["entropy"], cells["cross_entropy"] = f"{score.entropy:.6f}", f"{score.cross_entropy:.6f}"
            cells["prediction"], cells["correct"] = score.prediction, str(int(score.is_correct))
        row = rows[index]
        prefixed = {f"{prefix}_{name}": cell for name, cell in cells.items()}
        value = None if score is None else score.gt_logit
        if column == ROBUST_COLUMN:
            scored_rows[index] = replace(row, robust_gt_logit=value, extra={**row.extra, **prefixed})
        else:
            text = "" if value is None else f"{value:.6f}"
            scored_rows[index] = replace(row, extra={**row.extra, column: text, **prefixed})
    return with_difficulty(scored_rows) if column == ROBUST_COLUMN else scored_rows


def column_prefix(column: str) -> str:
    """`vanilla` of `vanilla_gt_logit`.

    Raises
    ------
    InputError
        If the column has another form.
    """
    prefix = column.removesuffix(_SUFFIX)
    if prefix in ("", column):
        raise InputError(f"--column is {column!r}; expected a name that ends in {_SUFFIX}, e.g. vanilla{_SUFFIX}")
    return prefix


def with_difficulty(rows: Sequence[DirmapRow]) -> list[DirmapRow]:
    """Dirmap rows with `difficulty` = 1 - minmax(robust_gt_logit) over all rows that have one.

    If all logits are equal, every image has difficulty 0.
    """
    logits = [row.robust_gt_logit for row in rows if row.robust_gt_logit is not None]
    lowest, highest = min(logits, default=0.0), max(logits, default=0.0)
    spread = (highest - lowest) or 1.0
    return [
        replace(row, difficulty=None if row.robust_gt_logit is None else (highest - row.robust_gt_logit) / spread)
        for row in rows
    ]


def _scores(logits: Tensor, labels: Tensor) -> list[Tensor]:
    log_probabilities = functional.log_softmax(logits, dim=1)
    entropy = -(log_probabilities.exp() * log_probabilities).sum(dim=1)
    return [logit(logits, labels), entropy, -logit(log_probabilities, labels), logits.argmax(dim=1).to(logits.dtype)]


def _column_names(rows: Sequence[DirmapRow], targets: Targets, model_classes: Sequence[str]) -> list[str]:
    """The data set's name of each class, or the model's if the data set does not have it."""
    known = {targets.column_of[row.class_num]: row.class_name for row in rows}
    n_columns = len(model_classes) if targets.members is None else len(targets.members)
    return [known.get(column) or model_classes[column] for column in range(n_columns)]

"""How hard is each image? The robust model's logit of the true class predicts it (Talbot et al. 2025)."""

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
"""Of the guide model's logits, from which the difficulty follows."""

_SUFFIX = "_gt_logit"


@dataclass(frozen=True)
class Score:
    """What a model makes of one image.

    Attributes
    ----------
    gt_logit : logit of the true class.
    entropy : of the model's probabilities, in nats: -sum_k p_k ln p_k.
    cross_entropy : of the true class, in nats: -ln p_y.
    prediction : name of the class of the largest logit.
    is_correct : whether that is the true class.
    """

    gt_logit: float
    entropy: float
    cross_entropy: float
    prediction: str
    is_correct: bool


def scoring(model: GuideModel, targets: Targets, engine: Engine) -> Measure:
    """What `measure_images` computes for `scores`; probabilities are the softmax over the columns of `targets`."""
    ready = engine.prepared(model)

    def compute(pictures: Tensor, labels: Tensor) -> list[Tensor]:
        with torch.inference_mode(), engine.computing():
            return _scores(targets.columns(ready(pictures)).to(engine.dtype), labels)

    return Measure(("gt_logit", "entropy", "cross_entropy", "column"), compute, model.description.size, targets)


def scores(
    values: Mapping[int, Mapping[str, float]],
    rows: Sequence[DirmapRow],
    *,
    targets: Targets,
    model_classes: Sequence[str],
) -> dict[int, Score]:
    """What was measured by `scoring`, by index of the row.

    Parameters
    ----------
    model_classes : names of the model's logits.
    """
    names = _column_names(rows, targets, model_classes)
    return {
        index: Score(
            gt_logit=of_one["gt_logit"],
            entropy=of_one["entropy"],
            cross_entropy=of_one["cross_entropy"],
            prediction=names[round(of_one["column"])],
            is_correct=round(of_one["column"]) == targets.column_of[rows[index].class_num],
        )
        for index, of_one in values.items()
    }


def with_columns(
    rows: Sequence[DirmapRow],
    scored: Mapping[int, Score],
    *,
    column: str = ROBUST_COLUMN,
    unreadable: Iterable[int] = (),
) -> list[DirmapRow]:
    """Dirmap rows with the scores of a model.

    A column `vanilla_gt_logit` brings with it `vanilla_entropy`, `vanilla_cross_entropy`, `vanilla_prediction` and
    `vanilla_correct` (1 or 0). `robust_gt_logit` brings the difficulty too, `with_difficulty`.

    Parameters
    ----------
    scored : by index of the row; other rows keep what they have.
    unreadable : indices of rows whose pictures could not be read; they lose what they have.

    Raises
    ------
    InputError
        If `column` does not end in `_gt_logit`.
    """
    prefix = column_prefix(column)
    after = list(rows)
    for index in (*unreadable, *scored):
        score = scored.get(index)
        cells = dict.fromkeys(("entropy", "cross_entropy", "prediction", "correct"), "")
        if score is not None:
            cells["entropy"], cells["cross_entropy"] = f"{score.entropy:.6f}", f"{score.cross_entropy:.6f}"
            cells["prediction"], cells["correct"] = score.prediction, str(int(score.is_correct))
        row = rows[index]
        named = {f"{prefix}_{name}": cell for name, cell in cells.items()}
        value = None if score is None else score.gt_logit
        if column == ROBUST_COLUMN:
            after[index] = replace(row, robust_gt_logit=value, extra={**row.extra, **named})
        else:
            text = "" if value is None else f"{value:.6f}"
            after[index] = replace(row, extra={**row.extra, column: text, **named})
    return with_difficulty(after) if column == ROBUST_COLUMN else after


def column_prefix(column: str) -> str:
    """`vanilla` of `vanilla_gt_logit`.

    Raises
    ------
    InputError
        If the column is not called so.
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
    """By the data set's names as far as it has them, else by the model's."""
    known = {targets.column_of[row.class_num]: row.class_name for row in rows}
    n_columns = len(model_classes) if targets.members is None else len(targets.members)
    return [known.get(column) or model_classes[column] for column in range(n_columns)]

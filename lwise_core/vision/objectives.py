"""What an ascent raises: a value per image, computed from the logits of the data set's classes.

Notation: z are the logits of one image, y its true class, R the rivals that it is compared with. A new objective is a
function here and an entry of `OBJECTIVES`; settings, help and checks take its name from there. PyTorch is not imported,
so that they need not load it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from lwise_core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

Objective = Callable[["Tensor", "Tensor"], "Tensor"]
"""(logits (N, C), labels (N,)) -> values (N,), higher is better."""


def logit(logits: Tensor, labels: Tensor) -> Tensor:
    """The true class's logit, z_y."""
    return logits.gather(1, labels[:, None]).squeeze(1)


def logit_diverge(logits: Tensor, labels: Tensor, *, rivals: Sequence[int] | None = None) -> Tensor:
    """The true class's logit minus the mean of its rivals', z_y - sum_{k in R, k != y} z_k / |R - {y}|.

    Parameters
    ----------
    rivals : R; None: all classes.
    """
    true = logit(logits, labels)
    if rivals is None:
        return true - (logits.sum(dim=1) - true) / (logits.shape[1] - 1)
    is_rival = logits.new_zeros(logits.shape[1])
    is_rival[list(rivals)] = 1
    is_own = is_rival[labels]
    return true - (logits @ is_rival - is_own * true) / (len(rivals) - is_own)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """The log-probability of the true class, i.e. the negative cross-entropy."""
    return -attack(logits, labels)


def attack(logits: Tensor, labels: Tensor) -> Tensor:
    """The cross-entropy. Raising it is the attack of adversarial training, whose labels may be mixed: float (N, C)."""
    from torch.nn import functional

    return functional.cross_entropy(logits, labels, reduction="none")


OBJECTIVES: dict[str, Objective] = {
    "logit": logit,
    "cross_entropy": cross_entropy,
    "logit_diverge": logit_diverge,
}
"""The objectives an enhancement may use, by the name used in files and on the command line."""


def objective_for(
    name: str, *, present: Sequence[int], rivals: Sequence[int] | None = None, lower: bool = False
) -> Objective:
    """An objective for the classes of a data set.

    Parameters
    ----------
    present : columns of the classes that the data set has.
    rivals : columns that `logit_diverge` compares with; None: those that are `present`.
    lower : lower the objective instead, which makes an image less typical of its class.

    Raises
    ------
    InputError
        If there is no such objective, or a class has no rival.
    """
    if name not in OBJECTIVES:
        raise InputError(f"--objective is {name!r}; expected one of {', '.join(OBJECTIVES)}")
    chosen = OBJECTIVES[name]
    if name == "logit_diverge":
        rivals_or_present = tuple(present if rivals is None else rivals)
        if any(set(rivals_or_present) <= {column} for column in present):
            raise InputError("logit_diverge: a class has no rivals; name at least two classes")
        chosen = partial(logit_diverge, rivals=rivals_or_present)
    elif rivals is not None:
        raise InputError(f"--diverge-from needs the objective logit_diverge; the objective is {name}")
    return partial(_negative, chosen) if lower else chosen


def _negative(objective: Objective, logits: Tensor, labels: Tensor) -> Tensor:
    return -objective(logits, labels)

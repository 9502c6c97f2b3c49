"""What an ascent raises: a value per image, computed from the logits that its data set is judged by.

Notation: z are the logits of one image, y its true class, R the classes that an image is to be told apart from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from lwise_core.errors import InputError

Objective = Callable[[Tensor, Tensor], Tensor]
"""(logits (N, C), labels (N,)) -> values (N,), higher is better."""


def logit(logits: Tensor, labels: Tensor) -> Tensor:
    """The true class's logit, z_y."""
    return logits.gather(1, labels[:, None]).squeeze(1)


def logit_diverge(logits: Tensor, labels: Tensor, *, rivals: Sequence[int] | None = None) -> Tensor:
    """The true class's logit above the mean of its rivals', z_y - sum_{k in R, k != y} z_k / |R - {y}|.

    Parameters
    ----------
    rivals : R; None: all classes.
    """
    true = logit(logits, labels)
    if rivals is None:
        return true - (logits.sum(dim=1) - true) / (logits.shape[1] - 1)
    is_rival = torch.zeros(logits.shape[1], dtype=logits.dtype, device=logits.device)
    is_rival[list(rivals)] = 1
    itself = is_rival[labels]
    return true - (logits @ is_rival - itself * true) / (len(rivals) - itself)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """The log-probability of the true class, i.e. the cross-entropy with its sign turned."""
    return -functional.cross_entropy(logits, labels, reduction="none")


def attack(logits: Tensor, labels: Tensor) -> Tensor:
    """The cross-entropy itself: raising it is the attack of adversarial training."""
    return functional.cross_entropy(logits, labels, reduction="none")


OBJECTIVES: dict[str, Objective] = {
    "logit": logit,
    "cross_entropy": cross_entropy,
    "logit_diverge": logit_diverge,
}
"""The objectives an enhancement may use, by the name used in files and on the command line."""


def objective_for(
    name: str, *, present: Sequence[int], rivals: Sequence[int] | None = None, turned: bool = False
) -> Objective:
    """An objective as a data set needs it.

    Parameters
    ----------
    present : columns of the classes that the data set has.
    rivals : columns that `logit_diverge` tells an image apart from; None: those that are `present`.
    turned : lower it instead, which makes a picture less of what it is.

    Raises
    ------
    InputError
        If there is no such objective, or a class has no rival but itself.
    """
    if name not in OBJECTIVES:
        raise InputError(f"--objective is {name!r}; expected one of {', '.join(OBJECTIVES)}")
    chosen = OBJECTIVES[name]
    if name == "logit_diverge":
        against = tuple(present if rivals is None else rivals)
        if any(set(against) <= {column} for column in present):
            raise InputError("logit_diverge: a class has nothing to be told apart from; name two classes at least")
        chosen = partial(logit_diverge, rivals=against)
    elif rivals is not None:
        raise InputError(f"--diverge-from goes with the objective logit_diverge; the objective is {name}")
    return partial(_turned, chosen) if turned else chosen


def _turned(objective: Objective, logits: Tensor, labels: Tensor) -> Tensor:
    return -objective(logits, labels)

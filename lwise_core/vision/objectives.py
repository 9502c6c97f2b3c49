"""What an enhancement raises: a value per image, computed from the guide model's logits.

Notation: z are the logits of one image, y its true class, C the number of classes.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

Objective = Callable[[Tensor, Tensor], Tensor]
"""(logits (N, C), labels (N,)) -> values (N,), higher is better."""


def logit(logits: Tensor, labels: Tensor) -> Tensor:
    """The true class's logit, z_y."""
    return logits.gather(1, labels[:, None]).squeeze(1)


def logit_diverge(logits: Tensor, labels: Tensor) -> Tensor:
    """The true class's logit above the mean of the others, z_y - sum_{k != y} z_k / (C - 1)."""
    true = logit(logits, labels)
    return true - (logits.sum(dim=1) - true) / (logits.shape[1] - 1)


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

"""How often a model is right, undisturbed and under attack."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from lwise_core.keyed_random import key_seed
from lwise_core.vision.engine import Engine
from lwise_core.vision.guide import GuideModel
from lwise_core.vision.objectives import attack
from lwise_core.vision.perturb import Budget, ascend, random_starts
from lwise_core.vision.training.distributed import ALONE, Group
from lwise_core.vision.training.pictures import Pictures, plain_batches

EVALUATION_BATCH = 128


@dataclass(frozen=True)
class Accuracy:
    """Share of images classified right, undisturbed and under attack, with what is needed to read the numbers."""

    clean_accuracy: float
    robust_accuracy: float
    chance: float
    n_images: int
    attack: dict[str, float]


def evaluate(
    model: GuideModel,
    pictures: Pictures,
    *,
    budget: Budget,
    engine: Engine,
    group: Group = ALONE,
    workers: int = 0,
    seed: int = 0,
) -> Accuracy:
    """Accuracy on pictures of the model's size, undisturbed and under an L2 PGD attack from one random start each.

    Chance is the share of the most frequent class. The processes of a group go through a part each.
    """
    ready = engine.prepared(model)
    share = group.share(torch.arange(len(pictures)))
    batches = [batch for batch in torch.split(share, EVALUATION_BATCH) if len(batch)]
    right = torch.zeros(2, dtype=torch.int64, device=engine.device)
    of_class = torch.zeros(len(model.description.classes), dtype=torch.int64)
    pinned = engine.device.type == "cuda"
    for images, labels, numbers in plain_batches(pictures, batches, workers=workers, pinned=pinned):
        with engine.computing():
            right += _n_right(ready, engine.placed(images), labels.to(engine.device), numbers, budget, seed)
        of_class += labels.bincount(minlength=len(of_class))
    clean, robust = group.total(right.cpu()).tolist()
    return Accuracy(
        clean_accuracy=clean / len(pictures),
        robust_accuracy=robust / len(pictures),
        chance=int(group.total(of_class).max()) / len(pictures),
        n_images=len(pictures),
        attack=asdict(budget),
    )


def evaluation_budget(epsilon: float, *, steps: int) -> Budget:
    """PGD within ε whose steps together are two and a half times the radius."""
    return Budget(epsilon=epsilon, step=2.5 * epsilon / steps, steps=steps)


def _n_right(
    model: torch.nn.Module, images: Tensor, labels: Tensor, numbers: Tensor, budget: Budget, seed: int
) -> Tensor:
    seeds = [key_seed(seed, "evaluation", int(number)) for number in numbers]
    start = random_starts(images, epsilon=budget.epsilon, seeds=seeds)
    attacked = images
    if budget.epsilon > 0:
        attacked = ascend(model, images, labels, objective=attack, budget=budget, start=start)
    with torch.inference_mode():
        return torch.stack([(model(shown).argmax(1) == labels).sum() for shown in (images, attacked)])

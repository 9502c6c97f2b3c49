"""Accuracy of a model on natural images and under attack."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from lwise_core.keyed_random import key_seed
from lwise_core.vision.budget import Budget
from lwise_core.vision.engine import Engine
from lwise_core.vision.guide import GuideModel
from lwise_core.vision.objectives import attack
from lwise_core.vision.perturb import ascend, random_starts
from lwise_core.vision.training.batches import Images, evaluation_batches
from lwise_core.vision.training.distributed import SINGLE_PROCESS, Group

EVALUATION_BATCH = 128


@dataclass(frozen=True)
class Accuracy:
    """Share of images classified correctly, natural and under attack, with the chance level and the attack used."""

    clean_accuracy: float
    robust_accuracy: float
    chance: float
    n_images: int
    attack: dict[str, float]


def evaluate(
    model: GuideModel,
    dataset: Images,
    *,
    budget: Budget,
    engine: Engine,
    group: Group = SINGLE_PROCESS,
    workers: int = 0,
    seed: int = 0,
) -> Accuracy:
    """Accuracy on images of the model's size, natural and under an L2 PGD attack from one random start each.

    Chance is the share of the most frequent class. Each process of a group evaluates its share.
    """
    ready = engine.prepared(model)
    share = group.share(torch.arange(len(dataset)))
    batches = [batch for batch in torch.split(share, EVALUATION_BATCH) if len(batch)]
    correct = torch.zeros(2, dtype=torch.int64, device=engine.device)
    class_counts = torch.zeros(len(model.description.classes), dtype=torch.int64)
    pinned = engine.device.type == "cuda"
    for images, labels, numbers in evaluation_batches(dataset, batches, workers=workers, pinned=pinned):
        with engine.computing():
            correct += _n_correct(ready, engine.placed(images), labels.to(engine.device), numbers, budget, seed)
        class_counts += labels.bincount(minlength=len(class_counts))
    clean, robust = group.total(correct.cpu()).tolist()
    return Accuracy(
        clean_accuracy=clean / len(dataset),
        robust_accuracy=robust / len(dataset),
        chance=int(group.total(class_counts).max()) / len(dataset),
        n_images=len(dataset),
        attack=asdict(budget),
    )


def evaluation_budget(epsilon: float, *, steps: int) -> Budget:
    """PGD within ε whose steps add up to 2.5 times the radius."""
    return Budget(epsilon=epsilon, step=2.5 * epsilon / steps, steps=steps)


def _n_correct(
    model: torch.nn.Module, images: Tensor, labels: Tensor, numbers: Tensor, budget: Budget, seed: int
) -> Tensor:
    seeds = [key_seed(seed, "evaluation", int(number)) for number in numbers]
    start = random_starts(images, epsilon=budget.epsilon, seeds=seeds)
    adversarial = images
    if budget.epsilon > 0:
        adversarial = ascend(model, images, labels, objective=attack, budget=budget, start=start)
    with torch.inference_mode():
        return torch.stack([(model(batch).argmax(1) == labels).sum() for batch in (images, adversarial)])

"""A tiny model and its training."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lwise_core.vision.guide import GuideDescription, GuideModel
from lwise_core.vision.training.adversarial_step import AdversarialStep
from lwise_core.vision.training.config import TrainingConfig
from lwise_core.vision.training.distributed import SINGLE_PROCESS
from lwise_core.vision.training.initialisation import new_model
from lwise_core.vision.training.loop import Data, Trained, train, training_engine
from tests.conftest import CLASSES

TINY = GuideDescription("small_resnet", CLASSES, size=32, settings={"width": 8})


def config(**settings: Any) -> TrainingConfig:
    return TrainingConfig(**{"epochs": 2, "batch_size": 30, "evaluation_steps": 2, **settings})


def tiny_model(data: Data, *, seed: int = 0) -> GuideModel:
    return new_model(TINY, data.train, seed=seed)


def trained(data: Data, **settings: Any) -> Trained:
    chosen = config(**settings)
    return train(tiny_model(data, seed=chosen.seed), data, chosen)


def adversarial_step(model: GuideModel, **settings: Any) -> AdversarialStep:
    chosen = config(**settings)
    return AdversarialStep(model, chosen, engine=training_engine(chosen), group=SINGLE_PROCESS, batches_per_epoch=3)


def run_step(step: AdversarialStep, *, epsilon: float = 1.0, seed: int = 0) -> torch.Tensor:
    """Run a step on six images of three classes."""
    images = torch.randint(0, 256, (6, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    labels = torch.arange(6) % 3
    return step.run(images, labels, n_in_batch=6, epsilon=epsilon, seed=seed, seeds=list(range(6)))


def equal(one: nn.Module, other: nn.Module) -> bool:
    """Whether all weights and statistics are bitwise equal."""
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)

"""Adversarial training of the guide model (Madry et al. 2018): every batch is attacked before it is learned from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from lwise_core.vision.guide import NONE, GuideDescription, GuideModel, new_guide
from lwise_core.vision.objectives import attack
from lwise_core.vision.perturb import Budget, ascend, random_start
from lwise_core.vision.pixels import as_float

EVALUATION_BATCH = 128


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    Attributes
    ----------
    epsilon : L2 radius of the attack in [0, 1] pixels of the whole image; 0 trains an ordinary, non-robust model.
    attack_steps : PGD steps per batch; a step is ε * 1.5 / attack_steps long, so that the walk can cross the ball.
    epochs, batch_size, seed : as everywhere.
    peak_learning_rate, weight_decay : of SGD with Nesterov momentum 0.9 and a one-cycle schedule.
    """

    epsilon: float = 1.0
    attack_steps: int = 2
    epochs: int = 30
    batch_size: int = 64
    peak_learning_rate: float = 0.2
    weight_decay: float = 5e-4
    seed: int = 0


@dataclass(frozen=True)
class Accuracy:
    """Share of images classified right, undisturbed and under attack, with what is needed to read the numbers."""

    clean_accuracy: float
    robust_accuracy: float
    chance: float
    n_images: int
    attack: dict[str, float]


def train(
    images: Tensor,
    labels: Tensor,
    *,
    description: GuideDescription,
    config: TrainingConfig,
    on_epoch: Callable[[int, float], None] | None = None,
) -> GuideModel:
    """Train a new model.

    Parameters
    ----------
    images : uint8 (N, 3, size, size); labels : int64 (N,).
    on_epoch : called with (epochs done, mean adversarial training loss).

    Returns
    -------
    The model in evaluation mode, on the CPU. The same arguments give the same weights on one machine.
    """
    device = preferred_device()
    generator = torch.Generator().manual_seed(config.seed)
    model = _new_model(description, images, config.seed)
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    batches_per_epoch = -(-len(images) // config.batch_size)
    optimiser = torch.optim.SGD(
        model.parameters(),
        lr=config.peak_learning_rate,
        momentum=0.9,
        nesterov=True,
        weight_decay=config.weight_decay,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=config.peak_learning_rate, total_steps=config.epochs * batches_per_epoch
    )
    model.train()
    for epoch in range(config.epochs):
        losses = []
        for batch in torch.split(torch.randperm(len(images), generator=generator), config.batch_size):
            shown = _augment(as_float(images[batch]), generator).to(device, memory_format=torch.channels_last)
            target = labels[batch].to(device)
            loss = functional.cross_entropy(model(_attacked(model, shown, target, config, generator)), target)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            losses.append(loss.detach())
        if on_epoch:
            on_epoch(epoch + 1, float(torch.stack(losses).mean()))
    return model.eval().to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload,no-any-return]


def evaluate(model: nn.Module, images: Tensor, labels: Tensor, *, budget: Budget, seed: int = 0) -> Accuracy:
    """Accuracy on uint8 images (N, 3, H, W), undisturbed and under an L2 PGD attack from one random start."""
    generator = torch.Generator().manual_seed(seed)
    clean = robust = 0
    for batch in torch.split(torch.arange(len(images)), EVALUATION_BATCH):
        shown, target = as_float(images[batch]), labels[batch]
        start = random_start(shown, epsilon=budget.epsilon, generator=generator)
        attacked = ascend(model, shown, target, objective=attack, budget=budget, start=start)
        with torch.inference_mode():
            clean += int((model(shown).argmax(1) == target).sum())
            robust += int((model(attacked).argmax(1) == target).sum())
    return Accuracy(
        clean_accuracy=clean / len(images),
        robust_accuracy=robust / len(images),
        chance=float(labels.bincount().max()) / len(images),
        n_images=len(images),
        attack=asdict(budget),
    )


def validation_budget(config: TrainingConfig) -> Budget:
    """PGD-10 at the training radius, in steps of a quarter of it."""
    return Budget(epsilon=config.epsilon, step=config.epsilon / 4, steps=10)


def preferred_device() -> torch.device:
    """The accelerator if the machine has one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _new_model(description: GuideDescription, images: Tensor, seed: int) -> GuideModel:
    model = new_guide(description, NONE, seed=seed)
    pixels = as_float(images[:2048])
    model.mean.copy_(pixels.mean(dim=(0, 2, 3))[:, None, None])
    model.std.copy_(pixels.std(dim=(0, 2, 3))[:, None, None].clamp_min(1e-3))
    return model


def _augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror half of the images and shift each batch by up to 4 % of its side (edges repeated)."""
    mirrored = torch.rand(len(images), generator=generator) < 0.5
    images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    side = images.shape[-1]
    reach = max(1, side // 24)
    top, left = (int(torch.randint(0, 2 * reach + 1, (), generator=generator)) for _ in range(2))
    padded = functional.pad(images, (reach,) * 4, mode="replicate")
    return padded[..., top : top + side, left : left + side]


def _attacked(
    model: nn.Module, images: Tensor, labels: Tensor, config: TrainingConfig, generator: torch.Generator
) -> Tensor:
    if config.epsilon == 0:
        return images
    start = random_start(images, epsilon=config.epsilon, generator=generator)
    step = 1.5 * config.epsilon / config.attack_steps
    budget = Budget(epsilon=config.epsilon, step=step, steps=config.attack_steps)
    return ascend(model, images, labels, objective=attack, budget=budget, start=start)

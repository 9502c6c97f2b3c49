"""Schedules of the learning rate and of ε. t is the time in epochs, T the number of epochs."""

from __future__ import annotations

import torch
from torch.optim import lr_scheduler

from lwise_core.vision.training.config import TrainingConfig

_CYCLIC_PEAK = 4 / 15
"""Peak of the cyclic schedule as a share of the training, as for the published guide models."""


def learning_rate_schedule(
    optimiser: torch.optim.Optimizer, config: TrainingConfig, *, batches_per_epoch: int
) -> lr_scheduler.LRScheduler:
    """The schedule that sets the learning rate after each batch.

    With peak η: `step` is η f^⌊t/E⌋, a drop by the factor f every E epochs. `cyclic` rises linearly from 0 to η at 4/15
    of T and falls linearly to 0. `cosine` is η (1 + cos(π t/T)) / 2. `one_cycle` rises along a cosine from η/25 to η at
    30 % of T and falls along another to η/250000; the momentum goes from 0.95 to 0.85 and back (Smith & Topin 2018,
    https://arxiv.org/abs/1708.07120).
    """
    n_batches = config.epochs * batches_per_epoch
    if config.schedule == "step":
        return lr_scheduler.StepLR(optimiser, config.step_epochs * batches_per_epoch, gamma=config.step_factor)
    if config.schedule == "cyclic":
        return lr_scheduler.LambdaLR(optimiser, lambda batch: _triangle(batch / n_batches))
    if config.schedule == "cosine":
        return lr_scheduler.CosineAnnealingLR(optimiser, n_batches)
    return lr_scheduler.OneCycleLR(optimiser, max_lr=config.peak_learning_rate, total_steps=n_batches)


def epsilon_at(epoch: float, config: TrainingConfig) -> float:
    """Radius of the attack at a time in epochs: 0, then a linear warm-up to ε, then ε."""
    elapsed = epoch - config.zero_eps_epochs
    if elapsed < 0:
        return 0.0
    return config.epsilon * min(1.0, elapsed / config.eps_warmup_epochs if config.eps_warmup_epochs else 1.0)


def _triangle(share: float) -> float:
    """0 at the start, 1 at `_CYCLIC_PEAK`, 0 at the end."""
    return share / _CYCLIC_PEAK if share < _CYCLIC_PEAK else (1 - share) / (1 - _CYCLIC_PEAK)

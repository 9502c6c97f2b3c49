"""A model that learns from batches: attack, loss, gradient, step, moving average.

The attack sees the network in evaluation mode, with the running statistics of its batch normalisation, as in the
training of the published guide models: the attack then leaves the statistics alone, and a picture's attack does not
depend on the others of its batch. The attacked batch is learned from in training mode, with the batch's statistics.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torchvision.transforms import v2

from lwise_core.vision.engine import Engine
from lwise_core.vision.guide import GuideModel
from lwise_core.vision.objectives import attack
from lwise_core.vision.perturb import Budget, ascend, random_starts
from lwise_core.vision.training.config import TrainingConfig
from lwise_core.vision.training.distributed import Group, averaging, with_shared_statistics
from lwise_core.vision.training.initialisation import freeze
from lwise_core.vision.training.schedules import learning_rate_schedule


class Learner:
    """Trains a guide model where the engine computes."""

    def __init__(
        self, model: GuideModel, config: TrainingConfig, *, engine: Engine, group: Group, batches_per_epoch: int
    ) -> None:
        self._config, self._engine, self._group = config, engine, group
        # On a processor PyTorch 2.11 crashes in gradients of weights at some batch sizes where channels come last.
        on_cpu = engine.device.type == "cpu"
        self._memory_format = torch.contiguous_format if on_cpu else torch.channels_last
        placed = model.to(engine.device, memory_format=self._memory_format)  # type: ignore[call-overload]
        self.model: GuideModel = with_shared_statistics(placed, group)
        self.model.requires_grad_(True)
        self._frozen = freeze(self.model, convolutions=config.freeze_convolutions, head_only=config.head_only)
        self._learning = averaging(self.model, group)
        self._optimiser = torch.optim.SGD(
            _decaying(self.model, config),
            lr=config.peak_learning_rate,
            momentum=config.momentum,
            nesterov=config.momentum > 0,
        )
        self._schedule = learning_rate_schedule(self._optimiser, config, batches_per_epoch=batches_per_epoch)
        self._average = _average(self.model, config.ema)
        self._mixing = _mixing(config, n_classes=len(model.description.classes))
        self.learning_rate = float(self._schedule.get_last_lr()[0])
        """Of the last batch."""

    @property
    def judged(self) -> GuideModel:
        """The model to be measured and kept: the moving average, if there is one."""
        return self.model if self._average is None else cast(GuideModel, self._average.module)

    def learn(
        self, images: Tensor, labels: Tensor, *, n_in_batch: int, epsilon: float, seed: int, seeds: Sequence[int]
    ) -> Tensor:
        """One step from this process's part of a batch.

        Parameters
        ----------
        images : uint8 (N, 3, H, W); labels : int64 (N,).
        n_in_batch : pictures of the batch in all processes.
        epsilon : radius of the attack; 0: none.
        seed : of what is drawn for the whole part: mixing, dropout.
        seeds : of each picture's start of the attack.

        Returns
        -------
        The sum of the pictures' losses, on the device.
        """
        torch.manual_seed(seed)
        shown = self._engine.placed(images).contiguous(memory_format=self._memory_format)
        target = labels.to(self._engine.device, non_blocking=True)
        if self._mixing is not None:
            shown, target = self._mixing(shown, target)
        with self._engine.computing():
            attacked = self.attacked(shown, target, epsilon=epsilon, seeds=seeds)
            self._enter_learning()
            logits = self._learning(attacked).float()
        loss = functional.cross_entropy(logits, target, reduction="sum", label_smoothing=self._config.label_smoothing)
        self._optimiser.zero_grad()
        # Gradients are averaged over the processes, whose parts may differ in size by one.
        (loss * (self._group.n / n_in_batch)).backward()  # type: ignore[no-untyped-call]
        self.learning_rate = float(self._schedule.get_last_lr()[0])
        self._optimiser.step()
        self._schedule.step()
        if not self._group.shares_statistics:
            self._group.agree(buffer for buffer in self.model.buffers() if buffer.is_floating_point())
        if self._average is not None:
            self._average.update_parameters(self.model)
        return loss.detach()

    def attacked(self, shown: Tensor, target: Tensor, *, epsilon: float, seeds: Sequence[int]) -> Tensor:
        """Pictures (N, 3, H, W) in [0, 1] -> the same within ε, moved towards what the model takes for other classes.

        Parameters
        ----------
        target : classes (N,), or after mixing their shares (N, C).
        """
        if epsilon == 0:
            return shown
        self.model.eval()
        steps = self._config.attack_steps
        budget = Budget(epsilon, self._config.attack_step or 1.5 * epsilon / steps, steps)
        start = random_starts(shown, epsilon=epsilon, seeds=seeds)
        return ascend(self.model, shown, target, objective=attack, budget=budget, start=start)

    def state_dict(self) -> dict[str, Any]:
        """All that changes while it learns."""
        state = {
            "model": self.model.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "schedule": self._schedule.state_dict(),
        }
        return state if self._average is None else {**state, "average": self._average.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self.model.load_state_dict(state["model"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._schedule.load_state_dict(state["schedule"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])

    def _enter_learning(self) -> None:
        self._learning.train()
        for module in self._frozen:
            module.eval()


def _decaying(model: GuideModel, config: TrainingConfig) -> list[dict[str, Any]]:
    """The weights that learn, with their decay: those of layers, and those that are a number per channel."""
    learning = [weight for weight in model.parameters() if weight.requires_grad]
    per_channel = config.weight_decay if config.decay_biases else 0.0
    groups = [
        {"params": [weight for weight in learning if weight.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [weight for weight in learning if weight.ndim <= 1], "weight_decay": per_channel},
    ]
    return [group for group in groups if group["params"]]


def _average(model: GuideModel, decay: float) -> AveragedModel | None:
    if decay == 0:
        return None
    # Running statistics of batch normalisation are averaged like the weights that they go with.
    averaging_by = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return AveragedModel(model, multi_avg_fn=averaging_by, use_buffers=True)


def _mixing(config: TrainingConfig, *, n_classes: int) -> nn.Module | None:
    mixings: list[nn.Module] = []
    if config.mixup:
        mixings.append(v2.MixUp(alpha=config.mixup, num_classes=n_classes))
    if config.cutmix:
        mixings.append(v2.CutMix(alpha=config.cutmix, num_classes=n_classes))
    return v2.RandomChoice(mixings) if mixings else None

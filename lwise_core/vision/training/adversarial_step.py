"""One step of adversarial training: attack, loss, gradient, update, moving average.

As in the training of the published guide models, the attack runs the network in evaluation mode: it does not change the
running statistics of batch normalisation, and an image's perturbation does not depend on the rest of its batch. The
update runs the network in training mode, with the statistics of the perturbed batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torchvision.transforms import v2

from lwise_core.vision.budget import Budget
from lwise_core.vision.engine import Engine
from lwise_core.vision.guide import GuideModel
from lwise_core.vision.objectives import attack
from lwise_core.vision.perturb import ascend, random_starts
from lwise_core.vision.training.config import TrainingConfig
from lwise_core.vision.training.distributed import Group, data_parallel, sync_batch_norm
from lwise_core.vision.training.initialisation import freeze
from lwise_core.vision.training.schedules import learning_rate_schedule


class AdversarialStep:
    """Updates a guide model, one batch at a time, on the engine's device."""

    def __init__(
        self, model: GuideModel, config: TrainingConfig, *, engine: Engine, group: Group, batches_per_epoch: int
    ) -> None:
        self._config, self._engine, self._group = config, engine, group
        # On a CPU, PyTorch 2.11 crashes in weight gradients at some batch sizes with channels_last.
        on_cpu = engine.device.type == "cpu"
        self._memory_format = torch.contiguous_format if on_cpu else torch.channels_last
        placed = model.to(engine.device, memory_format=self._memory_format)  # type: ignore[call-overload]
        self.model: GuideModel = sync_batch_norm(placed, group)
        self.model.requires_grad_(True)
        self._frozen = freeze(self.model, convolutions=config.freeze_convolutions, head_only=config.head_only)
        self._parallel_model = data_parallel(self.model, group)
        self._optimiser = torch.optim.SGD(
            _parameter_groups(self.model, config),
            lr=config.peak_learning_rate,
            momentum=config.momentum,
            nesterov=config.momentum > 0,
        )
        self._schedule = learning_rate_schedule(self._optimiser, config, batches_per_epoch=batches_per_epoch)
        self._average = _average(self.model, config.ema)
        self._mixing = _mixing(config, n_classes=len(model.description.classes))
        self.learning_rate = float(self._schedule.get_last_lr()[0])
        """Learning rate of the last batch."""

    @property
    def averaged_model(self) -> GuideModel:
        """The model to evaluate and save: the moving average of the weights, if there is one."""
        return self.model if self._average is None else cast(GuideModel, self._average.module)

    def run(
        self, images: Tensor, labels: Tensor, *, n_in_batch: int, epsilon: float, seed: int, seeds: Sequence[int]
    ) -> Tensor:
        """Update the model from this process's share of a batch.

        Parameters
        ----------
        images : uint8 (N, 3, H, W); labels : int64 (N,).
        n_in_batch : images in the batch, over all processes.
        epsilon : L2 radius of the attack; 0 for none.
        seed : for what is drawn once per share: mixing, dropout.
        seeds : for the random start of each image's attack.

        Returns
        -------
        The sum of the images' losses, on the device.
        """
        torch.manual_seed(seed)
        placed = self._engine.placed(images).contiguous(memory_format=self._memory_format)
        target = labels.to(self._engine.device, non_blocking=True)
        if self._mixing is not None:
            placed, target = self._mixing(placed, target)
        with self._engine.computing():
            adversarial = self.perturb(placed, target, epsilon=epsilon, seeds=seeds)
            self._set_training_mode()
            logits = self._parallel_model(adversarial).float()
        loss = functional.cross_entropy(logits, target, reduction="sum", label_smoothing=self._config.label_smoothing)
        self._optimiser.zero_grad()
        # Gradients are averaged over processes, whose shares may differ in size by one.
        (loss * (self._group.n / n_in_batch)).backward()  # type: ignore[no-untyped-call]
        self.learning_rate = float(self._schedule.get_last_lr()[0])
        self._optimiser.step()
        self._schedule.step()
        if not self._group.syncs_batch_norm:
            self._group.average(buffer for buffer in self.model.buffers() if buffer.is_floating_point())
        if self._average is not None:
            self._average.update_parameters(self.model)
        return loss.detach()

    def perturb(self, images: Tensor, target: Tensor, *, epsilon: float, seeds: Sequence[int]) -> Tensor:
        """Images (N, 3, H, W) in [0, 1] -> the same within ε, perturbed towards misclassification.

        Parameters
        ----------
        target : classes (N,), or class probabilities (N, C) after mixing.
        """
        if epsilon == 0:
            return images
        self.model.eval()
        steps = self._config.attack_steps
        budget = Budget(epsilon, self._config.attack_step or 1.5 * epsilon / steps, steps)
        start = random_starts(images, epsilon=epsilon, seeds=seeds)
        return ascend(self.model, images, target, objective=attack, budget=budget, start=start)

    def state_dict(self) -> dict[str, Any]:
        """Everything that a step changes."""
        state = {
            "model": self.model.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "schedule": self._schedule.state_dict(),
        }
        return state if self._average is None else {**state, "average": self._average.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a `state_dict`."""
        self.model.load_state_dict(state["model"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._schedule.load_state_dict(state["schedule"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])

    def _set_training_mode(self) -> None:
        self._parallel_model.train()
        for module in self._frozen:
            module.eval()


def _parameter_groups(model: GuideModel, config: TrainingConfig) -> list[dict[str, Any]]:
    """The trainable weights with their decay: matrices and kernels, and those with one number per channel."""
    trainable = [weight for weight in model.parameters() if weight.requires_grad]
    per_channel = config.weight_decay if config.decay_biases else 0.0
    groups = [
        {"params": [weight for weight in trainable if weight.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [weight for weight in trainable if weight.ndim <= 1], "weight_decay": per_channel},
    ]
    return [group for group in groups if group["params"]]


def _average(model: GuideModel, decay: float) -> AveragedModel | None:
    if decay == 0:
        return None
    # Running statistics of batch normalisation are averaged like the weights they belong to.
    update = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return AveragedModel(model, multi_avg_fn=update, use_buffers=True)


def _mixing(config: TrainingConfig, *, n_classes: int) -> nn.Module | None:
    mixings: list[nn.Module] = []
    if config.mixup:
        mixings.append(v2.MixUp(alpha=config.mixup, num_classes=n_classes))
    if config.cutmix:
        mixings.append(v2.CutMix(alpha=config.cutmix, num_classes=n_classes))
    return v2.RandomChoice(mixings) if mixings else None

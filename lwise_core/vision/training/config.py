"""How to train."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lwise_core.vision.settings import Settings

Schedule = Literal["one_cycle", "cosine", "cyclic", "step"]
Share = Annotated[float, Field(ge=0, lt=1)]


class TrainingConfig(Settings):
    """How to train.

    ε and lengths of steps are L2 over the whole image, pixels in [0, 1].
    """

    architecture: str | None = None
    """Network (default: that of --from, or small_resnet)."""
    size: int | None = Field(default=None, ge=16, le=1024)
    """Side of the square images in pixels (default: that of --from or DESCRIPTION, or 96)."""
    description: str | None = None
    """Known data set, or a YAML file that describes one: size, augmentation, mean and std."""
    epsilon: float = Field(default=1.0, ge=0)
    """L2 radius of the attack in [0,1] pixels; 0 trains a non-robust model."""
    attack_steps: int = Field(default=2, ge=1)
    """Steps of the attack on each batch."""
    attack_step: float | None = Field(default=None, gt=0)
    """L2 length of a step (default: 1.5 ε / steps, so that the steps can cross the ball)."""
    zero_eps_epochs: int = Field(default=0, ge=0)
    """Number of first epochs without an attack."""
    eps_warmup_epochs: int = Field(default=0, ge=0)
    """Number of epochs after them over which ε grows linearly."""
    epochs: int = Field(default=30, ge=1)
    """Number of passes over the training images."""
    batch_size: int = Field(default=64, ge=2)
    """Images per batch, over all processes."""
    peak_learning_rate: float = Field(default=0.2, gt=0)
    """Highest learning rate of the schedule."""
    schedule: Schedule = "one_cycle"
    """Schedule of the learning rate: one_cycle, cosine, cyclic or step."""
    step_epochs: int = Field(default=30, ge=1)
    """With the schedule step: epochs between drops."""
    step_factor: float = Field(default=0.1, gt=0, le=1)
    """With the schedule step: factor of a drop."""
    momentum: Share = 0.9
    """Momentum of SGD (Nesterov); one_cycle varies it between 0.85 and 0.95."""
    weight_decay: float = Field(default=0.0005, ge=0)
    """Weight decay of SGD."""
    decay_biases: bool = True
    """Apply weight decay to biases and normalisation weights too."""
    label_smoothing: Share = 0.0
    """Share of the label distributed over all classes."""
    mixup: float = Field(default=0.0, ge=0)
    """α of mixup (0: none); with cutmix too, each applies to half of the batches."""
    cutmix: float = Field(default=0.0, ge=0)
    """α of cutmix (0: none)."""
    ema: Share = 0.0
    """Decay of a moving average of the weights, which is evaluated and saved instead (0: none)."""
    freeze_convolutions: int = Field(default=0, ge=0)
    """Number of first convolutions to freeze."""
    head_only: bool = False
    """Train only the head."""
    augment: str | None = None
    """Preset (small, imagenet, ham10000, histology, none) or YAML file (default: DESCRIPTION's, or small)."""
    evaluate_every: int = Field(default=1, ge=1)
    """Epochs between evaluations; the last epoch is always evaluated."""
    evaluation_epsilon: float | None = Field(default=None, ge=0)
    """L2 radius of the attack in evaluations (default: ε)."""
    evaluation_steps: int = Field(default=10, ge=1)
    """Steps of the attack in evaluations."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Precision of the network; the perturbation is always fp32."""
    workers: int | None = Field(default=None, ge=0)
    """Processes that load images (default: what suits the machine)."""
    in_memory: bool | None = None
    """Keep all decoded images in memory (default: if they take less than 2 GB)."""
    seed: int = Field(default=0, ge=0)
    """Seed of weights, order, augmentation and attack."""

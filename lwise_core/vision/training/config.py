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
    """Network (default: small_resnet, or that of --from)."""
    size: int | None = Field(default=None, ge=16, le=1024)
    """Side of the square images (default: of --from or DESCRIPTION, or 96)."""
    description: str | None = None
    """Known data set, or a YAML file that describes one: size, augmentation, mean and std."""
    epsilon: float = Field(default=1.0, ge=0)
    """L2 radius of the attack in [0,1] pixels; 0 trains a non-robust model."""
    attack_steps: int = Field(default=2, ge=1)
    """Steps of the attack on each batch."""
    attack_step: float | None = Field(default=None, gt=0)
    """Length of one (default: 1.5 ε / steps, so that they can cross the ball)."""
    zero_eps_epochs: int = Field(default=0, ge=0)
    """Epochs at the beginning without an attack."""
    eps_warmup_epochs: int = Field(default=0, ge=0)
    """Epochs over which ε then grows linearly."""
    epochs: int = Field(default=30, ge=1)
    """Times that every image is seen."""
    batch_size: int = Field(default=64, ge=2)
    """Images in a batch, of all processes together."""
    peak_learning_rate: float = Field(default=0.2, gt=0)
    """Highest learning rate of the schedule."""
    schedule: Schedule = "one_cycle"
    """Of the learning rate: one_cycle, cosine, cyclic or step."""
    step_epochs: int = Field(default=30, ge=1)
    """With the schedule step: epochs between drops."""
    step_factor: float = Field(default=0.1, gt=0, le=1)
    """With the schedule step: factor of a drop."""
    momentum: Share = 0.9
    """Of SGD (Nesterov); one_cycle moves it between 0.85 and 0.95."""
    weight_decay: float = Field(default=0.0005, ge=0)
    """Of SGD."""
    decay_biases: bool = True
    """Whether biases and the weights of normalisations decay too."""
    label_smoothing: Share = 0.0
    """Share of the label given to all classes alike."""
    mixup: float = Field(default=0.0, ge=0)
    """α of mixup (0: none); with cutmix too, each has half of the batches."""
    cutmix: float = Field(default=0.0, ge=0)
    """α of cutmix (0: none)."""
    ema: Share = 0.0
    """Decay of a moving average of the weights, which is measured and kept (0: none)."""
    freeze_convolutions: int = Field(default=0, ge=0)
    """Leave so many convolutions as they are."""
    head_only: bool = False
    """Leave everything but the head as it is."""
    augment: str | None = None
    """Preset (small, imagenet, ham10000, histology, none) or YAML file (default: DESCRIPTION's, or small)."""
    evaluate_every: int = Field(default=1, ge=1)
    """Epochs between measurements; the last is measured."""
    evaluation_epsilon: float | None = Field(default=None, ge=0)
    """L2 radius of the attack by which it is measured (default: ε)."""
    evaluation_steps: int = Field(default=10, ge=1)
    """Steps of the attack by which it is measured."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Of the network; the perturbation is fp32 always."""
    workers: int | None = Field(default=None, ge=0)
    """Processes that load images (default: as suits the machine)."""
    in_memory: bool | None = None
    """Keep all images decoded in memory (default: if they take less than 2 GB)."""
    seed: int = Field(default=0, ge=0)
    """Of weights, order, augmentation and attack."""

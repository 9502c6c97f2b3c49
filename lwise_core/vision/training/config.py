"""How to train: every setting with its default, its range and what it means."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

Schedule = Literal["one_cycle", "cosine", "cyclic", "step"]
Share = Annotated[float, Field(ge=0, lt=1)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class TrainingConfig:
    """How to train.

    Descriptions, units and ranges stand with the fields. ε and lengths of steps are L2 over the whole image, pixels
    in [0, 1].

    Raises
    ------
    pydantic.ValidationError
        If a value is out of its range.
    """

    architecture: Annotated[str | None, Field(description="Network (default: small_resnet, or that of --from).")] = None
    size: Annotated[
        int | None,
        Field(ge=16, le=1024, description="Side of the square images (default: of --from or DESCRIPTION, or 96)."),
    ] = None
    description: Annotated[
        str | None,
        Field(description="Known data set, or a YAML file that describes one: size, augmentation, mean and std."),
    ] = None
    epsilon: Annotated[
        float, Field(ge=0, description="L2 radius of the attack in [0,1] pixels; 0 trains a non-robust model.")
    ] = 1.0
    attack_steps: Annotated[int, Field(ge=1, description="Steps of the attack on each batch.")] = 2
    attack_step: Annotated[
        float | None,
        Field(gt=0, description="Length of one (default: 1.5 ε / steps, so that they can cross the ball)."),
    ] = None
    zero_eps_epochs: Annotated[int, Field(ge=0, description="Epochs at the beginning without an attack.")] = 0
    eps_warmup_epochs: Annotated[int, Field(ge=0, description="Epochs over which ε then grows linearly.")] = 0
    epochs: Annotated[int, Field(ge=1, description="Times that every image is seen.")] = 30
    batch_size: Annotated[int, Field(ge=2, description="Pictures in a batch, of all processes together.")] = 64
    peak_learning_rate: Annotated[float, Field(gt=0, description="Highest learning rate of the schedule.")] = 0.2
    schedule: Annotated[Schedule, Field(description="Of the learning rate: one_cycle, cosine, cyclic or step.")] = (
        "one_cycle"
    )
    step_epochs: Annotated[int, Field(ge=1, description="With the schedule step: epochs between drops.")] = 30
    step_factor: Annotated[float, Field(gt=0, le=1, description="With the schedule step: factor of a drop.")] = 0.1
    momentum: Annotated[Share, Field(description="Of SGD (Nesterov); one_cycle moves it between 0.85 and 0.95.")] = 0.9
    weight_decay: Annotated[float, Field(ge=0, description="Of SGD.")] = 5e-4
    decay_biases: Annotated[bool, Field(description="Whether biases and the weights of normalisations decay too.")] = (
        True
    )
    label_smoothing: Annotated[Share, Field(description="Share of the label given to all classes alike.")] = 0.0
    mixup: Annotated[
        float, Field(ge=0, description="α of mixup (0: none); with cutmix too, each has half of the batches.")
    ] = 0.0
    cutmix: Annotated[float, Field(ge=0, description="α of cutmix (0: none).")] = 0.0
    ema: Annotated[
        Share, Field(description="Decay of a moving average of the weights, which is measured and kept (0: none).")
    ] = 0.0
    freeze_convolutions: Annotated[int, Field(ge=0, description="Leave so many convolutions as they are.")] = 0
    head_only: Annotated[bool, Field(description="Leave everything but the head as it is.")] = False
    augment: Annotated[
        str | None,
        Field(
            description="Preset (small, imagenet, ham10000, histology, none) or a YAML file of transforms (default: "
            "that of DESCRIPTION, or small)."
        ),
    ] = None
    evaluate_every: Annotated[int, Field(ge=1, description="Epochs between measurements; the last is measured.")] = 1
    evaluation_epsilon: Annotated[
        float | None, Field(ge=0, description="L2 radius of the attack by which it is measured (default: ε).")
    ] = None
    evaluation_steps: Annotated[int, Field(ge=1, description="Steps of the attack by which it is measured.")] = 10
    precision: Annotated[
        Literal["auto", "fp32", "bf16"], Field(description="Of the network; the perturbation is fp32 always.")
    ] = "auto"
    workers: Annotated[
        int | None, Field(ge=0, description="Processes that load images (default: as suits the machine).")
    ] = None
    in_memory: Annotated[
        bool | None, Field(description="Keep all images decoded in memory (default: if they take less than 2 GB).")
    ] = None
    seed: Annotated[int, Field(ge=0, description="Of weights, order, augmentation and attack.")] = 0

"""Confidence over training: the mean probability of the true class over the models of several epochs.

A cheap substitute for the consistency score, since easy images are learnt early and stay learnt (Jiang et al. 2021,
https://arxiv.org/abs/2002.03206, section 5).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lwise_core.errors import InputError
from lwise_core.vision.engine import Engine
from lwise_core.vision.guide import GuideModel
from lwise_core.vision.objectives import logit
from lwise_core.vision.per_image import Measure
from lwise_core.vision.targets import Targets

COLUMN = "epoch_confidence"


def epoch_confidence(models: Sequence[GuideModel], targets: Targets, engine: Engine) -> Measure:
    """The measure for `measure_images`: sum_t p_t(y) / T, 0 to 1, over T models; p the softmax of `targets`' columns.

    Each image is read once, and all models are held in memory.

    Raises
    ------
    InputError
        If the models differ in classes or image size.
    """
    first = models[0].description
    for number, model in enumerate(models[1:], start=2):
        other = model.description
        if (other.classes, other.size) != (first.classes, first.size):
            raise InputError(
                f"--model number {number} has {len(other.classes)} classes at {other.size} pixels, the first "
                f"{len(first.classes)} at {first.size}, or other class names; expected models of one training"
            )
    ready = [engine.prepared(model) for model in models]

    def compute(images: Tensor, labels: Tensor) -> list[Tensor]:
        with torch.inference_mode(), engine.computing():
            logits = (targets.columns(model(images)).to(engine.dtype) for model in ready)
            confidences = [logit(output.softmax(dim=1), labels) for output in logits]
        return [torch.stack(confidences).mean(dim=0)]

    return Measure((COLUMN,), compute, first.size, targets)

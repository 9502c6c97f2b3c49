"""How hard is each image? The robust model's logit of the true class predicts it (Talbot et al. 2025)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from lwise_core.dirmap import DirmapRow
from lwise_core.vision.guide import GuideModel
from lwise_core.vision.images import Progress
from lwise_core.vision.objectives import logit
from lwise_core.vision.pixels import as_float
from lwise_core.vision.train import EVALUATION_BATCH


def true_logits(model: GuideModel, images: Tensor, labels: Tensor, *, on_progress: Progress | None = None) -> Tensor:
    """Logit of the true class of uint8 images (N, 3, H, W) -> float32 (N,) on the CPU; runs where the model is."""
    device = model.device
    values = []
    with torch.inference_mode():
        for batch in torch.split(torch.arange(len(images)), EVALUATION_BATCH):
            values.append(logit(model(as_float(images[batch].to(device))), labels[batch].to(device)).cpu())
            if on_progress:
                on_progress(int(batch[-1]) + 1, len(images))
    return torch.cat(values)


def with_scores(rows: Sequence[DirmapRow], robust_gt_logits: Sequence[float]) -> list[DirmapRow]:
    """Dirmap rows with `robust_gt_logit` and `difficulty` = 1 - minmax(robust_gt_logit) over all rows.

    If all logits are equal, every image has difficulty 0.
    """
    lowest, highest = min(robust_gt_logits), max(robust_gt_logits)
    spread = (highest - lowest) or 1.0
    return [
        replace(row, robust_gt_logit=value, difficulty=(highest - value) / spread)
        for row, value in zip(rows, robust_gt_logits, strict=True)
    ]

"""A small residual network for images of 16 to 128 pixels, which two CPU cores train in a minute.

Pre-activation blocks (He et al. 2016, https://arxiv.org/abs/1603.05027) at three widths; about 0.2 million parameters
at the default width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_LARGE_INPUT = 48
"""From this side on, the first convolution halves the resolution, which divides the cost by four."""


class SmallResNet(nn.Module):
    """Normalised images (N, 3, size, size) -> logits (N, num_classes)."""

    def __init__(self, *, num_classes: int, size: int, width: int = 24) -> None:
        super().__init__()
        stride = 2 if size >= _LARGE_INPUT else 1
        self.stem = nn.Conv2d(3, width, kernel_size=3 + 2 * (stride - 1), stride=stride, padding=stride, bias=False)
        self.blocks = nn.Sequential(
            _Block(width, width, stride=stride),
            _Block(width, 2 * width, stride=2),
            _Block(2 * width, 4 * width, stride=2),
        )
        self.norm = nn.BatchNorm2d(4 * width)
        self.head = nn.Linear(4 * width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        pooled = torch.relu(self.norm(self.blocks(self.stem(images)))).mean(dim=(2, 3))
        logits: Tensor = self.head(pooled)
        return logits


class _Block(nn.Module):
    def __init__(self, channels_in: int, channels_out: int, *, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        same_shape = channels_in == channels_out and stride == 1
        self.shortcut = (
            nn.Identity() if same_shape else nn.Conv2d(channels_in, channels_out, 1, stride=stride, bias=False)
        )

    def forward(self, features: Tensor) -> Tensor:
        active = torch.relu(self.norm1(features))
        out: Tensor = self.conv2(torch.relu(self.norm2(self.conv1(active)))) + self.shortcut(active)
        return out

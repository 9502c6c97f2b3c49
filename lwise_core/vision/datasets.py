"""Images of a dirmap as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch.utils.data import Dataset

from lwise_core.dirmap import DirmapRow
from lwise_core.progress import OnProgress
from lwise_core.vision.images import load_rgb


class DirmapDataset(Dataset[tuple[torch.Tensor, int]]):
    """The images of a dirmap: item i is (uint8 tensor (3, size, size), class_num)."""

    def __init__(self, root: Path, rows: Sequence[DirmapRow], *, size: int) -> None:
        self.root = root
        self.rows = list(rows)
        self.size = size

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        row = self.rows[index]
        return torch.from_numpy(load_rgb(self.root / row.im_path, size=self.size)), row.class_num

    def load(self, on_progress: OnProgress | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Decode all images: uint8 images (N, 3, size, size) and int64 labels (N,)."""
        images = torch.empty(len(self), 3, self.size, self.size, dtype=torch.uint8)
        labels = torch.tensor([row.class_num for row in self.rows])
        with ThreadPoolExecutor() as pool:
            for index, (image, _) in enumerate(pool.map(self.__getitem__, range(len(self)))):
                images[index] = image
                if on_progress:
                    on_progress(index + 1, len(self))
        return images, labels

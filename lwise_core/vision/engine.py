"""Where and how a guide model computes: device, precision, memory layout, batch size.

All optimisations for speed are here, and none changes results beyond rounding: batch normalisation is folded into the
convolution before it (equal in exact arithmetic), convolutions run channels-last, and on a GPU with bf16 the network,
but not the perturbation, computes in bf16.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.fx import GraphModule
from torch.fx.experimental.optimization import fuse

from lwise_core.vision.guide import GuideModel

Precision = Literal["fp32", "bf16", "fp64"]

_BATCH_ON_CPU = 16
"""Larger batches are no faster on two cores, and take memory."""
_BATCH_ON_GPU = 256
_SMALLEST_BATCH_ON_CPU_PIXELS = 64 * 64

Result = TypeVar("Result")


def preferred_device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@dataclass(frozen=True)
class Engine:
    """How to compute.

    Attributes
    ----------
    precision : of the network: `fp32`, or `bf16` by autocast with the perturbation in fp32; `fp64` for the network and
        the perturbation, to compare with a formula.
    folds : whether batch normalisation is folded.
    compiles : whether the network is compiled by `torch.compile`, with CUDA graphs on a GPU, which takes about a minute
        before the first batch.
    at_once : images per batch; None: what suits the device.
    """

    device: torch.device
    precision: Precision = "fp32"
    folds: bool = True
    compiles: bool = False
    at_once: int | None = None

    @classmethod
    def automatic(cls, device: torch.device | None = None) -> Engine:
        """The fastest engine on this machine that keeps the results."""
        device = device or preferred_device()
        if device.type != "cuda":
            # CPUs without bf16 units are many times slower in bf16, and gain nothing from compiling.
            return cls(device)
        return cls(device, precision="bf16" if torch.cuda.is_bf16_supported() else "fp32", compiles=True)

    @property
    def dtype(self) -> torch.dtype:
        """Type of images and perturbations."""
        return torch.float64 if self.precision == "fp64" else torch.float32

    def prepared(self, model: GuideModel) -> nn.Module:
        """A copy of the model for ascents: in evaluation mode, frozen, on the device, optimised for speed."""
        ready = copy.deepcopy(model).eval().requires_grad_(False).to(self.device, self.dtype)
        if self.folds:
            ready.network = folded(ready.network)
        ready.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if not self.compiles:
            return ready
        mode = "reduce-overhead" if self.device.type == "cuda" else "default"
        compiled: nn.Module = torch.compile(ready, mode=mode, dynamic=False)  # type: ignore[assignment]
        return compiled

    def computing(self) -> AbstractContextManager[None]:
        """Context manager for every use of a prepared model."""
        return _autocast(self.device) if self.precision == "bf16" else nullcontext()

    def placed(self, images: Tensor) -> Tensor:
        """Convert uint8 images (N, 3, H, W) to a prepared model's input: 0 … 1, on the device, channels last."""
        on_device = images.to(self.device, non_blocking=True)
        return (on_device.to(self.dtype) / 255).contiguous(memory_format=torch.channels_last)

    def batch_size(self, side: int) -> int:
        """Batch size for images of `side` pixels. If a batch does not fit into memory, `in_parts` halves it."""
        if self.at_once is not None:
            return self.at_once
        if self.device.type == "cuda":
            return max(8, round(_BATCH_ON_GPU * (224 / side) ** 2))
        return max(_BATCH_ON_CPU, round(_BATCH_ON_CPU * _SMALLEST_BATCH_ON_CPU_PIXELS / side**2))


def folded(network: nn.Module) -> nn.Module:
    """Fold each batch normalisation into the convolution before it.

    Returns the network unchanged if it has none, or its forward pass cannot be traced.
    """
    if not any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
        return network
    try:
        fused: nn.Module = fuse(network.eval(), inplace=False)
    except Exception:  # tracing runs the network's own code on symbols, which may raise anything
        return network
    return fused if isinstance(fused, GraphModule) else network


def in_parts(compute: Callable[[Tensor, Tensor], list[Tensor]], images: Tensor, labels: Tensor) -> list[Tensor]:
    """`compute` a batch, or its halves if the whole does not fit into the device's memory.

    Parameters
    ----------
    compute : (images (N, …), labels (N,)) -> tensors (N, …).
    """
    try:
        return compute(images, labels)
    except torch.OutOfMemoryError:
        if len(images) == 1:
            raise
    # Outside the handler, which would keep the tensors of the failed attempt alive.
    torch.cuda.empty_cache()
    middle = len(images) // 2
    first = in_parts(compute, images[:middle], labels[:middle])
    second = in_parts(compute, images[middle:], labels[middle:])
    return [torch.cat(both) for both in zip(first, second, strict=True)]


@contextmanager
def _autocast(device: torch.device) -> Iterator[None]:
    with torch.autocast(device.type, dtype=torch.bfloat16):
        yield

"""The processes of one training, started by `torchrun`: who they are, and sums over all of them.

Every process knows the whole plan and does its share of each batch, so that a batch is the same whatever their number;
PyTorch's DistributedSampler would show some pictures twice to make the shares equal.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from lwise_core.vision.engine import preferred_device

Value = TypeVar("Value")
Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True)
class Group:
    """Processes that train one model: their number, and which one this is, of all and on its machine."""

    n: int
    rank: int
    n_here: int
    rank_here: int

    @property
    def leads(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0

    def share(self, batch: Tensor) -> Tensor:
        """This process's part of a batch."""
        return torch.tensor_split(batch, self.n)[self.rank]

    def total(self, values: Tensor) -> Tensor:
        """The sum over all processes."""
        if self.n > 1:
            distributed.all_reduce(values)
        return values

    def any(self, here: bool) -> bool:
        """Whether it is so in one process at least."""
        return here if self.n == 1 else bool(self.total(torch.tensor(int(here))))

    def from_leader(self, value: Value) -> Value:
        """What the leading process has; what the others give is left unused."""
        values = [value]
        if self.n > 1:
            distributed.broadcast_object_list(values, src=0)
        return values[0]

    def agree(self, tensors: Iterable[Tensor]) -> None:
        """Let each of these become its mean over all processes."""
        if self.n > 1:
            for tensor in tensors:
                tensor.copy_(self.total(tensor.clone()) / self.n)

    @property
    def shares_statistics(self) -> bool:
        """Whether batch normalisation takes the whole batch; PyTorch can do that on cards only."""
        return self.n > 1 and self.device.type == "cuda"

    @property
    def device(self) -> torch.device:
        """A card for each process of a machine, where it has them."""
        device = preferred_device()
        return torch.device("cuda", self.rank_here) if device.type == "cuda" else device


ALONE = Group(n=1, rank=0, n_here=1, rank_here=0)


@contextmanager
def started_group() -> Iterator[Group]:
    """The group that `torchrun` started this process in; without it, one process alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    rank_here = int(os.environ["LOCAL_RANK"])
    if torch.cuda.is_available():
        torch.cuda.set_device(rank_here)
    # Words between the processes, such as that all are to stop, go over gloo, so that no card is waited for.
    distributed.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield Group(
            n=distributed.get_world_size(),
            rank=distributed.get_rank(),
            n_here=int(os.environ["LOCAL_WORLD_SIZE"]),
            rank_here=rank_here,
        )
    finally:
        distributed.destroy_process_group()


def with_shared_statistics(model: Module, group: Group) -> Module:
    """The model, its batch normalisation over the whole batch instead of each process's share, where that can be."""
    if not group.shares_statistics:
        return model
    return nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-any-return, no-untyped-call]


def averaging(model: nn.Module, group: Group) -> nn.Module:
    """The model as one whose gradients become their mean over the group as they are computed."""
    return model if group.n == 1 else DistributedDataParallel(model, broadcast_buffers=False)

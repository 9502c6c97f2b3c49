"""The processes of one training, as started by `torchrun`: their ranks, and sums over all of them.

Every process knows all batches and takes its share of each, so a batch is the same for any number of processes;
PyTorch's DistributedSampler would show some images twice to make the shares equal.
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
    """Processes that train one model: their number and this one's rank, in total and on this machine."""

    n: int
    rank: int
    local_size: int
    local_rank: int

    @property
    def is_leader(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0

    def share(self, batch: Tensor) -> Tensor:
        """This process's share of a batch."""
        return torch.tensor_split(batch, self.n)[self.rank]

    def total(self, values: Tensor) -> Tensor:
        """The sum over all processes."""
        if self.n > 1:
            distributed.all_reduce(values)
        return values

    def any(self, here: bool) -> bool:
        """Whether the flag is true in at least one process."""
        return here if self.n == 1 else bool(self.total(torch.tensor(int(here))))

    def broadcast(self, value: Value) -> Value:
        """The leader's value; those of the other processes are ignored."""
        values = [value]
        if self.n > 1:
            distributed.broadcast_object_list(values, src=0)
        return values[0]

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by its mean over all processes."""
        if self.n > 1:
            for tensor in tensors:
                tensor.copy_(self.total(tensor.clone()) / self.n)

    @property
    def syncs_batch_norm(self) -> bool:
        """Whether batch normalisation covers the whole batch; PyTorch supports that on GPUs only."""
        return self.n > 1 and self.device.type == "cuda"

    @property
    def device(self) -> torch.device:
        """One GPU for each process of a machine, if it has GPUs."""
        device = preferred_device()
        return torch.device("cuda", self.local_rank) if device.type == "cuda" else device


SINGLE_PROCESS = Group(n=1, rank=0, local_size=1, local_rank=0)


@contextmanager
def process_group() -> Iterator[Group]:
    """The group in which `torchrun` started this process; without `torchrun`, a single process."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield SINGLE_PROCESS
        return
    local_rank = int(os.environ["LOCAL_RANK"])
    if torch.cuda.is_available():
        torch.cuda.set_device(local_rank)
    # Messages between processes, such as a request to stop, go over gloo, so that they do not wait for a GPU.
    distributed.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield Group(
            n=distributed.get_world_size(),
            rank=distributed.get_rank(),
            local_size=int(os.environ["LOCAL_WORLD_SIZE"]),
            local_rank=local_rank,
        )
    finally:
        distributed.destroy_process_group()


def sync_batch_norm(model: Module, group: Group) -> Module:
    """Make batch normalisation cover the whole batch instead of each process's share, where supported."""
    if not group.syncs_batch_norm:
        return model
    return nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-any-return, no-untyped-call]


def data_parallel(model: nn.Module, group: Group) -> nn.Module:
    """Wrap the model so that its gradients are averaged over the group as they are computed."""
    return model if group.n == 1 else DistributedDataParallel(model, broadcast_buffers=False)

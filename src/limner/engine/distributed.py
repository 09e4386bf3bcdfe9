"""Many processes and machines over torch.distributed; with one process every call here is free."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import importlib
import os
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from limner.core.errors import UserError


@dataclasses.dataclass(frozen=True)
class Ranks:
    """Which of the processes this one is; rank 0 of `world` alone writes files."""

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    local_world: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def share(self, batch: int) -> int:
        """This rank's part of a global batch; UserError when it does not divide."""
        if batch % self.world:
            raise UserError(
                f"--batch {batch} counts pictures over all {self.world} processes and must be a multiple of "
                f"{self.world}: try --batch {max(1, round(batch / self.world)) * self.world}"
            )
        return batch // self.world


@contextlib.contextmanager
def ranks(device: str | None = None) -> Iterator[Ranks]:
    """Join the processes that torchrun started; alone when it did not start us.

    They stay joined until this one ends: gloo, asked to join them a second time, waits for ever.
    """
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        yield Ranks()
        return
    here = Ranks(
        int(os.environ["RANK"]),
        int(os.environ["WORLD_SIZE"]),
        int(os.environ.get("LOCAL_RANK", "0")),
        int(os.environ.get("LOCAL_WORLD_SIZE", "1")),
    )
    if here.world == 1:
        yield here
        return
    on_gpu = device in (None, "auto", "cuda") and torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(here.local_rank)
    if not dist.is_initialized():
        # The defaults of this module's functions would keep the group for ever, were it imported later, as optimizers
        # do: gloo's threads would then go on into Python's end, and one that still held a tensor would abort.
        importlib.import_module("torch.distributed.nn.functional")
        dist.init_process_group("nccl" if on_gpu else "gloo")
        atexit.register(_leave)
    yield here


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def average_(tensors: list[Tensor]) -> None:
    """Replace each tensor by its mean over ranks, all in one flat exchange per dtype."""
    if not dist.is_initialized() or not tensors:
        return
    for dtype in {tensor.dtype for tensor in tensors}:
        group = [tensor for tensor in tensors if tensor.dtype == dtype]
        flat = torch.cat([tensor.reshape(-1) for tensor in group])
        dist.all_reduce(flat)
        flat /= dist.get_world_size()
        for tensor, part in zip(group, flat.split([tensor.numel() for tensor in group]), strict=True):
            tensor.copy_(part.view_as(tensor))


def from_first(value: Any) -> Any:
    """Rank 0's `value` (numbers, strings, lists, dicts), on every rank."""
    if not dist.is_initialized():
        return value
    box = [value]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def gather(value: Any) -> list[Any]:
    """Every rank's `value` in the order of ranks."""
    if not dist.is_initialized():
        return [value]
    gathered: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(gathered, value)
    return gathered


def barrier() -> None:
    """Wait for all ranks."""
    if dist.is_initialized():
        dist.barrier()

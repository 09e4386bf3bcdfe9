"""The machine's settings: what "auto" becomes on this device, and how networks are put on it."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

import torch
from torch import Tensor, nn

from limner.core.config import EngineConfig, Switch
from limner.core.errors import UserError
from limner.engine.distributed import Ranks

LARGE_BATCH = 32  # pictures: smaller ones lose 10 to 20 % on a CPU by channels-last memory, larger ones gain as much


@dataclasses.dataclass(frozen=True)
class Machine:
    """Engine settings with every "auto" resolved; recorded in the run, so that a resume repeats them."""

    device: str
    precision: str
    channels_last: bool
    compile: bool
    fused: bool
    threads: int

    def prepare(self) -> None:
        """Apply the settings that belong to the process."""
        torch.set_num_threads(self.threads)
        if self.device.startswith("cuda"):
            torch.backends.cuda.matmul.allow_tf32 = True
            torch.backends.cudnn.allow_tf32 = True
            torch.backends.cudnn.deterministic = True  # resume is exact; costs little where cuDNN has a choice
            torch.backends.cudnn.benchmark = False

    def place(self, net: nn.Module) -> nn.Module:
        """Move a network to the device in the chosen memory format, and compile it in place when that is on."""
        net = net.to(self.device)
        if self.channels_last:
            net = net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        if self.compile:
            net.compile(dynamic=False)
        return net

    def send(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Move a batch to the device; pictures also into the memory format."""
        sent = {name: tensor.to(self.device, non_blocking=True) for name, tensor in batch.items()}
        if self.channels_last:
            for name, tensor in sent.items():
                if tensor.dim() == 4:
                    sent[name] = tensor.contiguous(memory_format=torch.channels_last)
        return sent

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """The context a step runs in."""
        if self.precision == "bf16":
            return torch.autocast(torch.device(self.device).type, dtype=torch.bfloat16)
        return contextlib.nullcontext()


def resolve(asked: EngineConfig, ranks: Ranks, batch: int) -> Machine:
    """Choose what was left to "auto" for a batch over all ranks.

    Errors: UserError when a device was asked for that this machine does not have.
    """
    device = asked.device if asked.device != "auto" else best_device()
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: PyTorch sees no CUDA GPU here; leave --device out, or use --device cpu")
    if device == "mps" and not torch.backends.mps.is_available():
        raise UserError("--device mps: PyTorch sees no Apple GPU here; leave --device out, or use --device cpu")
    precision = asked.precision
    if precision == "auto":
        precision = "bf16" if device == "cuda" and torch.cuda.is_bf16_supported() else "fp32"
    large = batch >= LARGE_BATCH * ranks.world
    return Machine(
        device=f"cuda:{ranks.local_rank}" if device == "cuda" and ranks.world > 1 else device,
        precision=precision,
        channels_last=_on(asked.channels_last, device == "cuda" or (device == "cpu" and large)),
        compile=_on(asked.compile, False),
        fused=_on(asked.fused, device in ("cpu", "cuda")),
        threads=asked.threads or max(1, torch.get_num_threads() // ranks.local_world),
    )


def best_device() -> str:
    """The fastest device of this machine: "cuda", "mps" or "cpu"."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _on(switch: Switch, auto: bool) -> bool:
    return auto if switch == "auto" else switch == "on"

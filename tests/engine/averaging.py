"""Run by test_distributed under torchrun: one update of a net without batch statistics, on this rank's half."""

import sys

import torch
from torch import nn

from limner.core.clock import Clock
from limner.core.contract import ParamGroup
from limner.core.schedule import constant
from limner.engine.distributed import ranks
from limner.engine.update import Updater


def one_update(pictures: torch.Tensor, betas: tuple[float, float] = (0.5, 0.9)) -> dict[str, torch.Tensor]:
    """The weights of a small net after one step on the mean loss of these pictures."""
    torch.manual_seed(0)
    nets = {"D": nn.Sequential(nn.Conv2d(3, 4, 3), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(4 * 36, 1))}
    group = ParamGroup(("D",), constant(1e-2), betas=betas, eps=1e-3)
    Updater({"D": group}, nets, Clock(100), fused=True)(D=nets["D"](pictures).square().mean())
    return nets["D"].state_dict()


def batch() -> torch.Tensor:
    """Sixteen pictures, the same in every process."""
    return torch.randn(16, 3, 8, 8, generator=torch.Generator().manual_seed(1))


if __name__ == "__main__":
    with ranks("cpu") as here:
        share = here.share(16)
        weights = one_update(batch()[here.rank * share : (here.rank + 1) * share])
        torch.save(weights, f"{sys.argv[1]}/{here.rank}.pt")

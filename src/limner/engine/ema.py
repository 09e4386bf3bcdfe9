"""The running average of the weights, which is what is shown, measured, saved and used."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class Ema:
    """An average of networks with a half-life counted in images.

    The half-life warms up as a twentieth of the images seen (as in StyleGAN2-ADA's training, arXiv 2006.06676), so that
    early samples are not those of the initial weights. Running statistics of norms are averaged like weights; integer
    buffers are copied. With a half-life of 0 the average is the networks themselves.
    """

    WARM_UP = 0.05

    def __init__(self, nets: dict[str, nn.Module], half_life: int) -> None:
        self.half_life = half_life
        self.nets = {name: copy.deepcopy(net).eval().requires_grad_(False) for name, net in nets.items()}
        self._pairs = [
            (average, net)
            for name, averaged in self.nets.items()
            for average, net in zip(_tensors(averaged), _tensors(nets[name]), strict=True)
        ]

    @torch.no_grad()
    def update(self, batch: int, images: int) -> None:
        """Move the average towards the networks after a step of `batch` images that made the count `images`."""
        half_life = min(self.half_life, self.WARM_UP * images)
        keep = 0.5 ** (batch / half_life) if half_life > 0 else 0.0
        floating = [(average, net) for average, net in self._pairs if average.is_floating_point()]
        averages, current = [average for average, _ in floating], [net for _, net in floating]
        torch._foreach_lerp_(averages, current, 1.0 - keep)  # pyright: ignore[reportPrivateImportUsage]
        for average, net in self._pairs:
            if not average.is_floating_point():
                average.copy_(net)


def _tensors(net: nn.Module) -> list[Tensor]:
    return [tensor.detach() for tensor in (*net.parameters(), *net.buffers())]

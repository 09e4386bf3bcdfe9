"""The running average of the weights, which is what is shown, measured, saved and used."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

PER_PICTURE = 10_000 / 32  # images of half-life for each picture of the batch (arXiv 2006.06676, its "auto")


def half_life(asked: int | None, batch: int) -> int:
    """The half-life asked for, in images, or that of StyleGAN2-ADA for this batch."""
    return asked if asked is not None else round(PER_PICTURE * batch)


class Ema:
    """An average of networks with a half-life counted in images.

    The half-life warms up as a twentieth of the images seen (as in StyleGAN2-ADA's training, arXiv 2006.06676), so that
    early samples are not those of the initial weights. Running statistics of norms are averaged like weights; integer
    buffers are copied. With a half-life of 0 the average is the networks themselves, in one memory; a network that is
    frozen, since none of its parameters asks for a gradient any more, is copied.
    """

    WARM_UP = 0.05

    def __init__(self, nets: dict[str, nn.Module], half_life: int) -> None:
        self.half_life = half_life
        self.sources = dict(nets)
        self.nets = {name: copy.deepcopy(net).eval().requires_grad_(False) for name, net in nets.items()}
        self._pairs = {
            name: list(zip(_tensors(averaged), _tensors(nets[name]), strict=True))
            for name, averaged in self.nets.items()
        }
        if not half_life:
            for name, averaged in self.nets.items():
                for tensor, source in zip(_own(averaged), _own(nets[name]), strict=True):
                    tensor.data = source.data

    @torch.no_grad()
    def update(self, batch: int, images: int) -> None:
        """Move the average towards the networks after a step of `batch` images that made the count `images`."""
        if not self.half_life:
            return
        half_life = min(self.half_life, self.WARM_UP * images)
        keep = 0.5 ** (batch / half_life)
        moved: list[tuple[Tensor, Tensor]] = []
        copied: list[tuple[Tensor, Tensor]] = []
        for name, pairs in self._pairs.items():
            frozen = not any(parameter.requires_grad for parameter in self.sources[name].parameters())
            for average, net in pairs:
                (copied if frozen or not average.is_floating_point() else moved).append((average, net))
        averages, current = [average for average, _ in moved], [net for _, net in moved]
        torch._foreach_lerp_(averages, current, 1.0 - keep)  # pyright: ignore[reportPrivateImportUsage]
        for average, net in copied:
            average.copy_(net)


def _tensors(net: nn.Module) -> list[Tensor]:
    return [tensor.detach() for tensor in _own(net)]


def _own(net: nn.Module) -> list[Tensor]:
    return [*net.parameters(), *net.buffers()]

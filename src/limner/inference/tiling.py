"""Pictures larger than memory allows: overlapping tiles, blended, with one set of statistics for all of them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PASSES = 2  # over all tiles, to settle the statistics: each corrects what the layers before got wrong in the last
Net = Callable[[Tensor], Tensor]


def tiled(net: Net, modules: list[nn.Module], picture: Tensor, tile: int, multiple: int = 64) -> Tensor:
    """Run `net` on a picture (1, C, H, W) in tiles of at most `tile` pixels a side; returns (1, C', H, W).

    Tiles overlap by a quarter and fade into each other. Layers among `modules` that normalise by the picture that they
    see (instance and group normalisation) are given the statistics of the whole picture, gathered in passes before.
    """
    rows, columns = (_starts(side, tile, multiple) for side in picture.shape[-2:])
    places = [(top, left) for top in rows for left in columns]
    height, width = (min(tile, side) for side in picture.shape[-2:])

    def cut(place: tuple[int, int]) -> Tensor:
        return picture[..., place[0] : place[0] + height, place[1] : place[1] + width]

    with WholeStatistics(modules) as statistics:
        for _ in range(PASSES if statistics.needed else 0):
            for place in places:
                net(cut(place))
            statistics.settle()
        fade = _fade(height)[:, None] * _fade(width)[None, :]  # (height, width)
        total, weight = None, torch.zeros(picture.shape[-2:])
        for place in places:
            made = net(cut(place)).cpu()
            if total is None:
                total = torch.zeros(1, made.shape[1], *picture.shape[-2:])
            window = (..., slice(place[0], place[0] + height), slice(place[1], place[1] + width))
            total[window] += made * fade
            weight[window[1:]] += fade
    assert total is not None
    return total / weight


def _starts(side: int, tile: int, multiple: int) -> list[int]:
    # At multiples of what the network halves, so that every tile lies on the grid that the whole picture would.
    if side <= tile:
        return [0]
    step = max(multiple, tile * 3 // 4 // multiple * multiple)
    starts = list(range(0, side - tile, step))
    return [*starts, side - tile]


def _fade(side: int) -> Tensor:
    ramp = torch.arange(1, side + 1, dtype=torch.float32).minimum(torch.arange(side, 0, -1, dtype=torch.float32))
    return (ramp / (side / 4)).clamp_(max=1.0)  # full in the middle, down to almost nothing at the border


class WholeStatistics:
    """While open, layers that normalise by the picture they see use statistics gathered over many tiles.

    At first each uses its own and notes them down; after `settle` all use the mean of what was noted, and note anew.
    """

    def __init__(self, modules: list[nn.Module]) -> None:
        inner = [layer for module in modules for layer in module.modules()]
        self.layers = [layer for layer in inner if isinstance(layer, nn.InstanceNorm2d | nn.GroupNorm)]
        self.noted: dict[nn.Module, list[Tensor]] = {}
        self.fixed: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    @property
    def needed(self) -> bool:
        """Whether there is such a layer."""
        return bool(self.layers)

    def settle(self) -> None:
        """Use the mean of what was noted from now on."""
        for layer, noted in self.noted.items():
            mean, square = torch.stack(noted).mean(dim=0)
            self.fixed[layer] = (mean, (square - mean.square()).clamp_(min=0.0))
        self.noted = {}

    def __enter__(self) -> WholeStatistics:
        for layer in self.layers:
            vars(layer)["forward"] = self._normalise(layer)
        return self

    def __exit__(self, *error: object) -> None:
        for layer in self.layers:
            vars(layer).pop("forward", None)  # the class's own is seen again

    def _normalise(self, layer: Any) -> Net:
        groups = layer.num_groups if isinstance(layer, nn.GroupNorm) else layer.num_features

        def forward(x: Tensor) -> Tensor:
            parts = x.reshape(1, groups, -1)  # (1, groups, pixels)
            mean, square = parts.mean(dim=2), parts.square().mean(dim=2)
            self.noted.setdefault(layer, []).append(torch.stack([mean, square]))
            mean, variance = self.fixed.get(layer, (mean, (square - mean.square()).clamp_(min=0.0)))
            y = ((parts - mean[..., None]) * torch.rsqrt(variance[..., None] + layer.eps)).view_as(x)
            if layer.weight is None:
                return y
            return y * layer.weight[:, None, None] + layer.bias[:, None, None]

        return forward


@contextlib.contextmanager
def noisy(modules: list[nn.Module], on: bool) -> Iterator[None]:
    """Keep dropout working as in training while open, as pix2pix does for its only noise."""
    layers = [layer for module in modules for layer in module.modules() if isinstance(layer, nn.Dropout)]
    for layer in layers:
        layer.train(on)
    try:
        yield
    finally:
        for layer in layers:
            layer.eval()


def largest_tile(limit: int, multiple: int = 64) -> int:
    """The side of the largest square tile that has at most `limit` pixels."""
    return max(4 * multiple, int(math.sqrt(limit)) // multiple * multiple)


def resize(pictures: Tensor, height: int, width: int) -> Tensor:
    """Scale pictures (B, C, H, W) with antialiasing."""
    if pictures.shape[-2:] == (height, width):
        return pictures
    return F.interpolate(pictures, (height, width), mode="bicubic", antialias=True).clamp_(-1, 1)

"""Pictures larger than memory allows: overlapping tiles, blended, with one set of statistics for all of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.core.images import to_float, to_uint8

FINEST = 4  # pixels: the grid of a network that has no `multiple`
UNKNOWN = 256  # pixels: that of a graph into which nobody can look; the deepest U-Net's is no finer
REACH = 4  # codes of a U-Net, each `multiple` pixels wide, that neighbouring tiles share: so far does one reach
LEAST_OVERLAP = 192  # pixels, for networks without a code: nine residual blocks reach 85 pixels
ROUNDS = 4  # over the whole picture, to gather statistics: in each, tiles see better what the others are like
Net = Callable[[Tensor], Tensor]


def tiled(net: Net, modules: list[nn.Module], picture: Tensor, tile: int) -> Tensor:
    """Run `net` on a picture, uint8 (1, C, H, W), in tiles of at most `tile` pixels a side; uint8 (1, C', H, W).

    Tiles overlap, by half where `modules` have a U-Net's long reach, and fade into each other. They lie on the grid
    that the modules halve, and a side is two of its cells at least. Layers that normalise by the picture that they see
    (instance and group normalisation) are given statistics of the whole picture, gathered before. Beside the picture
    and the result, memory holds the activations of one tile and a strip of tiles across the shorter side.
    """
    multiple = max((int(getattr(module, "multiple", FINEST)) for module in modules), default=UNKNOWN)
    whole = _Padded(picture, multiple)
    side = max(2 * multiple, tile // multiple * multiple)
    overlap = min(side // 2, max(REACH * multiple, LEAST_OVERLAP))
    rows, columns = (_spans(length, side, overlap, multiple) for length in whole.shape)
    with WholeStatistics(modules) as statistics:
        if statistics.layers:
            statistics.gather(net, whole, side, multiple)
        long = int(whole.shape[1] > whole.shape[0])  # strips lie across the longer axis, so they are short
        strips = [to_uint8(strip) for strip in _strips(net, whole, (rows, columns), long)]
    return torch.cat(strips, 2 + long)[..., whole.rows, whole.columns]


class _Span:
    # Where a tile lies along one axis, and its share of each pixel there: the shares of all tiles add up to 1.
    def __init__(self, start: int, length: int, share: Tensor) -> None:
        self.start, self.stop, self.share = start, start + length, share


class _Padded:
    # A picture padded to a multiple as the networks pad it themselves, but only where a tile is cut.
    def __init__(self, picture: Tensor, multiple: int) -> None:
        self.picture = picture
        sides = picture.shape[-2:]
        self.shape = tuple(-(-side // multiple) * multiple for side in sides)
        before = [(padded - side) // 2 for padded, side in zip(self.shape, sides, strict=True)]
        after = [padded - side - b for padded, side, b in zip(self.shape, sides, before, strict=True)]
        mode = "reflect" if all(a < side for a, side in zip(after, sides, strict=True)) else "edge"
        places = [np.pad(np.arange(side), (b, a), mode=mode) for side, b, a in zip(sides, before, after, strict=True)]
        self.places = [torch.from_numpy(place) for place in places]
        self.rows, self.columns = (slice(b, b + side) for b, side in zip(before, sides, strict=True))

    def cut(self, rows: _Span, columns: _Span) -> Tensor:
        """float32 (1, C, rows, columns) in [-1, 1]."""
        tall, wide = self.places[0][rows.start : rows.stop], self.places[1][columns.start : columns.stop]
        if _is_run(tall) and _is_run(wide):
            return to_float(self.picture[..., int(tall[0]) : int(tall[-1]) + 1, int(wide[0]) : int(wide[-1]) + 1])
        device = self.picture.device
        return to_float(self.picture.index_select(2, tall.to(device)).index_select(3, wide.to(device)))


def _is_run(places: Tensor) -> bool:
    return bool((places.diff() == 1).all())


def _spans(length: int, side: int, overlap: int, multiple: int) -> list[_Span]:
    side = min(side, length)
    step = max(multiple, (side - overlap) // multiple * multiple)
    starts = [*range(0, length - side, step), length - side]
    fades = [_fade(side, overlap, start > 0, start + side < length) for start in starts]
    total = torch.zeros(length)
    for fade, start in zip(fades, starts, strict=True):
        total[start : start + side] += fade
    return [_Span(s, side, fade / total[s : s + side]) for s, fade in zip(starts, fades, strict=True)]


def _fade(side: int, overlap: int, before: bool, after: bool) -> Tensor:
    # Up to the picture's own border a tile counts in full. Of the part that it shares with a neighbour the outer three
    # eighths count for nothing, as the network saw too little around them; then it rises over a quarter.
    fade, ramp = torch.ones(side), (torch.arange(side) + 1 - overlap * 3 / 8) / (overlap / 4 + 1)
    if before:
        fade = fade.minimum(ramp)
    if after:
        fade = fade.minimum(ramp.flip(0))
    return fade.clamp_(0.0, 1.0)


def _strips(net: Net, whole: _Padded, spans: tuple[list[_Span], ...], long: int) -> Iterator[Tensor]:
    # What is finished of the result, piece by piece along the longer axis: (1, C', H, W) in [-1, 1].
    axis = 2 + long
    waiting: Tensor | None = None  # what later strips will add to
    for number, outer in enumerate(spans[long]):
        strip: Tensor | None = None
        for inner in spans[1 - long]:
            rows, columns = (inner, outer) if long else (outer, inner)
            made = net(whole.cut(rows, columns)).float().cpu()
            if strip is None:
                shape = list(made.shape)
                shape[3 - long] = whole.shape[1 - long]
                strip = torch.zeros(shape)
            window = strip.narrow(3 - long, inner.start, inner.stop - inner.start)
            window += made * (rows.share[:, None] * columns.share)
        assert strip is not None
        if waiting is not None:
            strip.narrow(axis, 0, waiting.shape[axis]).add_(waiting)
        following = spans[long][number + 1].start if number + 1 < len(spans[long]) else outer.stop
        yield strip.narrow(axis, 0, following - outer.start)
        waiting = strip.narrow(axis, following - outer.start, outer.stop - following)


class WholeStatistics:
    """While open, layers that normalise by the picture they see use statistics of the whole picture.

    `gather` runs the tiles one after another, each normalised by what is known of all so far, itself included. What a
    layer notes of a tile replaces what it noted in the round before. (Noting one round with the statistics of the last
    does not do: they would not fit together, and the misfit grows from layer to layer.)
    """

    def __init__(self, modules: list[nn.Module]) -> None:
        inner = [layer for module in modules for layer in module.modules()]
        self.layers = [layer for layer in inner if isinstance(layer, nn.InstanceNorm2d | nn.GroupNorm)]
        self.share: Tensor | None = None  # (H, W): how much each pixel counts, while gathering
        self.tile = 0
        self.noted: dict[nn.Module, dict[int, Tensor]] = {layer: {} for layer in self.layers}

    def gather(self, net: Net, whole: _Padded, side: int, multiple: int) -> None:
        """Settle the statistics, from tiles of this side."""
        rows, columns = (_spans(length, side, side // 4, multiple) for length in whole.shape)
        places = [(one, other) for one in rows for other in columns]
        order = np.random.default_rng(0).permutation(len(places))  # neighbours are alike: far ones tell more at first
        for self.tile in [*order] * ROUNDS:
            one, other = places[self.tile]
            self.share = one.share[:, None] * other.share
            net(whole.cut(one, other))
        self.share = None

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
            if self.share is not None:
                self.noted[layer][self.tile] = _sums(x, groups, self.share.to(x.device)).cpu().double()
            mean, square, count = torch.stack([*self.noted[layer].values()]).sum(dim=0)  # each (groups,)
            mean, square = mean / count, square / count
            scale = torch.rsqrt((square - mean.square()).clamp_(min=0.0) + layer.eps)
            parts = x.reshape(len(x), groups, -1)  # (B, groups, pixels)
            y = ((parts - mean.to(x)[:, None]) * scale.to(x)[:, None]).view(x.shape)
            if layer.weight is None:
                return y
            return y * layer.weight[:, None, None] + layer.bias[:, None, None]

        return forward


def _sums(x: Tensor, groups: int, share: Tensor) -> Tensor:
    # of the values of a map (1, C, h, w), of their squares, and of how much they count: (3, groups)
    share = F.adaptive_avg_pool2d(share[None], (x.shape[2], x.shape[3])).flatten()  # (pixels,)
    pixels = x.reshape(groups, -1, len(share))  # (groups, channels, pixels)
    parts = [(some @ share).sum(dim=1) for some in (pixels, pixels.square())]
    return torch.stack([*parts, (share.sum() * pixels.shape[1]).expand(groups)])


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


def resize(pictures: Tensor, height: int, width: int) -> Tensor:
    """Scale pictures (B, C, H, W) with antialiasing."""
    if pictures.shape[-2:] == (height, width):
        return pictures
    return F.interpolate(pictures, (height, width), mode="bicubic", antialias=True).clamp_(-1, 1)

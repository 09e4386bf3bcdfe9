"""Discriminators that judge patches: PatchGAN (arXiv 1611.07004, section 6.1.2), residual, and several scales at once.

All take pictures (B, C, H, W), for pix2pix input and output joined along the channels, and return logits. With
`features=True` they also return what their stages made of the pictures, for feature matching. `spectral_norm` divides
every weight by its largest singular value and goes with any normalisation.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from limner.nets.init import normal_init
from limner.nets.norms import KERAS, Norm, norm_layer, spectral, wants_bias
from limner.nets.resample import PoolConv

Judgement = Tensor | tuple[Tensor, list[Tensor]]
"""logits, or logits and features"""
SMALLEST = 4  # px: where "image" stops halving


class PatchDiscriminator(nn.Module):
    """PatchGAN: 4x4 convolutions, LeakyReLU 0.2, one logit for each overlapping patch.

    The widths double from `filters` to eight times that, and the first convolution is not normalised. `layers` is:

    - a number n above 0: n halvings, a convolution of stride 1, and one to the logits. 3 judges patches of 70x70, with
      30x30 logits at 256 px; with instance norm it is the sketch report's too. The shorter side is at least 3 * 2^n.
    - 0: the pixel discriminator, two 1x1 convolutions and one to the logits.
    - "image": halvings down to 4 to 7 pixels and a convolution over all of these: one logit (B, 1, 1, 1). Needs `size`,
      the pictures' height and width.

    `activation_first` is the maps report's order: LeakyReLU before the normalisation, Keras's numbers in BatchNorm, no
    convolution of stride 1, logits as many as pixels at the end: with 4 layers 16x16 at 256 px.

    Errors: ValueError for a `size` that is too small, and for "image" without one.
    """

    def __init__(
        self,
        channels: int,
        layers: int | Literal["image"] = 3,
        filters: int = 64,
        norm: Norm = "batch",
        spectral_norm: bool = False,
        activation_first: bool = False,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        biased = activation_first or wants_bias(norm)
        kernel, strides = 4, [2]
        if layers == "image":
            if size is None or min(size) < 2 * SMALLEST:
                raise ValueError(f"one logit for the whole image needs its size, {2 * SMALLEST} px or more; got {size}")
            strides *= (min(size) // SMALLEST).bit_length() - 1
        elif layers == 0:
            kernel, strides = 1, [1, 1]
        else:
            strides = strides * layers + ([] if activation_first else [1])
            _check(size, 2**layers * (1 if activation_first else 3))  # 3: each convolution of stride 1 takes a pixel
        self.stages = nn.ModuleList()
        before = channels
        for i, stride in enumerate(strides):
            after = filters * min(8, 2**i)
            conv = nn.Conv2d(before, after, kernel, stride, int(kernel > 1), bias=biased or i == 0)
            normal = norm_layer(norm if i else "none", after, **(KERAS if activation_first else {}))
            rest = [normal, nn.LeakyReLU(0.2, inplace=True)]
            self.stages.append(nn.Sequential(conv, *(reversed(rest) if activation_first else rest)))
            before = after
        if layers == "image" and size is not None:
            self.judge = nn.Conv2d(before, 1, (size[0] >> len(strides), size[1] >> len(strides)))
        elif layers == 0:
            self.judge = nn.Conv2d(before, 1, 1, bias=biased)
        elif activation_first:
            self.judge = nn.Sequential(nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(before, 1, 4))
        else:
            self.judge = nn.Conv2d(before, 1, 4, 1, 1)
        normal_init(self)
        if spectral_norm:
            spectral(self)

    def forward(self, x: Tensor, features: bool = False) -> Judgement:
        """Judge pictures (B, channels, H, W): logits (B, 1, h, w), and with `features` the output of every stage."""
        return _judge(x, self.stages, self.judge, features)


class ResidualDiscriminator(nn.Module):
    """Residual blocks in place of PatchGAN's convolutions, each halving by the mean of 2x2 pixels.

    A block is x + [normalisation, LeakyReLU 0.2, convolution 3x3] twice (the first block: on the bare picture, so
    without the first normalisation and activation), with a 1x1 convolution on the way round. The sum halves, and there
    is one logit for every pixel that is left: with 3 layers 32x32 at 256 px. Widths as in PatchGAN. Pictures of any
    size from 2^layers px on. The blocks are those of SNGAN (arXiv 1802.05957, appendix B.4). Errors: ValueError for a
    smaller `size`.
    """

    def __init__(
        self,
        channels: int,
        layers: int = 3,
        filters: int = 64,
        norm: Norm = "none",
        spectral_norm: bool = False,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        _check(size, 2**layers)
        self.stages = nn.ModuleList()
        before = channels
        for i in range(layers):
            after = filters * min(8, 2**i)
            self.stages.append(_Residual(before, after, norm, first=i == 0))
            before = after
        self.judge = nn.Sequential(
            norm_layer(norm, before),
            nn.LeakyReLU(0.2),
            nn.Conv2d(before, before, 3, 1, 1),
            nn.LeakyReLU(0.2, True),
            nn.Conv2d(before, 1, 1),
        )
        normal_init(self)
        if spectral_norm:
            spectral(self)

    def forward(self, x: Tensor, features: bool = False) -> Judgement:
        """Judge pictures (B, channels, H, W): logits (B, 1, h, w), and with `features` the output of every block."""
        return _judge(x, self.stages, self.judge, features)


class MultiScaleDiscriminator(nn.Module):
    """Several discriminators: of the pictures, of their halves, quarters ... (arXiv 1711.11585, section 3.2).

    Errors: ValueError for no discriminator at all.
    """

    def __init__(self, judges: Iterable[nn.Module]) -> None:
        super().__init__()
        self.judges = nn.ModuleList(judges)
        if not len(self.judges):
            raise ValueError("no discriminator")

    def forward(self, x: Tensor, features: bool = False) -> list[Tensor] | tuple[list[Tensor], list[Tensor]]:
        """Judge pictures (B, channels, H, W): a list of logits, the largest scale first.

        With `features` also the stages' outputs of all scales in one list.
        """
        logits: list[Tensor] = []
        seen: list[Tensor] = []
        for i, judge in enumerate(self.judges):
            if i:
                x = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
            logit, found = judge(x, features=True)
            logits.append(logit)
            seen += found
        return (logits, seen) if features else logits


class _Residual(nn.Module):
    def __init__(self, before: int, after: int, norm: Norm, first: bool) -> None:
        super().__init__()
        bias = wants_bias(norm)
        # not in place: the sum needs the input as it is
        head = [] if first else [norm_layer(norm, before), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(
            *head,
            nn.Conv2d(before, after, 3, 1, 1, bias=bias),
            norm_layer(norm, after),
            nn.LeakyReLU(0.2, inplace=True),
            PoolConv(after, after),
        )
        self.round = nn.Conv2d(before, after, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        # (B, before, H, W) -> (B, after, H/2, W/2); 1x1 convolution and mean are linear, so the cheaper order is right
        return self.body(x) + self.round(F.avg_pool2d(x, 2))


def _check(size: tuple[int, int] | None, least: int) -> None:
    if size is not None and min(size) < least:
        raise ValueError(f"these layers need pictures of {least} px or more, not {size[0]}x{size[1]}")


def _judge(x: Tensor, stages: Iterable[nn.Module], judge: nn.Module, features: bool) -> Judgement:
    found: list[Tensor] = []
    for stage in stages:
        x = stage(x)
        found.append(x)
    logits = judge(x)
    return (logits, found) if features else logits

"""The U-Net of pix2pix (arXiv 1611.07004, section 6.1.1) and its relatives, for pictures of any size."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection
from typing import Literal

import torch
from torch import Tensor, nn

from limner.nets.init import normal_init
from limner.nets.memory import recomputed
from limner.nets.norms import KERAS, Norm, norm_layer, wants_bias
from limner.nets.resample import DoublingConv, HalvingConv, ResizeConv, crop, pad_to

Upsampling = Literal["transposed", "resize-conv"]


class Down(nn.Module):
    """Halve: convolution, normalisation, LeakyReLU 0.2; `activation_first` swaps the last two."""

    def __init__(
        self,
        before: int,
        after: int,
        name: Norm,
        *,
        bias: bool,
        activation: bool = True,
        activation_first: bool = False,
    ) -> None:
        super().__init__()
        self.conv = HalvingConv(before, after, bias=bias)
        self.norm = norm_layer(name, after, **(KERAS if activation_first else {}))
        self.activation = nn.LeakyReLU(0.2, inplace=True) if activation else nn.Identity()
        self.activation_first = activation_first

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, H, W) -> (B, after, H/2, W/2)."""
        if self.activation_first:
            return self.norm(self.activation(self.conv(x)))
        return self.activation(self.norm(self.conv(x)))


class Up(nn.Module):
    """Double what came from below, joined with the skip: ReLU, convolution, normalisation, dropout.

    `activation_first` moves the ReLU, and dropout with it, between convolution and normalisation.
    """

    def __init__(
        self,
        before: int,
        after: int,
        name: Norm,
        *,
        bias: bool,
        upsampling: Upsampling,
        dropout: float = 0.0,
        activation: bool = True,
        activation_first: bool = False,
    ) -> None:
        super().__init__()
        if upsampling == "transposed":
            self.conv = DoublingConv(before, after, bias=bias)
        else:
            self.conv = ResizeConv(before, after, 4 if activation_first else 3, bias=bias)
        self.norm = norm_layer(name, after, **(KERAS if activation_first else {}))
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.activation = activation
        self.activation_first = activation_first

    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        """(B, C, H, W) and the skip (B, before - C, H, W) -> (B, after, 2H, 2W)."""
        joined = x if skip is None else torch.cat((skip, x), 1)
        if self.activation_first:
            y = self.conv(joined)
            return self.norm(self.dropout(y.relu_() if self.activation else y))
        # The joined tensor is this block's own, the input is not: checkpointing needs it unchanged. That the skip was
        # through a LeakyReLU does not show: ReLU takes both to the same.
        return self.dropout(self.norm(self.conv(x.relu() if skip is None else joined.relu_())))


class Dense(nn.Module):
    """The mugshot report's bottleneck: flatten, `layers` x [dense 512, LeakyReLU 0.2], reshape.

    Convolutions carry a part to where it was; dense layers can carry it elsewhere. A code larger than 1x1 is
    flattened whole, and the last layer is as wide as it.
    """

    def __init__(self, layers: int, width: int, rows: int, columns: int) -> None:
        super().__init__()
        self.shape = width, rows, columns
        whole = width * rows * columns
        sides = [whole, *[width] * (layers - 1), whole]
        stack: list[nn.Module] = []
        for before, after in itertools.pairwise(sides):
            stack += [nn.Linear(before, after), nn.LeakyReLU(0.2, inplace=True)]
        self.layers = nn.Sequential(*stack)

    def forward(self, code: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C, h, w)."""
        return self.layers(code.flatten(1)).view(-1, *self.shape)

    def init(self) -> None:
        """Draw weights that keep a signal's size: N(0, 0.02) shrinks it to a 300th in five layers of 512."""
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, a=0.2)


class UNet(nn.Module):
    """`depth` halvings down to a code and as many doublings back, each joined with the map of its size.

    Widths double from `filters` to eight times that. As in the reference, all convolutions are 4x4 of stride 2, the
    first is not normalised, and nor is the innermost: its code is 1x1 when picture and 2^depth are of one size, and
    normalising 1x1 over the batch or the picture makes it zero for a batch of 1. The last has a bias and a tanh; the
    others have biases where the normalisation has no shift of its own ("instance", "none").

    Pictures whose sides are no multiples of 2^depth are padded by reflection and the output is cropped back.

    - `dropout`: which doublings end in dropout of one half, counted from the code: (1, 2, 3) is the reference's (maps
      of 4, 8 and 16 px when the code is 1x1), (0, 1, 2) the paper's. Never the last; missing ones are passed over.
    - `upsampling`: "transposed", or "resize-conv" (3x3), which leaves no checkerboard.
    - `activation_first`: the maps report's order: LeakyReLU before the normalisation in the encoder; in the decoder
      convolution (4x4 if "resize-conv"), ReLU, dropout, normalisation; Keras's numbers in BatchNorm.
    - `dense`: how many dense layers the code goes through; then `size`, the pictures' height and width, is needed and
      the network takes pictures of that size only.
    - `checkpoint`: compute the insides of the larger doublings again in the backward pass: 40 % less is kept, and
      a step takes a seventh longer.

    Errors: ValueError for a depth below 2, and for dense layers without a size.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        filters: int = 64,
        depth: int = 8,
        norm: Norm = "batch",
        dropout: Collection[int] = (1, 2, 3),
        upsampling: Upsampling = "transposed",
        activation_first: bool = False,
        dense: int = 0,
        size: tuple[int, int] | None = None,
        checkpoint: bool = False,
    ) -> None:
        super().__init__()
        if depth < 2:
            raise ValueError(f"a U-Net of depth {depth}: expected 2 or more")
        if dense and size is None:
            raise ValueError("dense layers need the pictures' size")
        self.multiple = 2**depth
        self.checkpoint = checkpoint
        # Nothing can shift what goes into an activation but a bias, or a normalisation with a shift before it.
        bias = activation_first or wants_bias(norm)
        widths = [filters * min(8, 2**i) for i in range(depth)]
        self.down = nn.ModuleList()
        for i, (before, after) in enumerate(zip([channels_in, *widths], widths, strict=False)):
            inner = i == depth - 1
            self.down.append(
                Down(
                    before,
                    after,
                    "none" if i == 0 or inner else norm,
                    bias=bias,
                    activation=not inner or bool(dense) or activation_first,  # else the decoder's ReLU is next
                    activation_first=activation_first,
                )
            )
        self.code = tuple(math.ceil(side / self.multiple) for side in size) if dense and size else None
        self.dense = Dense(dense, widths[-1], *self.code) if self.code else nn.Identity()
        self.up = nn.ModuleList()
        for level, i in enumerate(reversed(range(depth))):
            last = i == 0
            self.up.append(
                Up(
                    widths[i] * (1 if level == 0 else 2),
                    channels_out if last else widths[i - 1],
                    "none" if last else norm,
                    bias=last or bias,
                    upsampling=upsampling,
                    dropout=0.5 if level in dropout and not last else 0.0,
                    activation=not last,
                    activation_first=activation_first,
                )
            )
        normal_init(self)
        if isinstance(self.dense, Dense):
            self.dense.init()

    def forward(self, x: Tensor) -> Tensor:
        """Translate pictures (B, channels_in, H, W) in [-1, 1] to (B, channels_out, H, W) in [-1, 1]."""
        x, inside = pad_to(x, self.multiple)
        rows, columns = (side // self.multiple for side in x.shape[-2:])
        if self.code not in (None, (rows, columns)):
            sides = " x ".join(str(side * self.multiple) for side in self.code)
            raise ValueError(f"this network has dense layers for pictures of {sides} px, not {tuple(x.shape[-2:])}")
        if x.device.type == "cpu" and not self.training:
            x = x.contiguous()  # channels-last maps make a CPU's transposed convolutions a sixth slower
        skips: list[Tensor] = []
        for down in self.down:
            x = down(x)
            skips.append(x)
        x = self.dense(skips.pop())
        for level, up in enumerate(self.up):
            outer = level >= len(self.up) // 2  # the inner maps are small, and their weights slow to read again
            x = recomputed(up, x, *([skips.pop()] if level else []), on=self.checkpoint and outer)
        return crop(x.tanh(), inside)

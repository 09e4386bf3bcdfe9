"""DCGAN's generator and discriminator (arXiv 1511.06434) for any height and width."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor, nn

from limner.nets.init import normal_init


@dataclasses.dataclass(frozen=True)
class Ladder:
    """The rungs between the dense layer and the picture, seen from the generator.

    Rung i turns widths[i] filters at shapes[i] into the next rung's at shapes[i] * strides[i], the last into a
    picture; `shapes` has one more entry than there are rungs: the picture's own height and width.
    """

    widths: tuple[int, ...]
    strides: tuple[int, ...]
    shapes: tuple[tuple[int, int], ...]
    kernel: int


def ladder(
    height: int, width: int, filters: int, kernel: int = 4, widths: tuple[int, ...] = (), strides: tuple[int, ...] = ()
) -> Ladder:
    """Plan the rungs for a picture of this size; raises ValueError when widths and strides disagree.

    Without explicit `strides` the picture is halved until its shorter side is 4 to 7 pixels; without explicit `widths`
    the filters double from `filters` beside the picture up to eight times that.
    """
    if not strides:
        rungs = len(widths) or max(1, int(math.log2(min(height, width) / 4)))
        strides = (2,) * rungs
    if not widths:
        widths = tuple(filters * min(8, 2**i) for i in reversed(range(len(strides))))
    if len(widths) != len(strides):
        raise ValueError(f"{len(widths)} widths but {len(strides)} strides")
    shapes = [(height, width)]
    for stride in reversed(strides):  # halving rounds down; the generator's output padding gives the pixel back
        shapes.append((shapes[-1][0] // stride, shapes[-1][1] // stride))
    if min(shapes[-1]) < 1:
        raise ValueError(f"{height}x{width} pixels are too few for strides {strides}")
    return Ladder(widths, strides, tuple(reversed(shapes)), kernel)


class Generator(nn.Module):
    """z (B, latent) -> project and reshape -> [BatchNorm, ReLU, ConvT] per rung -> tanh -> (B, channels, H, W)."""

    def __init__(self, plan: Ladder, channels: int, latent: int) -> None:
        super().__init__()
        self.base = (*plan.shapes[0], plan.widths[0])
        self.project = nn.Linear(latent, math.prod(self.base), bias=False)
        layers: list[nn.Module] = []
        for i, width in enumerate(plan.widths):
            last = i == len(plan.widths) - 1
            layers += [
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
                up_conv(width, channels if last else plan.widths[i + 1], plan, i, bias=last),
            ]
        self.rungs = nn.Sequential(*layers, nn.Tanh())
        normal_init(self)

    def forward(self, z: Tensor) -> Tensor:
        """Turn noise (B, latent) into pictures (B, C, H, W) in [-1, 1]."""
        # Channels last in memory, as the fast convolutions want it: no copy between the product and the first layer.
        return self.rungs(self.project(z).view(-1, *self.base).permute(0, 3, 1, 2))


class Discriminator(nn.Module):
    """Pictures (B, channels, H, W) -> [Conv, BatchNorm, LeakyReLU 0.2] per rung, downwards -> one logit each (B,)."""

    def __init__(self, plan: Ladder, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = channels
        for width, stride in zip(reversed(plan.widths), reversed(plan.strides), strict=True):
            first = not layers
            kernel = plan.kernel if stride > 1 else plan.kernel - 1 + plan.kernel % 2
            padding = max(0, (kernel - stride + 1) // 2)
            layers.append(nn.Conv2d(before, width, kernel, stride, padding, bias=first))
            if not first:  # normalising the first layer makes samples oscillate (section 3)
                layers.append(nn.BatchNorm2d(width))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            before = width
        self.rungs = nn.Sequential(*layers)
        with torch.device("meta"):
            probe = torch.empty(2, channels, *plan.shapes[-1])
            features = math.prod(nn.Sequential(*(_like(m) for m in self.rungs))(probe).shape[1:])
        self.judge = nn.Linear(features, 1)
        normal_init(self)

    def forward(self, x: Tensor) -> Tensor:
        """Judge pictures (B, C, H, W): logits (B,)."""
        return self.judge(self.rungs(x).permute(0, 2, 3, 1).flatten(1)).squeeze(1)  # channels last, so no copy


def up_conv(before: int, after: int, plan: Ladder, rung: int, bias: bool) -> nn.Module:
    """Build the layer that takes a rung's shape exactly to the next one's; ValueError when the kernel cannot."""
    kernel, stride = plan.kernel, plan.strides[rung]
    if stride == 1:
        odd = kernel - 1 + kernel % 2  # an even kernel has no middle
        return nn.Conv2d(before, after, odd, padding=odd // 2, bias=bias)
    paddings, extras = [], []
    for small, large in zip(plan.shapes[rung], plan.shapes[rung + 1], strict=True):
        excess = (small - 1) * stride + kernel - large
        paddings.append(max(0, math.ceil(excess / 2)))
        extras.append(2 * paddings[-1] - excess)
    if max(extras) >= stride:
        raise ValueError(f"a {kernel}x{kernel} kernel leaves gaps at stride {stride}")
    padding, extra = (paddings[0], paddings[1]), (extras[0], extras[1])
    return nn.ConvTranspose2d(before, after, kernel, stride, padding, extra, bias=bias)


def _like(module: nn.Module) -> nn.Module:
    # The same convolution on the meta device, to learn a shape without computing or drawing random numbers.
    if not isinstance(module, nn.Conv2d):
        return nn.Identity()
    size, stride, padding = module.kernel_size, module.stride, module.padding
    return nn.Conv2d(module.in_channels, module.out_channels, size, stride, padding, device="meta")  # type: ignore[arg-type]

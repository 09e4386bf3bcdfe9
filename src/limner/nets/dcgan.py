"""DCGAN's generator and discriminator (arXiv 1511.06434) for any height and width."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.nets.init import normal_init

Activation = Literal["relu", "selu", "elu"]


@dataclasses.dataclass(frozen=True)
class Ladder:
    """The rungs between the dense layer and the picture, seen from the generator.

    Rung i turns widths[i] filters at shapes[i] into the next rung's at shapes[i] * strides[i], the last into a
    picture; `shapes` has one more entry than there are rungs: the picture's own height and width. Rungs of stride 1
    have the next smaller odd kernel, which has a middle, unless `whole` keeps an even one.
    """

    widths: tuple[int, ...]
    strides: tuple[int, ...]
    shapes: tuple[tuple[int, int], ...]
    kernel: int
    whole: bool = False


def ladder(
    height: int,
    width: int,
    filters: int,
    kernel: int = 4,
    widths: tuple[int, ...] = (),
    strides: tuple[int, ...] = (),
    stride_one: bool = False,
) -> Ladder:
    """Plan the rungs for a picture of this size; raises ValueError when widths and strides disagree.

    Without explicit `strides` the picture is halved until its shorter side is 4 to 7 pixels, and `stride_one` adds a
    rung of stride 1 there. Without explicit `widths` the filters double from `filters` beside the picture up to eight
    times that.
    """
    if not strides:
        halvings = len(widths) - stride_one if widths else max(1, int(math.log2(min(height, width) / 4)))
        strides = (1,) * stride_one + (2,) * halvings
    if not widths:
        widths = tuple(filters * min(8, 2**i) for i in reversed(range(len(strides))))
    if len(widths) != len(strides):
        raise ValueError(f"{len(widths)} widths but {len(strides)} strides")
    shapes = [(height, width)]
    for stride in reversed(strides):  # halving rounds down; the generator's output padding gives the pixel back
        shapes.append((shapes[-1][0] // stride, shapes[-1][1] // stride))
    if min(shapes[-1]) < 1:
        raise ValueError(f"{height}x{width} pixels are too few for strides {strides}")
    return Ladder(widths, strides, tuple(reversed(shapes)), kernel, stride_one)


class Generator(nn.Module):
    """z (B, latent) -> project and reshape -> [BatchNorm, ReLU, ConvT] per rung -> tanh -> (B, channels, H, W).

    `glasses` n (HR-DCGAN, arXiv 1711.06491, section 3.1) are for a plan of pictures n times as high and wide: of what
    the layers draw, the mean of every n x n pixels comes out. With `clusters` n, n more numbers of noise follow the
    others, of which only the largest counts (ClusterGAN's discrete code, arXiv 1809.03627, section 3).
    """

    def __init__(
        self,
        plan: Ladder,
        channels: int,
        latent: int,
        activation: Activation = "relu",
        glasses: int = 1,
        clusters: int = 0,
    ) -> None:
        super().__init__()
        self.glasses, self.clusters = glasses, clusters
        self.base = (*plan.shapes[0], plan.widths[0])
        self.project = nn.Linear(latent + clusters, math.prod(self.base), bias=False)
        layers: list[nn.Module] = []
        for i, width in enumerate(plan.widths):
            last = i == len(plan.widths) - 1
            layers += [
                nn.BatchNorm2d(width),
                _activation(activation, nn.ReLU(inplace=True)),
                up_conv(width, channels if last else plan.widths[i + 1], plan, i, bias=last),
            ]
        self.rungs = nn.Sequential(*layers, nn.Tanh())
        normal_init(self)

    def forward(self, z: Tensor) -> Tensor:
        """Turn noise (B, latent + clusters) into pictures (B, C, H, W) in [-1, 1]."""
        if self.clusters:
            free, cluster = z[:, : -self.clusters], z[:, -self.clusters :]
            z = torch.cat((free, (cluster == cluster.amax(1, keepdim=True)).to(z.dtype)), 1)
        # Channels last in memory, as the fast convolutions want it: no copy between the product and the first layer.
        drawn = self.rungs(self.project(z).view(-1, *self.base).permute(0, 3, 1, 2))
        return F.avg_pool2d(drawn, self.glasses) if self.glasses > 1 else drawn


class Discriminator(nn.Module):
    """Pictures (B, channels, H, W) -> [Conv, BatchNorm, LeakyReLU 0.2] per rung, downwards -> one logit each (B,).

    `norm=False` leaves BatchNorm out, as a critic needs that is penalised picture by picture. With `glasses` n the plan
    is of pictures n times as high and wide, to which what comes in is enlarged.
    """

    def __init__(
        self, plan: Ladder, channels: int, activation: Activation = "relu", glasses: int = 1, norm: bool = True
    ) -> None:
        super().__init__()
        self.glasses = glasses
        layers: list[nn.Module] = []
        before = channels
        for width, stride in zip(reversed(plan.widths), reversed(plan.strides), strict=True):
            first = not layers
            normed = norm and not first  # normalising the first layer makes samples oscillate (section 3)
            if stride == 1:
                layers += _same_conv(before, width, plan, bias=not normed)
            else:
                padding = max(0, (plan.kernel - stride + 1) // 2)
                layers.append(nn.Conv2d(before, width, plan.kernel, stride, padding, bias=not normed))
            layers += [nn.BatchNorm2d(width)] if normed else []
            layers.append(_activation(activation, nn.LeakyReLU(0.2, inplace=True)))
            before = width
        self.rungs = nn.Sequential(*layers)
        with torch.device("meta"):
            probe = torch.empty(2, channels, *plan.shapes[-1])
            features = math.prod(nn.Sequential(*(_like(m) for m in self.rungs))(probe).shape[1:])
        self.judge = nn.Linear(features, 1)
        normal_init(self)

    def forward(self, x: Tensor) -> Tensor:
        """Judge pictures (B, C, H, W): logits (B,)."""
        if self.glasses > 1:
            x = F.interpolate(x, scale_factor=self.glasses, mode="bilinear")
        return self.judge(self.rungs(x).permute(0, 2, 3, 1).flatten(1)).squeeze(1)  # channels last, so no copy


def up_conv(before: int, after: int, plan: Ladder, rung: int, bias: bool) -> nn.Module:
    """Build the layer that takes a rung's shape exactly to the next one's; ValueError when the kernel cannot."""
    kernel, stride = plan.kernel, plan.strides[rung]
    if stride == 1:
        layers = _same_conv(before, after, plan, bias)
        return layers[0] if len(layers) == 1 else nn.Sequential(*layers)
    paddings, extras = [], []
    for small, large in zip(plan.shapes[rung], plan.shapes[rung + 1], strict=True):
        excess = (small - 1) * stride + kernel - large
        paddings.append(max(0, math.ceil(excess / 2)))
        extras.append(2 * paddings[-1] - excess)
    if max(extras) >= stride:
        raise ValueError(f"a {kernel}x{kernel} kernel leaves gaps at stride {stride}")
    padding, extra = (paddings[0], paddings[1]), (extras[0], extras[1])
    return nn.ConvTranspose2d(before, after, kernel, stride, padding, extra, bias=bias)


def _same_conv(before: int, after: int, plan: Ladder, bias: bool) -> list[nn.Module]:
    kernel = plan.kernel if plan.whole or plan.kernel % 2 else plan.kernel - 1
    if kernel % 2:
        return [nn.Conv2d(before, after, kernel, padding=kernel // 2, bias=bias)]
    left, right = (kernel - 1) // 2, kernel // 2  # as Keras pads
    return [nn.ZeroPad2d((left, right, left, right)), nn.Conv2d(before, after, kernel, bias=bias)]


def _activation(name: Activation, relu: nn.Module) -> nn.Module:
    return {"relu": relu, "selu": nn.SELU(inplace=True), "elu": nn.ELU(inplace=True)}[name]


def _like(module: nn.Module) -> nn.Module:
    # The same convolution on the meta device, to learn a shape without computing or drawing random numbers.
    if isinstance(module, nn.ZeroPad2d):
        return module
    if not isinstance(module, nn.Conv2d):
        return nn.Identity()
    size, stride, padding = module.kernel_size, module.stride, module.padding
    return nn.Conv2d(module.in_channels, module.out_channels, size, stride, padding, device="meta")  # type: ignore[arg-type]

"""R3GAN's generator and discriminator (arXiv 2501.05441, section 4): plain residual networks without normalisation."""

from __future__ import annotations

import dataclasses
import math
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)

SLOPE = 0.2  # of LeakyReLU below 0
EXPANSION = 2  # of a block's width inside it
GROUP = 16  # channels in one group of the 3x3 convolutions
BLOCKS = 2  # per resolution
EMBEDDING = 64  # numbers that stand for a class
START = 4  # pixels: the least of the smallest resolution's shorter side


@dataclasses.dataclass(frozen=True)
class Plan:
    """What generator and discriminator have in common.

    `shape` is the height and width of the smallest resolution, and `widths` the channels at each, of which every one
    is twice the one before in size. A cell of the last is a square of `patch` x `patch` pixels of the picture.
    """

    shape: tuple[int, int]
    widths: tuple[int, ...]
    patch: int = 1


def plan(height: int, width: int, filters: int, widest: int, patch: int = 1) -> Plan:
    """Plan for pictures of this size: `filters` at the largest resolution, doubled at every halving up to `widest`.

    Raises ValueError, naming the nearest size that works.
    """
    count = doublings(height, width, patch)
    unit = patch * 2**count
    widths = tuple(min(widest, filters * 2**i) for i in reversed(range(count + 1)))
    return Plan((height // unit, width // unit), widths, patch)


def doublings(height: int, width: int, patch: int = 1) -> int:
    """How often the smallest resolution, of 4 to 7 cells on its shorter side, doubles up to pictures of this size.

    Raises ValueError, naming the nearest size that works, when the sides cannot be halved that often.
    """
    shorter = min(height, width) // patch
    count = int(math.log2(max(1.0, shorter / START)))
    unit = patch * 2**count
    if shorter < START or height % unit or width % unit:
        tall, wide = nearest(height, width, patch)
        raise ValueError(
            f"{height}x{width} cannot be halved down to {START} to {2 * START - 1} pixels on the shorter side: "
            f"{tall}x{wide} can"
        )
    return count


def nearest(height: int, width: int, patch: int = 1) -> tuple[int, int]:
    """Return the size nearest to this one that `doublings` takes."""
    units = [patch * 2**count for count in range(max(height, width, START).bit_length())]
    sizes = [(unit, *(max(START, round(side / unit)) * unit for side in (height, width))) for unit in units]
    fitting = [(tall, wide) for unit, tall, wide in sizes if min(tall, wide) < 2 * START * unit]
    return min(fitting, key=lambda size: abs(size[0] - height) + abs(size[1] - width))


class ResidualBlock(nn.Module):
    """x + [1x1 to twice the width, LeakyReLU, 3x3 in groups, LeakyReLU, 1x1 back], the last begun at zero."""

    def __init__(self, width: int, gain: float) -> None:
        super().__init__()
        inner = EXPANSION * width
        groups = inner // math.gcd(inner, GROUP)
        last = nn.Conv2d(inner, width, 1, bias=False)
        nn.init.zeros_(last.weight)
        self.layers = nn.Sequential(
            scaled_init(nn.Conv2d(width, inner, 1), gain),
            nn.LeakyReLU(SLOPE, inplace=True),
            scaled_init(nn.Conv2d(inner, inner, 3, padding=1, groups=groups), gain),
            nn.LeakyReLU(SLOPE, inplace=True),
            last,
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        return x + self.layers(x)


class Resample(nn.Module):
    """Double or halve pictures with the filter [1, 3, 3, 1] both ways; a 1x1 convolution where the width changes."""

    kernel: Tensor

    def __init__(self, before: int, after: int, up: bool) -> None:
        super().__init__()
        self.up = up
        self.mix = nn.Identity() if before == after else scaled_init(nn.Conv2d(before, after, 1, bias=False))
        line = torch.tensor([1.0, 3.0, 3.0, 1.0])
        kernel = line[:, None] * line / line.sum() ** 2 * (4 if up else 1)
        self.register_buffer("kernel", kernel[None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, H, W) -> (B, after, 2H, 2W), or (B, after, H/2, W/2)."""
        if self.up:  # the convolution stands where there are fewer pixels; it and the filter may change places
            x = self.mix(x)
        channels = x.shape[1]
        kernel = self.kernel.expand(channels, 1, 4, 4)
        if self.up:
            return F.conv_transpose2d(x, kernel, stride=2, padding=1, groups=channels)
        return self.mix(F.conv2d(x, kernel, stride=2, padding=1, groups=channels))


class Generator(nn.Module):
    """A learned picture of the smallest resolution, its channels scaled by the noise, doubled up to the full size.

    `classes` above 0 makes it ask for labels.
    """

    def __init__(self, plan: Plan, channels: int, latent: int, classes: int = 0) -> None:
        super().__init__()
        widths = plan.widths
        self.classes = drawn(classes, EMBEDDING) if classes else None
        self.start = drawn(*plan.shape, widths[0])  # channels last, as the convolutions want it
        self.project = scaled_init(nn.Linear(latent + (EMBEDDING if classes else 0), widths[0], bias=False))
        gain = residual_gain(BLOCKS * len(widths))
        layers: list[nn.Module] = []
        for before, width in zip((None, *widths), widths, strict=False):
            layers += [] if before is None else [Resample(before, width, up=True)]
            layers += [ResidualBlock(width, gain) for _ in range(BLOCKS)]
        self.body = nn.Sequential(*layers)
        last = scaled_init(nn.Conv2d(widths[-1], channels * plan.patch**2, 1))
        self.to_picture = nn.Sequential(last, nn.PixelShuffle(plan.patch))

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """Turn noise (B, latent), and labels (B,) where there are classes, into pictures (B, C, H, W), unbounded."""
        if self.classes is not None:
            z = torch.cat((z, embed(label, self.classes)), 1)
        x = self.start * self.project(z)[:, None, None]  # (B, H, W, C)
        return self.to_picture(self.body(x.permute(0, 3, 1, 2)))


class Discriminator(nn.Module):
    """The generator's mirror: pictures (B, channels, H, W) -> logits (B,), for their labels where there are classes."""

    def __init__(self, plan: Plan, channels: int, classes: int = 0) -> None:
        super().__init__()
        widths = plan.widths[::-1]
        first = scaled_init(nn.Conv2d(channels * plan.patch**2, widths[0], 1, bias=False))
        self.from_picture = nn.Sequential(nn.PixelUnshuffle(plan.patch), first)
        gain = residual_gain(BLOCKS * len(widths))
        layers: list[nn.Module] = []
        for width, after in zip(widths, (*widths[1:], None), strict=True):
            layers += [ResidualBlock(width, gain) for _ in range(BLOCKS)]
            layers += [] if after is None else [Resample(width, after, up=False)]
        self.body = nn.Sequential(*layers)
        self.end = drawn(*plan.shape, widths[-1], deviation=1 / math.sqrt(math.prod(plan.shape)))
        self.judge = scaled_init(nn.Linear(widths[-1], EMBEDDING if classes else 1, bias=False))
        self.classes = drawn(classes, EMBEDDING) if classes else None

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """Judge pictures (B, C, H, W), and labels (B,) where there are classes: logits (B,)."""
        features = (self.body(self.from_picture(x)).permute(0, 2, 3, 1) * self.end).sum((1, 2))  # (B, widths[0])
        judged = self.judge(features)
        if self.classes is None:
            return judged.squeeze(1)
        return (judged * embed(label, self.classes)).sum(1) / math.sqrt(EMBEDDING)  # projection, arXiv 1802.05637


def residual_gain(blocks: int) -> float:
    """Return the scale at which weights inside each of `blocks` blocks begin, so that their sum stays tame."""
    return math.sqrt(2 / (1 + SLOPE**2)) * blocks ** (-1 / 4)


def embed(label: Tensor | None, classes: Tensor) -> Tensor:
    """Look labels (B,) up in a table (classes, n): (B, n); ValueError when there are none."""
    if label is None:
        raise ValueError("a network that has learned classes needs labels")
    return F.embedding(label, classes)


def drawn(*shape: int, deviation: float = 1.0) -> nn.Parameter:
    """Return a parameter drawn from N(0, deviation^2)."""
    values = torch.empty(*shape)  # without numbers where only shapes are asked for
    return nn.Parameter(values if values.is_meta else values.normal_(0.0, deviation))


def scaled_init(layer: Layer, gain: float = 1.0) -> Layer:
    """Draw weights from N(0, gain^2 / inputs) and set the bias to 0; returns the layer."""
    if layer.weight.is_meta:
        return layer  # shapes alone: there is nothing to draw
    nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer

"""Sizes: pictures padded to what a network can halve, and layers that halve and double."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SMEAR_FROM = 256  # pixels: in smaller maps a convolution's time is that of reading its weights, here a second time

SMALL = 256  # pixels of all pictures of a batch together: measured with 512 and 1024 filters


def pad_to(x: Tensor, multiple: int, least: int = 1) -> tuple[Tensor, tuple[slice, slice]]:
    """Pad pictures (B, C, H, W) to a multiple, at least `least` pixels; also returns where they lie in the result.

    The border is the picture's reflection, or its last row and column where the picture is too small for that.
    """
    height, width = x.shape[-2:]
    tall, wide = (-(-max(side, least) // multiple) * multiple for side in (height, width))
    top, left = (tall - height) // 2, (wide - width) // 2
    inside = slice(top, top + height), slice(left, left + width)
    if (tall, wide) == (height, width):
        return x, inside
    bottom, right = tall - height - top, wide - width - left
    mode = "reflect" if bottom < height and right < width else "replicate"  # never less than top and left
    return F.pad(x, (left, right, top, bottom), mode=mode), inside


def crop(x: Tensor, inside: tuple[slice, slice]) -> Tensor:
    """Cut (B, C, H, W) back to where `pad_to` says that the picture lies."""
    rows, columns = inside
    return x if (rows.stop, columns.stop) == tuple(x.shape[-2:]) else x[..., rows, columns]


class ResizeConv(nn.Conv2d):
    """Every pixel repeated to 2x2, then a convolution that keeps the size: doubling without a checkerboard.

    (distill.pub/2016/deconv-checkerboard.) Both are linear, so large maps go through both at once: a transposed
    convolution of stride 2, whose kernel is the convolution's smeared over 2x2 pixels, takes 16 products for 4 pixels
    instead of 36. An even kernel looks one pixel further to the right and below. `smear_from` says how many pixels
    make a map large; in batches of many pictures all are.
    """

    def __init__(
        self, before: int, after: int, kernel: int = 3, bias: bool = True, smear_from: int = SMEAR_FROM
    ) -> None:
        super().__init__(before, after, kernel, bias=bias)
        self.smear_from = smear_from

    def forward(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Double the size: (B, in, H, W) -> (B, out, 2H, 2W)."""
        right = self.kernel_size[0] // 2
        left = self.kernel_size[0] - 1 - right
        pixels = x.shape[-1] * x.shape[-2]
        if (
            isinstance(pixels, torch.SymInt) or pixels < self.smear_from
        ):  # a graph exported for any size has one way for all
            wide = F.pad(F.interpolate(x, scale_factor=2.0), (left, right, left, right))
            return F.conv2d(wide, self.weight, self.bias)
        weight = smear(self.weight.flip(2, 3).transpose(0, 1))
        return F.conv_transpose2d(x, weight, self.bias, stride=2, padding=right, output_padding=right - left)


class PoolConv(nn.Conv2d):
    """A 3x3 convolution that keeps the size, then the mean of every 2x2 pixels, computed as one convolution."""

    def __init__(self, before: int, after: int, bias: bool = True) -> None:
        super().__init__(before, after, 3, stride=2, padding=1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Halve the size: (B, in, H, W) -> (B, out, H/2, W/2)."""
        return F.conv2d(x, smear(self.weight) / 4, self.bias, 2, 1)


def smear(weight: Tensor) -> Tensor:
    """Convolve kernels (..., K, K) with a 2x2 box of ones: (..., K + 1, K + 1)."""
    rows = F.pad(weight, (0, 0, 1, 0)) + F.pad(weight, (0, 0, 0, 1))
    return F.pad(rows, (1, 0)) + F.pad(rows, (0, 1))


class BlurHalve(nn.Module):
    """Blur with [1, 2, 1] both ways, then take every second pixel (arXiv 1904.11486); needs sides of 2 or more."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H/2, W/2), for even H and W."""
        return F.avg_pool2d(F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), 2, stride=1), 2)


class BlurDouble(nn.Module):
    """Put pixels between pixels, then blur with [1, 3, 3, 1] both ways: the same as bilinear interpolation."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, 2H, 2W)."""
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class HalvingConv(nn.Conv2d):
    """A 4x4 convolution of stride 2 that halves the size."""

    def __init__(self, before: int, after: int, bias: bool = True) -> None:
        super().__init__(before, after, 4, 2, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """(B, in, H, W) -> (B, out, H/2, W/2)."""
        if not (self.training and _is_small(x)):
            return super().forward(x)
        made = self.weight.flatten(1) @ F.unfold(x, 4, padding=1, stride=2)  # (B, out, H/2 * W/2)
        made = made.unflatten(2, (x.shape[2] // 2, x.shape[3] // 2))
        return made if self.bias is None else made + self.bias[:, None, None]


class DoublingConv(nn.ConvTranspose2d):
    """A 4x4 transposed convolution of stride 2 that doubles the size."""

    def __init__(self, before: int, after: int, bias: bool = True) -> None:
        super().__init__(before, after, 4, 2, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """(B, in, H, W) -> (B, out, 2H, 2W)."""
        if not (self.training and _is_small(x)):
            return super().forward(x)
        columns = self.weight.flatten(1).t() @ x.flatten(2)  # (B, out * 16, H * W)
        made = F.fold(columns, (2 * x.shape[2], 2 * x.shape[3]), 4, padding=1, stride=2)
        return made if self.bias is None else made + self.bias[:, None, None]


def _is_small(x: Tensor) -> bool:
    # Reading wide weights bounds small maps, and a matrix product reads them 1.3 to 4 times as fast on a CPU. In
    # use, as in exported graphs, there is one way for all sizes.
    return x.device.type == "cpu" and len(x) * x.shape[2] * x.shape[3] <= SMALL and not torch.is_autocast_enabled("cpu")

"""What all metrics of pairs share: the check of what they are given, and the walk over the pairs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from limner.core.errors import UserError
from limner.metrics.metric import PairMetric


def to_tensors(metric: PairMetric, real: np.ndarray, fake: np.ndarray) -> tuple[Tensor, Tensor]:
    """Turn pairs of pictures, uint8 (B, H, W, C), into uint8 tensors (B, C, H, W) of their own memory.

    Errors: UserError for anything else, for pictures of different shapes and for those below the metric's least side.
    """
    for pictures in (real, fake):
        if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[-1] not in (1, 3):
            shape = "x".join(map(str, pictures.shape))
            raise UserError(
                f"{metric.title} compares pictures in uint8 arrays (B, H, W, C) with 1 or 3 channels; this array is "
                f"{pictures.dtype} {shape}."
            )
    if real.shape != fake.shape:
        raise UserError(
            f"{metric.title} compares pictures one by one, so both sets must have the same number, size and channels: "
            f"here are {_described(real)} and {_described(fake)}. Bring them to one shape first."
        )
    height, width = real.shape[1:3]
    if min(height, width) < metric.least_side:
        raise UserError(
            f"{metric.title} needs pictures of at least {metric.least_side}x{metric.least_side} pixels; these are "
            f"{height}x{width} (height x width). Leave this metric out, or compare larger pictures."
        )
    real_pixels, fake_pixels = (np.array(pictures.transpose(0, 3, 1, 2), order="C") for pictures in (real, fake))
    return torch.from_numpy(real_pixels), torch.from_numpy(fake_pixels)


def pair_by_pair(
    function: Callable[[Tensor, Tensor], Tensor], metric: PairMetric, real: np.ndarray, fake: np.ndarray
) -> np.ndarray:
    """Score pairs with a function of float64 pixels (B, C, H, W) in [0, 255], one pair at a time: float64 (B,).

    Errors: those of `to_tensors`.
    """
    # One pair's maps stay in the processor's cache: three times as fast at 256x256 as eight pairs at once, memory does
    # not grow with the batch, and no number can depend on it.
    pairs = zip(*(pixels[:, None] for pixels in to_tensors(metric, real, fake)), strict=True)  # (1, C, H, W) each
    return np.array([function(x.double(), y.double()).item() for x, y in pairs], dtype=np.float64)


def _described(pictures: np.ndarray) -> str:
    count, height, width, channels = pictures.shape
    colour = "grey (1 channel)" if channels == 1 else "colour (3 channels)"
    return f"{count} of {height}x{width} in {colour}"

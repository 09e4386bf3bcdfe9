"""What varies a picture from epoch to epoch, on whole batches of uint8 arrays.

Every item takes one draw, a function of (seed, epoch, index) alone: neither the batch that it is in, nor the worker or
rank that prepares it, nor whether another transform is on changes what happens to it.
"""

from __future__ import annotations

import numpy as np

from limner.core import rng
from limner.core.config import Size

DRAWS = 3  # top, left, mirror


def draws(seed: int, epochs: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Numbers in [0, 1), float64 (b, 3), that decide each item's window (top, left) and its mirroring."""
    return rng.uniforms(seed, "augment", epochs, indices, DRAWS)


def crop(pixels: np.ndarray, size: Size, drawn: np.ndarray) -> np.ndarray:
    """Cut a window of `size` out of each picture, (b, C, H, W) -> (b, C, height, width), each place equally likely."""
    free = np.array([pixels.shape[2] - size.height, pixels.shape[3] - size.width])
    if not free.any():
        return pixels
    tops, lefts = (drawn[:, :2] * (free + 1)).astype(np.int64).T  # (b,), (b,)
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (size.height, size.width), axis=(2, 3))
    return windows[np.arange(len(pixels)), :, tops, lefts]  # type: ignore[call-overload]


def mirror(pixels: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Turn half of the pictures (b, C, H, W), on average, left to right; in place."""
    turned = drawn[:, 2] < 0.5
    pixels[turned] = pixels[turned, :, :, ::-1]
    return pixels

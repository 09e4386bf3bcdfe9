"""Features that need no weights and mean nothing: for trying things out where none can be had."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from limner.core import images
from limner.core.errors import unknown
from limner.metrics.metric import Extractor, Features

SEED = 20151205
SIDE = 32
WIDTHS = (3, 32, 64, 128)
RESIZE = "random-32"
BATCH = 256


class RandomFeatures(Extractor):
    """128 values of a small convolutional network that was never trained; its weights are drawn from a fixed seed.

    Pictures are scaled to 32x32 px (Pillow, bicubic with antialias). `weights` and `download` mean nothing here.
    """

    name = "random"
    weights = f"seed-{SEED}"
    note = "random features: for smoke tests only, comparable with nothing"
    dimensions = WIDTHS[-1]

    def __init__(
        self, weights: Path | None = None, resize: str = RESIZE, download: bool = False, device: str = "cpu"
    ) -> None:
        if resize != RESIZE:
            raise unknown("resize protocol", resize, [RESIZE])
        self.resize = resize
        self._device = device
        draw = np.random.default_rng(SEED)
        self._kernels = [_kernel(draw, a, b).to(device) for a, b in itertools.pairwise(WIDTHS)]

    def extract(self, pictures: Sequence[np.ndarray]) -> Features:
        vectors = [np.zeros((0, self.dimensions), np.float32)]
        with torch.inference_mode():
            for start in range(0, len(pictures), BATCH):
                small = np.stack([_small(picture) for picture in pictures[start : start + BATCH]])
                x = images.to_float(torch.from_numpy(small).to(self._device).permute(0, 3, 1, 2))  # (B, 3, 32, 32)
                for kernel in self._kernels:
                    x = F.leaky_relu(F.conv2d(x, kernel, stride=2, padding=1), 0.2)
                vectors.append(x.mean(dim=(2, 3)).cpu().numpy())  # (B, 128)
        return Features(np.concatenate(vectors))


def _kernel(draw: np.random.Generator, fan_in: int, fan_out: int) -> Tensor:
    # He et al. 2015, equation 10: values keep their size from layer to layer
    values = draw.standard_normal((fan_out, fan_in, 3, 3)) * math.sqrt(2.0 / (9 * fan_in))
    return torch.from_numpy(values.astype(np.float32))


def _small(picture: np.ndarray) -> np.ndarray:
    colour = images.convert(images.from_array(picture), 3)
    if colour.size != (SIDE, SIDE):
        colour = colour.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return np.asarray(colour)

"""Peak signal-to-noise ratio of pairs."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np
from torch import Tensor

from limner.metrics.metric import PairMetric
from limner.metrics.pairs import pair_by_pair

# Equal pictures have no noise, so their ratio is infinite, and one such pair would make the mean over a set infinite
# too. 100 dB is what one value in 154,000 that is off by one level gives: nobody can tell such pictures apart.
MOST = 100.0


def psnr(real: Tensor, fake: Tensor) -> Tensor:
    """10 log10(255^2 / MSE) of float pixels (B, C, H, W) in [0, 255], over all channels: (B,) in dB, at most MOST."""
    mse = (real - fake).square().mean((1, 2, 3))
    return 10 * (2 * math.log10(255) - mse.clamp_min(255**2 / 10 ** (MOST / 10)).log10())


class Psnr(PairMetric):
    """Peak signal-to-noise ratio in decibels: from 0 (black against white) to the cap of 100 (equal pictures).

    A set's number is the mean of its pairs' decibels, not the decibels of the mean error.
    """

    better: ClassVar[Literal["lower", "higher"]] = "higher"
    title: ClassVar[str] = "PSNR (dB)"

    def score(self, real: np.ndarray, fake: np.ndarray) -> np.ndarray:
        """Score pairs of pictures, uint8 (B, H, W, C): float64 (B,) in dB, 0 to 100.

        Errors: UserError for pictures of different shapes.
        """
        return pair_by_pair(psnr, self, real, fake)

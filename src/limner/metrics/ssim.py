"""Structural similarity of pairs."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np
from torch import Tensor

from limner.metrics.metric import PairMetric
from limner.metrics.pairs import pair_by_pair

# Wang, Bovik, Sheikh, Simoncelli 2004, section III-B and III-C
WINDOW = 11
SIGMA = 1.5
C1 = (0.01 * 255) ** 2
C2 = (0.03 * 255) ** 2


def ssim(real: Tensor, fake: Tensor) -> Tensor:
    """Structural similarity of float pixels (B, C, H, W) in [0, 255], each at least 11 pixels high and wide: (B,).

    The mean over channels and over the places at which the whole window lies inside the picture, as in the authors' own
    program. Computes in the type that it is given; float32 is good to about 1e-4.
    Source: Wang, Bovik, Sheikh and Simoncelli, Image quality assessment, IEEE TIP 2004, equation 13.
    """
    luminance, contrast = similarities(real, fake)
    return (luminance * contrast).mean((1, 2, 3))


def similarities(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """The two factors of `ssim` at each place of the window: luminance, and contrast times structure.

    Both are (B, C, H - 10, W - 10) and at most 1 (Wang et al. 2004, equations 6, 9 and 10 with C3 = C2 / 2).
    """
    mu_x, mu_y = _blur(real), _blur(fake)
    squares, product = mu_x.square() + mu_y.square(), mu_x * mu_y
    variances = _blur(real.square() + fake.square()) - squares  # sigma_x^2 + sigma_y^2
    covariance = _blur(real * fake) - product
    return (2 * product + C1) / (squares + C1), (2 * covariance + C2) / (variances + C2)


class Ssim(PairMetric):
    """Structural similarity, from -1 to 1 (equal pictures): scikit-image's with the settings of the paper."""

    better: ClassVar[Literal["lower", "higher"]] = "higher"
    title: ClassVar[str] = "SSIM"
    least_side: ClassVar[int] = WINDOW

    def score(self, real: np.ndarray, fake: np.ndarray) -> np.ndarray:
        """Score pairs of pictures, uint8 (B, H, W, C): float64 (B,) in [-1, 1].

        Errors: UserError for pictures of different shapes or with a side below 11 pixels.
        """
        return pair_by_pair(ssim, self, real, fake)


def _gaussian() -> list[float]:
    bell = [math.exp(-((i - WINDOW // 2) ** 2) / (2 * SIGMA**2)) for i in range(WINDOW)]
    return [weight / sum(bell) for weight in bell]


def _blur(x: Tensor) -> Tensor:
    # The window is the product of a row and a column. Eleven shifted sums are several times as fast as a convolution,
    # which PyTorch has no quick form of in float64.
    weights, height, width = _gaussian(), x.shape[2] - WINDOW + 1, x.shape[3] - WINDOW + 1
    rows = x[..., :width] * weights[0]
    for i in range(1, WINDOW):
        rows.add_(x[..., i : i + width], alpha=weights[i])
    both = rows[..., :height, :] * weights[0]
    for i in range(1, WINDOW):
        both.add_(rows[..., i : i + height, :], alpha=weights[i])
    return both

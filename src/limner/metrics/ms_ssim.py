"""Structural similarity of pairs over five scales."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from limner.metrics.metric import PairMetric
from limner.metrics.pairs import pair_by_pair
from limner.metrics.ssim import WINDOW, similarities

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # finest scale first (Wang et al. 2003, section 3.2)
LEAST_SIDE = (WINDOW - 1) * 2 ** (len(WEIGHTS) - 1) + 1  # the window must fit into the coarsest scale


def ms_ssim(real: Tensor, fake: Tensor) -> Tensor:
    """Multi-scale structural similarity of float pixels (B, C, H, W) in [0, 255]: the mean over channels, (B,).

    Every scale halves the one before by averages of 2x2 pixels; an odd side first gets a line of zeros at both ends, as
    in pytorch-msssim, whose numbers these are. A scale that is negatively similar counts as 0, and so makes the whole
    channel 0: a negative number has no real power. Height and width must be at least LEAST_SIDE.
    Source: Wang, Simoncelli and Bovik, Multi-scale structural similarity, Asilomar 2003, equation 7.
    """
    total = torch.ones_like(real[:, :, 0, 0])  # (B, C)
    for scale, weight in enumerate(WEIGHTS):
        if scale:
            odd = (real.shape[2] % 2, real.shape[3] % 2)
            real, fake = F.avg_pool2d(real, 2, padding=odd), F.avg_pool2d(fake, 2, padding=odd)
        luminance, contrast = similarities(real, fake)
        last = scale == len(WEIGHTS) - 1
        similarity = (luminance * contrast if last else contrast).mean((2, 3))
        total = total * similarity.relu() ** weight
    return total.mean(1)


class MsSsim(PairMetric):
    """Multi-scale structural similarity, from 0 to 1 (equal pictures)."""

    better: ClassVar[Literal["lower", "higher"]] = "higher"
    title: ClassVar[str] = "MS-SSIM"
    least_side: ClassVar[int] = LEAST_SIDE

    def score(self, real: np.ndarray, fake: np.ndarray) -> np.ndarray:
        """Score pairs of pictures, uint8 (B, H, W, C): float64 (B,) in [0, 1].

        Errors: UserError for pictures of different shapes or with a side below 161 pixels.
        """
        return pair_by_pair(ms_ssim, self, real, fake)

"""Mean absolute difference of pairs."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from torch import Tensor

from limner.metrics.metric import PairMetric
from limner.metrics.pairs import pair_by_pair


def l1(real: Tensor, fake: Tensor) -> Tensor:
    """Mean absolute difference of float pictures (B, C, H, W) over all pixels and channels, in their own unit: (B,)."""
    return (real - fake).abs().mean((1, 2, 3))


class L1(PairMetric):
    """Mean absolute difference where white is 1 and black 0: 0 for equal pictures, at most 1.

    A loss on pictures in [-1, 1] (pix2pix, arXiv 1611.07004, equation 3) shows twice this number.
    """

    better: ClassVar[Literal["lower", "higher"]] = "lower"
    title: ClassVar[str] = "L1 distance"

    def score(self, real: np.ndarray, fake: np.ndarray) -> np.ndarray:
        """Score pairs of pictures, uint8 (B, H, W, C): float64 (B,) in [0, 1].

        Errors: UserError for pictures of different shapes.
        """
        return pair_by_pair(lambda x, y: l1(x, y) / 255, self, real, fake)

"""How far what was made is from what was wanted."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def feature_matching(fake: Sequence[Tensor], real: Sequence[Tensor]) -> Tensor:
    """Mean over layers of the L1 distance between what D makes of a fake and of its real (arXiv 1711.11585, eq. 4).

    The features of layer i, (B, C, H, W), are fake[i] and real[i]; no gradient goes into `real`.
    """
    return torch.stack([F.l1_loss(f, r.detach()) for f, r in zip(fake, real, strict=True)]).mean()


def mean_matching(fake: Sequence[Tensor], real: Sequence[Tensor]) -> Tensor:
    """Sum over layers of the mean squared difference between batch means of features (DiscoGAN, arXiv 1703.05192).

    Fakes and reals (B, C, H, W) need not belong together; no gradient goes into `real`.
    """
    return torch.stack(
        [F.mse_loss(f.mean(0), r.detach().mean(0)) for f, r in zip(fake, real, strict=True)],
    ).sum()

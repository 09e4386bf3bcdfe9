"""PatchNCE: a patch of the output should resemble its own patch of the input more than others (arXiv 2007.15651)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def patch_nce(queries: Tensor, keys: Tensor, temperature: float = 0.07) -> Tensor:
    """Cross-entropy of finding each query's own key among the keys of its picture (equations 3 and 4); a scalar.

    Both are (B, P, C): vectors of P patches of each picture, compared by cosine. No gradient goes into `keys`.
    """
    queries, keys = F.normalize(queries.float(), dim=2), F.normalize(keys.detach().float(), dim=2)
    likeness = queries @ keys.transpose(1, 2) / temperature  # (B, P, P): own pairs on the diagonal
    own = torch.arange(likeness.shape[1], device=likeness.device).expand(len(likeness), -1)  # (B, P)
    return F.cross_entropy(likeness.flatten(0, 1), own.flatten())


def take_patches(features: Tensor, places: Tensor) -> Tensor:
    """The vectors (B, P, C) of feature maps (B, C, H, W) at `places` (P,), counted row by row."""
    return features.flatten(2)[:, :, places].transpose(1, 2)

"""Penalties on how steep a discriminator is."""

from __future__ import annotations

import torch
from torch import Tensor


def gradient_penalty(logits: Tensor, pictures: Tensor) -> Tensor:
    """Squared length of D's gradient at these pictures, a scalar: R1 on reals, R2 on fakes (arXiv 1801.04406, eq. 9).

    `logits` (B, ...) come from `pictures` (B, C, H, W), which required a gradient; the result can be differentiated
    again. A D that judges n patches is taken for n discriminators: the sum of its gradients, squared, over n. So the
    weight of the penalty means the same for one logit and for many. The usual weight is half of gamma.
    """
    patches = logits[0].numel()
    (gradient,) = torch.autograd.grad(logits.float().sum(), pictures, create_graph=True)  # (B, C, H, W)
    return gradient.float().square().flatten(1).sum(1).mean() / patches

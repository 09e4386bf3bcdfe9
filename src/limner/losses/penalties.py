"""Penalties on how steep a discriminator is."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

import torch
from torch import Tensor


def uncompiled() -> contextlib.AbstractContextManager[Any]:
    """Call networks within it whose penalty is to be taken: what torch.compile made cannot be differentiated twice."""
    if "torch._dynamo" not in sys.modules:  # nothing is compiled, and asking would load the compiler
        return contextlib.nullcontext()
    return torch.compiler.set_stance("force_eager")


def gradient_penalty(logits: Tensor, pictures: Tensor) -> Tensor:
    """Squared length of D's gradient at these pictures, a scalar: R1 on reals, R2 on fakes (arXiv 1801.04406, eq. 9).

    `logits` (B, ...) come from `pictures` (B, C, H, W), which required a gradient; the result can be differentiated
    again. A D that judges n patches is taken for n discriminators: the sum of its gradients, squared, over n. So the
    weight of the penalty means the same for one logit and for many. The usual weight is half of gamma.
    """
    patches = logits[0].numel()
    (gradient,) = torch.autograd.grad(logits.float().sum(), pictures, create_graph=True)  # (B, C, H, W)
    return gradient.float().square().flatten(1).sum(1).mean() / patches


def between(real: Tensor, fake: Tensor) -> Tensor:
    """Draw x_hat on the line from each real to its fake, (B, C, H, W): alpha ~ U[0, 1], one for each picture.

    The result requires a gradient of its own and leads back to neither (WGAN-GP, arXiv 1704.00028, algorithm 1).
    """
    alpha = torch.rand(len(real), 1, 1, 1, device=real.device)
    return real.detach().lerp(fake.detach().to(real.dtype), alpha).requires_grad_()


def slope_penalty(scores: Tensor, pictures: Tensor) -> Tensor:
    """How far the length of the critic's gradient at each picture is from 1, squared; the mean, a scalar.

    `scores` (B,) come from `pictures` (B, C, H, W), which required a gradient; the result can be differentiated again.
    The usual weight is 10 (WGAN-GP, arXiv 1704.00028, equation 3).
    """
    (gradient,) = torch.autograd.grad(scores.float().sum(), pictures, create_graph=True)  # (B, C, H, W)
    return (gradient.float().flatten(1).norm(dim=1) - 1).square().mean()

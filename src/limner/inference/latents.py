"""Noise, one seed per picture, so that a picture is the same in any batch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from limner.core import rng
from limner.core.errors import UserError


def draw(seeds: Sequence[int], size: int, truncation: float | None = None) -> Tensor:
    """Draw z ~ N(0, I), float32 (len(seeds), size), each row from its own seed.

    `truncation` t in (0, 3] draws from the normal cut off at +-t instead (BigGAN, arXiv 1809.11096, section 3.1):
    smaller is more typical and less varied. The same seed stays a similar picture for every t.
    """
    if truncation is not None and not 0 < truncation <= 3:
        raise UserError(f"truncation {truncation:g}: expected a number above 0 and at most 3 (smaller: more typical)")
    rows = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(rng.derive(seed, "latent"))
        rows.append(torch.randn(size, generator=generator))
    z = torch.stack(rows)
    return z if truncation is None else _truncate(z, truncation)


def slerp(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """Walk from one latent (size,) to another on the great circle, (steps, size), both ends included (Shoemake 1985).

    A straight line would pass closer to the origin than almost any latent a generator was trained on.
    """
    share = torch.linspace(0.0, 1.0, steps)[:, None]
    cosine = torch.dot(start, end) / (start.norm() * end.norm())
    omega = torch.arccos(cosine.clamp(-1.0, 1.0))
    if omega < 1e-4:
        return torch.lerp(start, end, share)
    path = (torch.sin((1.0 - share) * omega) * start + torch.sin(share * omega) * end) / torch.sin(omega)
    path[0], path[-1] = start, end  # exactly, not to rounding
    return path


def _truncate(z: Tensor, limit: float) -> Tensor:
    # Quantile to quantile, from the normal to the normal cut at +-limit: no redrawing, so one seed stays one draw.
    root = math.sqrt(2.0)
    quantile = 0.5 * (1.0 + torch.erf(z.double() / root))
    low = 0.5 * (1.0 + math.erf(-limit / root))
    cut = low + quantile * (1.0 - 2.0 * low)
    return (root * torch.erfinv(2.0 * cut - 1.0)).clamp(-limit, limit).float()

"""R3GAN's numbers and recipes."""

from __future__ import annotations

import dataclasses
from typing import Literal

from limner.core.config import TrainConfig


@dataclasses.dataclass(frozen=True)
class R3GANSettings:
    """The numbers of an R3GAN; the defaults are the paper's (arXiv 2501.05441) with a third of its widths, or less."""

    latent: int = 64
    """size of the noise vector"""
    filters: int | None = None
    """filters at the picture's own resolution, doubled at every halving; auto: --widest, half as many at every
    doubling beyond 32 px"""
    widest: int | None = None
    """filters at most (the paper's nets, made for many GPUs: 768); auto: 256, and 128 on a CPU"""
    patch: int = 1
    """side, in pixels, of the squares that the largest resolution consists of (2: three times as fast, less fine)"""
    gamma: float | None = None
    """weight of the gradient penalties at the start (too low: samples repeat; too high: they stay blurred); auto: by
    the resolution, 0.05 at 32 px, 2 at 64 px, 150 at 256 px"""
    gamma_end: float = 0.1
    """share of the penalties' weight that is left at the end"""
    gamma_curve: Literal["cosine", "geometric"] = "cosine"
    """how the weight falls: late and then fast, as in the paper, or by the same factor in equal times"""
    penalty_every: int = 1
    """the gradient penalties are on one step in so many and weigh so many times as much: with 4, digits took 0.6 of the
    time and were learned as well (lazy regularisation, arXiv 1912.04958, section 3.1)"""
    labels: bool = True
    """learn the classes, where the data has any"""
    lr_g: float = 2e-4
    """learning rate of the generator at the start"""
    lr_d: float = 2e-4
    """learning rate of the discriminator at the start"""
    lr_end: float = 0.25
    """share of both learning rates that is left at the end"""


def r3gan() -> TrainConfig:
    """New pictures of any size from the modern baseline, with widths and penalty chosen by size and device.

    Source: arXiv 2501.05441.
    """
    return TrainConfig("r3gan", "r3gan", R3GANSettings(), images=2_000_000, batch=64, ema=None)


def r3gan_tiny() -> TrainConfig:
    """The same for small pictures on two CPU cores.

    Source: arXiv 2501.05441.
    """
    # For short runs: many steps, large ones, and penalties that first keep D from knowing all fakes and then let go of
    # it. After 40,000 digits penalties on every step are at a distance of 2.6, on one in four at 2.5 and in 0.6 of the
    # time.
    settings = R3GANSettings(
        filters=32,
        widest=128,
        patch=2,
        gamma=1.0,
        gamma_end=0.01,
        gamma_curve="geometric",
        penalty_every=4,
        lr_g=2e-3,
        lr_d=2e-3,
        lr_end=0.1,
    )
    return TrainConfig("r3gan-tiny", "r3gan", settings, images=400_000, batch=16, ema=20_000)

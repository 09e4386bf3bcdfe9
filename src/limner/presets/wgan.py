"""WGAN's numbers and recipes."""

from __future__ import annotations

import dataclasses
from typing import Literal

from limner.core.config import Size, TrainConfig
from limner.presets.dcgan import MirrorSettings


@dataclasses.dataclass(frozen=True)
class WGANSettings(MirrorSettings):
    """The numbers of a WGAN; the defaults are those with a gradient penalty (arXiv 1704.00028, algorithm 1)."""

    constraint: Literal["penalty", "clip"] = "penalty"
    """what keeps the critic from growing steep: a gradient penalty, or weights clipped after every step"""
    penalty: float = 10.0
    """weight of the gradient penalty"""
    clip: float = 0.01
    """largest size of a weight, where weights are clipped"""
    critic_steps: int = 5
    """updates of the critic for each of the generator; each sees a batch of its own"""
    optimizer: Literal["adam", "rmsprop"] = "adam"
    """optimizer of both"""
    lr_g: float = 1e-4
    """learning rate of the generator"""
    lr_d: float = 1e-4
    """learning rate of the critic"""
    lr_end: float = 1.0
    """share of both learning rates that is left at the end; they fall over the second half of the run"""
    beta1: float = 0.0
    """first momentum of Adam"""
    beta2: float = 0.9
    """second momentum of Adam"""


def wgan() -> TrainConfig:
    """New pictures of any size by the Wasserstein distance, the critic's weights clipped.

    Source: arXiv 1701.07875.
    """
    settings = WGANSettings(constraint="clip", optimizer="rmsprop", lr_g=5e-5, lr_d=5e-5)
    return TrainConfig("wgan", "wgan", settings, images=2_000_000, batch=64, ema=10_000)


def wgan_gp() -> TrainConfig:
    """New pictures of any size by the Wasserstein distance, with a gradient penalty.

    Source: arXiv 1704.00028.
    """
    return TrainConfig("wgan-gp", "wgan", WGANSettings(), images=2_000_000, batch=64, ema=10_000)


def wgan_gp_digits() -> TrainConfig:
    """Digits of 28 px by the Wasserstein distance with a gradient penalty, on two CPU cores.

    The layers are those of `dcgan-digits`. The paper's five steps of the critic for one of the generator leave 3,000
    of the generator in an hour; here they take turns.
    Source: arXiv 1704.00028; turns at large rates, arXiv 1706.08500.
    """
    settings = WGANSettings(latent=16, widths=(128, 64), kernel=5, critic_steps=1, lr_g=2e-3, lr_d=2e-3, lr_end=0.1)
    return TrainConfig("wgan-gp-digits", "wgan", settings, size=Size(28, 28), epochs=20.0, batch=32, ema=20_000)

"""AC-GAN's numbers and recipes."""

from __future__ import annotations

import dataclasses
from typing import Literal

from limner.core.config import Size, TrainConfig


@dataclasses.dataclass(frozen=True)
class ACGANSettings:
    """The numbers of an AC-GAN (arXiv 1610.09585); layers and defaults are a project report's on digits."""

    latent: int = 100
    """size of the noise vector"""
    conditioning: Literal["product", "concatenation"] = "product"
    """how the noise learns of the class: multiplied by the class's learned vector, or followed by it"""
    filters: int = 32
    """filters of the generator's layer beside the picture; doubled at every halving, up to eight times"""
    widths: tuple[int, ...] = ()
    """its layers' filters from the innermost outwards, instead of --filters; each after the first doubles the size"""
    d_filters: int = 32
    """the same for the discriminator's layer beside the picture"""
    d_widths: tuple[int, ...] = ()
    """the same for the discriminator, instead of --d-filters; each but the innermost halves the size"""
    dropout: float = 0.25
    """share of the discriminator's features that is dropped in training (0: none)"""
    source: Literal["bce", "critic"] = "bce"
    """real or fake by a probability; or by a linear critic with gradient penalty and RMSprop, without BatchNorm"""
    class_weight: float = 1.0
    """weight of the loss of classes, for both sides"""
    d_per_g: float = 1.0
    """updates of D for each update of G (2: G every other step; 0.5: D every other step)"""
    lr_g: float | None = None
    """learning rate of the generator; auto: 2e-4, or 5e-5 with a critic"""
    lr_d: float | None = None
    """learning rate of the discriminator; auto: 2e-4, or 5e-5 with a critic"""
    lr_end: float = 1.0
    """share of both learning rates that is left at the end; they fall over the second half of the run"""
    beta1: float = 0.5
    """first momentum of Adam"""
    beta2: float = 0.999
    """second momentum of Adam"""


def acgan() -> TrainConfig:
    """New pictures of any size of the class that one asks for: from a folder for each class, or labels in a .csv.

    Source: arXiv 1610.09585.
    """
    return TrainConfig("acgan", "acgan", ACGANSettings(), images=1_000_000, batch=64, ema=10_000)


def acgan_digits() -> TrainConfig:
    """Digits of 28 px, each of the kind that one asks for.

    Source: arXiv 1610.09585, as in a project report on digits.
    """
    settings = ACGANSettings(widths=(128, 128, 64), d_widths=(128, 64, 32, 16), lr_g=1e-3, lr_d=5e-4, lr_end=0.1)
    return TrainConfig("acgan-digits", "acgan", settings, size=Size(28, 28), epochs=20.0, batch=32, ema=20_000)

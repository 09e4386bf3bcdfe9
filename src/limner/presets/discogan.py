"""DiscoGAN's numbers and recipe."""

from __future__ import annotations

import dataclasses

from limner.core.config import Size, TrainConfig
from limner.presets.translation import TranslationSettings


@dataclasses.dataclass(frozen=True)
class DiscoGANSettings(TranslationSettings):
    """The numbers of a DiscoGAN; the defaults are those of the authors' code (arXiv 1703.05192)."""

    filters: int = 64
    """filters beside the pictures, doubled at every halving, up to eight times"""
    code: int = 100
    """numbers that all of a picture must go through"""
    feature_matching: float = 0.9
    """share of feature matching in the adversarial loss of the generators"""
    cycle_start: float = 0.01
    """share of reconstruction in the generators' loss at the start"""
    cycle_end: float = 0.5
    """that share later"""
    cycle_from: float = 0.2
    """share of the run after which it is so"""
    d_every: int = 3
    """D learns in every so manieth step, the generators in the others"""
    lr_g: float = 2e-4
    """learning rate of the generators"""
    lr_d: float = 2e-4
    """learning rate of the discriminators"""
    beta1: float = 0.5
    """first momentum of Adam"""
    beta2: float = 0.999
    """second momentum of Adam"""
    weight_decay: float = 1e-5
    """how fast weights shrink (0: not)"""


def discogan() -> TrainConfig:
    """Two kinds of small pictures into each other, learned without pairs, also where the shapes change.

    Source: arXiv 1703.05192.
    """
    # 10,000 steps of 64, after which reconstruction counts, are a fifth of this.
    return TrainConfig("discogan", "discogan", DiscoGANSettings(), size=Size(64, 64), images=3_200_000, batch=64, ema=0)

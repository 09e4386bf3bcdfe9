"""CycleGAN's numbers and recipes."""

from __future__ import annotations

import dataclasses

from limner.core.config import Size, TrainConfig
from limner.presets.pix2pix import JITTER
from limner.presets.translation import LossName, NormName, PatchSettings


@dataclasses.dataclass(frozen=True)
class CycleGANSettings(PatchSettings):
    """The numbers of a CycleGAN; the defaults are the paper's (arXiv 1703.10593, sections 3 and 4, appendix 7)."""

    loss: LossName = "least-squares"
    """adversarial loss; relativistic is R3GAN's, with R1 and R2 and without the pool"""
    d_norm: NormName = "instance"
    """normalisation in the discriminators"""
    filters: int = 64
    """filters of the generators' first layer, doubled at both halvings"""
    blocks: int | None = None
    """residual blocks in the generators; auto: 9 from 256 px on, else 6"""
    norm: NormName = "instance"
    """normalisation in the generators"""
    slope: float = 0.0
    """slope of LeakyReLU in the generators (0: ReLU)"""
    cycle: float = 10.0
    """weight of the L1 distance between a picture and itself after going there and back"""
    identity: float | None = None
    """share of --cycle that weighs the L1 distance between a target and its own translation (0: off); auto: 0.5, or 0
    where A and B differ in channels"""
    pool: int = 50
    """how many earlier fakes of each kind D may be shown again (0: none)"""


def cyclegan() -> TrainConfig:
    """Two kinds of pictures into each other, learned without pairs: horses and zebras, photographs and paintings.

    Source: arXiv 1703.10593.
    """
    return TrainConfig(
        "cyclegan",
        "cyclegan",
        CycleGANSettings(),
        size=Size(256, 256),
        epochs=200.0,
        batch=1,
        ema=0,
        mirror=True,
        crop=JITTER,
    )


def cyclegan_sketch() -> TrainConfig:
    """Sketches and plated dishes into each other: half the filters, LeakyReLU, no identity loss.

    Source: arXiv 1703.10593, as in a project report on sketches.
    """
    settings = CycleGANSettings(filters=32, blocks=6, slope=0.2, identity=0.0, loss="bce", decay=1.0)
    return TrainConfig("cyclegan-sketch", "cyclegan", settings, size=Size(128, 128), images=50_000, batch=1, ema=0)

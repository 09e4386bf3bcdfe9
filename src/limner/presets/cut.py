"""CUT's numbers and recipes."""

from __future__ import annotations

import dataclasses

from limner.core.config import Size, TrainConfig
from limner.presets.pix2pix import JITTER
from limner.presets.translation import LossName, NormName, PatchSettings


@dataclasses.dataclass(frozen=True)
class CUTSettings(PatchSettings):
    """The numbers of a CUT; the defaults are the paper's (arXiv 2007.15651, section 4 and appendix C)."""

    loss: LossName = "least-squares"
    """adversarial loss; relativistic is R3GAN's, with R1 and R2"""
    d_norm: NormName = "instance"
    """normalisation in D"""
    filters: int = 64
    """filters of G's first layer, doubled at both halvings"""
    blocks: int = 9
    """residual blocks in G"""
    norm: NormName = "instance"
    """normalisation in G"""
    nce: float = 1.0
    """weight of PatchNCE: patches of the output shall resemble their own patches of the input"""
    nce_identity: bool = True
    """the same for targets, which G should leave as they are"""
    nce_layers: tuple[int, ...] = (0, 4, 8, 12, 16)
    """layers of G's encoder whose patches are compared"""
    nce_patches: int = 256
    """patches of each layer and picture"""
    nce_width: int = 256
    """numbers that describe a patch"""
    flip: bool = False
    """mirror G's input half of the time: its output shall be the mirrored one"""


def cut() -> TrainConfig:
    """Pictures of one kind into another, one way, learned without pairs; half the networks of a CycleGAN.

    Source: arXiv 2007.15651.
    """
    return _at_256("cut", CUTSettings(), 400.0)


def fastcut() -> TrainConfig:
    """CUT in less time and memory.

    Source: arXiv 2007.15651.
    """
    return _at_256("fastcut", CUTSettings(nce=10.0, nce_identity=False, flip=True, decay=0.75), 200.0)


def _at_256(name: str, settings: CUTSettings, epochs: float) -> TrainConfig:
    return TrainConfig(
        name, "cut", settings, size=Size(256, 256), epochs=epochs, batch=1, ema=0, mirror=True, crop=JITTER
    )

"""DE-GAN's numbers and recipes."""

from __future__ import annotations

import dataclasses
from typing import Literal

from limner.core.config import Size, TrainConfig
from limner.presets.dcgan import MirrorSettings


@dataclasses.dataclass(frozen=True)
class DEGANSettings(MirrorSettings):
    """The numbers of a DE-GAN (arXiv 1807.03923); those of generator and discriminator are DCGAN's."""

    latent: int = 128
    """size of the noise vector and of the codes that are made of it"""
    noise: Literal["codes", "drawn-codes", "plain"] = "codes"
    """what the generator is given: the encoder's means for pictures that the decoder makes of noise; codes drawn around
    these means; or plain noise, to compare with"""
    hidden: float = 1.0
    """weight of the hidden-space loss, which ties what the encoder sees in fakes to what it sees in reals (0: off)"""
    vae_share: float = 0.2
    """share of the run in which the autoencoder is trained, before the generator"""
    vae_beta: float = 0.5
    """weight of the autoencoder's divergence from N(0, 1), at most 1 (less: sharper pictures, codes less like noise)"""
    vae_filters: int = 32
    """filters of the autoencoder's layer beside the picture; doubled at every halving, up to eight times"""
    vae_dense: tuple[int, ...] = ()
    """widths of dense layers of the autoencoder from the picture inwards, instead of convolutions"""
    lr_vae: float = 1e-3
    """learning rate of the autoencoder; it falls to nothing over the second half of its share"""
    lr_g: float = 2e-4
    """learning rate of the generator"""
    lr_d: float = 2e-4
    """learning rate of the discriminator"""
    lr_end: float = 1.0
    """share of both that is left at the end; they fall over the second half of their part of the run"""
    beta1: float = 0.5
    """first momentum of Adam"""
    beta2: float = 0.999
    """second momentum of Adam"""


def degan() -> TrainConfig:
    """New pictures of any size from codes of an autoencoder in place of noise.

    Source: arXiv 1807.03923.
    """
    return TrainConfig("degan", "degan", DEGANSettings(), images=1_200_000, batch=64, ema=10_000)


def degan_digits() -> TrainConfig:
    """Digits of 28 px from codes of an autoencoder of dense layers.

    Source: arXiv 1807.03923.
    """
    settings = DEGANSettings(
        widths=(128, 64), kernel=5, vae_dense=(800, 400, 200, 100), lr_g=2e-3, lr_d=5e-4, lr_end=0.1
    )
    return TrainConfig("degan-digits", "degan", settings, size=Size(28, 28), epochs=50.0, batch=32, ema=20_000)

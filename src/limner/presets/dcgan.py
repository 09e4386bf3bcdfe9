"""DCGAN's numbers and recipes."""

from __future__ import annotations

import dataclasses
from typing import Literal

from limner.core.config import Size, TrainConfig


@dataclasses.dataclass(frozen=True)
class MirrorSettings:
    """The layers of a generator and of the discriminator that mirrors it (arXiv 1511.06434, section 3)."""

    latent: int = 100
    """size of the noise vector"""
    filters: int = 64
    """filters of the layer beside the picture; doubled at every halving, up to eight times"""
    widths: tuple[int, ...] = ()
    """filters of every layer from the innermost outwards, instead of --filters"""
    strides: tuple[int, ...] = ()
    """enlargement of every layer from the innermost outwards; none: 2 each"""
    d_widths: tuple[int, ...] = ()
    """the same for the discriminator; none: the generator's, as a mirror"""
    d_strides: tuple[int, ...] = ()
    """the same for the discriminator; none: the generator's, as a mirror"""
    kernel: int = 4
    """size of the convolution kernels"""
    activation: Literal["relu", "selu", "elu"] = "relu"
    """what follows every hidden layer's normalisation; with relu the discriminator has LeakyReLU 0.2"""
    stride_one: bool = False
    """one more layer where the picture is smallest: of stride 1 and the whole --kernel, also if that is even"""
    glasses: int = 1
    """draw and judge pictures enlarged this many times with the same filters; what comes out is scaled down"""


@dataclasses.dataclass(frozen=True)
class DCGANSettings(MirrorSettings):
    """The numbers of a DCGAN; the defaults are the paper's (arXiv 1511.06434, section 4)."""

    clusters: int = 0
    """numbers of noise beside --latent of which only the largest counts, so that pictures come in so many kinds with
    nothing between them (arXiv 1809.03627; 0: off)"""
    loss: Literal["bce", "least-squares", "hinge", "wasserstein", "relativistic"] = "bce"
    """adversarial loss"""
    gamma: float = 0.0
    """weight of R1, which keeps the discriminator from growing steep at real pictures (0: off)"""
    gamma_end: float = 1.0
    """R1's weight at the end, as a share of that at the start; it changes from the middle of the run on, as rates do"""
    update: Literal["alternating", "simultaneous"] = "alternating"
    """alternating: G learns against the D just updated; simultaneous: both from one forward pass"""
    d_per_g: float = 1.0
    """updates of D for each update of G (2: G every other step; 0.5: D every other step)"""
    d_per_g_start: float | None = None
    """that ratio at the start of the run, eased to --d-per-g over its first half; auto: no easing"""
    lr_g: float = 2e-4
    """learning rate of the generator"""
    lr_d: float = 2e-4
    """learning rate of the discriminator"""
    lr_end: float = 1.0
    """share of both learning rates that is left at the end; they fall over the second half of the run"""
    beta1: float = 0.5
    """first momentum of Adam"""
    beta2: float = 0.999
    """second momentum of Adam"""


def demo() -> TrainConfig:
    """Small digits in about three minutes on two CPU cores.

    Source: arXiv 1511.06434, tuned for speed.
    """
    settings = DCGANSettings(
        latent=64,
        widths=(64, 64, 32),
        strides=(1, 2, 2),
        d_widths=(128, 64, 32),
        d_strides=(2, 2, 2),
        lr_g=2e-3,
        lr_d=5e-4,
        lr_end=0.1,
    )
    return TrainConfig("demo", "dcgan", settings, size=Size(28, 28), images=110_000, batch=32, ema=10_000)


def dcgan() -> TrainConfig:
    """New pictures of any size, layers chosen by it.

    Source: arXiv 1511.06434.
    """
    return TrainConfig("dcgan", "dcgan", DCGANSettings(), images=1_000_000, batch=64, ema=10_000)


def dcgan_digits() -> TrainConfig:
    """Digits of 28 px with two 5x5 layers.

    The layers are a project report's. With 3 numbers of noise and 16 clusters in place of its 100 numbers, R1 and
    batches of 16, more of the digits are ones that a person would read.
    Source: arXiv 1511.06434; the clusters, arXiv 1809.03627.
    """
    settings = DCGANSettings(
        latent=3, clusters=16, widths=(128, 64), kernel=5, gamma=0.1, lr_g=2e-3, lr_d=5e-4, lr_end=0.1
    )
    return TrainConfig("dcgan-digits", "dcgan", settings, size=Size(28, 28), epochs=50.0, batch=16, ema=20_000)


def dcgan_faces() -> TrainConfig:
    """Faces of 256 px with six 5x5 layers.

    Source: arXiv 1511.06434.
    """
    settings = DCGANSettings(widths=(512, 256, 128, 64, 32, 16), strides=(2, 2, 2, 2, 2, 1), kernel=5)
    return TrainConfig("dcgan-faces", "dcgan", settings, size=Size(256, 256), epochs=50.0, batch=32, mirror=True)


def dcgan_faces_reduced() -> TrainConfig:
    """Faces of 256 px with half the layers, by stride 4.

    Source: arXiv 1511.06434.
    """
    settings = DCGANSettings(widths=(512, 128, 32), strides=(4, 4, 2), kernel=5)
    return TrainConfig(
        "dcgan-faces-reduced", "dcgan", settings, size=Size(256, 256), epochs=50.0, batch=32, mirror=True
    )

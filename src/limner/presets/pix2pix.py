"""pix2pix's numbers and recipes."""

from __future__ import annotations

import dataclasses
from typing import Literal

from limner.core.config import Size, TrainConfig
from limner.presets.translation import NormName, PatchSettings

JITTER = 286 / 256  # pictures are read at 286 px and windows of 256 px cut out


@dataclasses.dataclass(frozen=True)
class Pix2PixSettings(PatchSettings):
    """The numbers of a pix2pix; the defaults are those of the widely used reference."""

    filters: int = 64
    """filters of the U-Net's first layer, doubled at every halving, up to eight times"""
    depth: int | None = None
    """halvings of the U-Net; auto: down to one pixel, at most 8"""
    norm: NormName = "batch"
    """normalisation in the U-Net"""
    dropout: tuple[int, ...] = (1, 2, 3)
    """which of the U-Net's widest doublings end in dropout, from the innermost, 0, outwards"""
    upsampling: Literal["transposed", "resize-conv"] = "transposed"
    """how the U-Net doubles: transposed convolutions, or larger pixels and convolutions, without a checkerboard"""
    dense: int = 0
    """dense layers inside the U-Net, so that parts can move; they fix the size of the pictures"""
    activation_first: bool = False
    """activations before normalisation in U-Net and D, and no convolution of stride 1 in D"""
    l1: float = 100.0
    """weight of the L1 distance between output and target"""
    feature_matching: float = 0.0
    """weight of the L1 distance between what D's layers make of output and target (0: off; 10 is usual)"""
    d_augment: tuple[Literal["colour", "translation", "cutout"], ...] = ()
    """DiffAugment: how the pairs that D sees are varied, for small sets"""


def pix2pix() -> TrainConfig:
    """Pictures into others, learned from pairs: labels into facades, drawings into photographs.

    Source: arXiv 1611.07004, as in the authors' PyTorch code.
    """
    return _at_256("pix2pix", Pix2PixSettings())


def pix2pix_paper() -> TrainConfig:
    """pix2pix to the letter: constant learning rates, dropout from the innermost layer on.

    Source: arXiv 1611.07004.
    """
    return _at_256("pix2pix-paper", Pix2PixSettings(dropout=(0, 1, 2), decay=1.0))


def pix2pix_maps() -> TrainConfig:
    """Maps into aerial views: seven halvings, no dropout, least squares on 16x16 patches.

    Source: arXiv 1611.07004, as in a project report on maps.
    """
    settings = Pix2PixSettings(
        depth=7,
        dropout=(),
        upsampling="resize-conv",
        activation_first=True,
        d_layers=4,
        loss="least-squares",
        halve_d=False,
        decay=1.0,
    )
    return _at_256("pix2pix-maps", settings, epochs=23.0, jitter=False)


def mugshot() -> TrainConfig:
    """Front views of faces into side views: dense layers let the parts move.

    Source: arXiv 1611.07004, as in a project report on mugshots.
    """
    config = _at_256("mugshot", Pix2PixSettings(dense=5, copies=4), epochs=50.0, jitter=False)
    return dataclasses.replace(config, rotate=5.0, shift=0.04, zoom=0.04, colour=0.1)


def pix2pix_plus() -> TrainConfig:
    """Our best recipe for pairs: no checkerboard, a steadier discriminator, and more out of small sets.

    Source: arXiv 1611.07004, with 1711.11585, 1802.05957 and 2006.10738.
    """
    settings = Pix2PixSettings(
        norm="group",
        dropout=(),
        upsampling="resize-conv",
        d_norm="none",
        spectral_norm=True,
        loss="hinge",
        feature_matching=10.0,
        d_augment=("colour", "translation", "cutout"),
    )
    return dataclasses.replace(_at_256("pix2pix-plus", settings), ema=1_000)


def _at_256(name: str, settings: Pix2PixSettings, epochs: float = 200.0, jitter: bool = True) -> TrainConfig:
    return TrainConfig(
        name,
        "pix2pix",
        settings,
        size=Size(256, 256),
        epochs=epochs,
        batch=1,
        ema=0,
        mirror=jitter,
        crop=JITTER if jitter else 1.0,
    )

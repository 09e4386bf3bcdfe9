"""What the settings of all methods that translate have in common."""

from __future__ import annotations

import dataclasses
from typing import Literal

NormName = Literal["batch", "instance", "group", "none"]
LossName = Literal["bce", "least-squares", "hinge", "wasserstein", "relativistic"]


@dataclasses.dataclass(frozen=True)
class TranslationSettings:
    """How two kinds of pictures are read."""

    direction: Literal["AtoB", "BtoA"] = "AtoB"
    """which side is the input"""
    channels_in: Literal[1, 3, 4] | None = None
    """channels of the inputs: 1 grey, 3 colour, 4 with alpha; none: as they are"""
    copies: int = 1
    """how often a pair comes in an epoch, its input varied each time and its target left alone"""


@dataclasses.dataclass(frozen=True)
class PatchSettings(TranslationSettings):
    """A discriminator that judges patches, what it is trained on, and Adam; the defaults are pix2pix's."""

    d_kind: Literal["patch", "pixel", "image", "residual"] = "patch"
    """what D judges: patches, pixels, the whole image, or patches through residual blocks"""
    d_layers: int = 3
    """halvings in D: 1, 2, 3 or 4 make patches of 16, 34, 70 or 142 px"""
    d_scales: int = 1
    """how many discriminators: of the pictures, of their halves, quarters ..."""
    d_filters: int = 64
    """filters of D's first layer, doubled at every halving, up to eight times"""
    d_norm: NormName = "batch"
    """normalisation in D"""
    spectral_norm: bool = False
    """divide D's weights by their largest singular values"""
    loss: LossName = "bce"
    """adversarial loss; relativistic is R3GAN's, with R1 and R2"""
    gamma: float | None = None
    """weight of R1 and R2, which keep D's slope small; auto: 1 with the relativistic loss, else 0, which is off"""
    halve_d: bool = True
    """halve D's loss, so that it learns more slowly"""
    lr_g: float = 2e-4
    """learning rate of the generators"""
    lr_d: float = 2e-4
    """learning rate of the discriminators"""
    beta1: float = 0.5
    """first momentum of Adam"""
    beta2: float = 0.999
    """second momentum of Adam"""
    decay: float = 0.5
    """share of the run after which the learning rates fall to zero in a straight line (1: never)"""

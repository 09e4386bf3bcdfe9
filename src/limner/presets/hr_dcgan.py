"""HR-DCGAN's recipes: the method is DCGAN's, with BatchNorm and SELU after every hidden layer."""

from __future__ import annotations

from limner.core.config import Size, TrainConfig
from limner.presets.dcgan import DCGANSettings


def hr_dcgan() -> TrainConfig:
    """New pictures of any size with SELU and a layer of stride 1, through glasses if wanted.

    Source: arXiv 1711.06491.
    """
    settings = DCGANSettings(activation="selu", stride_one=True)
    return TrainConfig("hr-dcgan", "dcgan", settings, images=1_000_000, batch=64, ema=10_000)


def hr_dcgan_digits() -> TrainConfig:
    """Digits of 28 px with SELU and three 4x4 layers.

    The report had --activation elu.
    Source: arXiv 1711.06491, as in a project report on digits.
    """
    settings = DCGANSettings(
        latent=6,
        widths=(256, 128, 64),
        activation="selu",
        stride_one=True,
        gamma=0.1,
        gamma_end=8.0,  # 0.3 from the start learns half as fast; 0.1 to the end lets D get ahead as the rates fall
        lr_g=2e-3,
        lr_d=5e-4,
        lr_end=0.3,  # with 0.1 it learns nothing more after 400,000 images
        beta2=0.99,  # twice as near to MNIST after 200,000 images as with 0.999
    )
    return TrainConfig("hr-dcgan-digits", "dcgan", settings, size=Size(28, 28), epochs=50.0, batch=32, ema=20_000)


def hr_dcgan_faces() -> TrainConfig:
    """Faces of 256 px with SELU and seven 4x4 layers.

    The report had --activation elu.
    Source: arXiv 1711.06491, as in a project report on faces.
    """
    settings = DCGANSettings(
        widths=(512, 256, 128, 64, 32, 16, 8), strides=(1, 2, 2, 2, 2, 2, 1), activation="selu", stride_one=True
    )
    return TrainConfig("hr-dcgan-faces", "dcgan", settings, size=Size(256, 256), epochs=50.0, batch=32, mirror=True)

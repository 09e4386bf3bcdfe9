"""How translators and their discriminators face each other: loss, penalty and scales, whatever the discriminator."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from limner.core.contract import ParamGroup
from limner.core.errors import UserError
from limner.core.schedule import Schedule
from limner.losses.adversarial import LOSSES, accuracies
from limner.losses.penalties import gradient_penalty
from limner.nets.patch import MultiScaleDiscriminator, PatchDiscriminator, ResidualDiscriminator
from limner.presets.translation import PatchSettings

GAMMA = 1.0  # weight of R1 and R2 that goes with the relativistic loss
LSGAN_HALF = 2.0  # equation 9 of the LSGAN paper halves both sides; pix2pix and CycleGAN weigh theirs without

Logits = Tensor | list[Tensor]


class Adversary:
    """An adversarial loss over patches and scales, with R1 and R2 where their weight gamma is above 0."""

    def __init__(self, settings: PatchSettings) -> None:
        loss = LOSSES[settings.loss]
        scale = LSGAN_HALF if settings.loss == "least-squares" else 1.0
        self.loss, self.paired = loss, loss.paired
        self.gamma = (GAMMA if loss.paired else 0.0) if settings.gamma is None else settings.gamma
        # One batch is quicker than two; but over a batch, normalisation and penalties would mix reals and fakes.
        self.together = settings.d_norm != "batch" and settings.d_scales == 1 and not self.gamma
        self.scale_d = scale * (0.5 if settings.halve_d else 1.0)
        self.scale_g = scale

    def shown(self, pictures: Tensor) -> Tensor:
        """The same pictures as D is shown them in its own step: nothing goes back to who made them."""
        return pictures.detach().requires_grad_(self.gamma > 0)

    def judge(self, D: nn.Module, real: Tensor, fake: Tensor) -> tuple[Logits, Logits]:
        """D's logits of reals and of as many fakes."""
        if not self.together:
            return D(real), D(fake)
        logits_real, logits_fake = D(torch.cat((real, fake))).chunk(2)
        return logits_real, logits_fake

    def d(self, real: tuple[Logits, Tensor], fake: tuple[Logits, Tensor]) -> Tensor:
        """D's loss, from the logits of reals and of fakes and the pictures that were `shown`."""
        loss = self.scale_d * _mean(self.loss.d, real[0], fake[0])
        if self.gamma:
            for logits, pictures in (real, fake):  # R1, R2
                loss = loss + self.gamma / 2 * _mean(lambda scale, x=pictures: gradient_penalty(scale, x), logits)
        return loss

    def g(self, fake: Logits, real: Logits | None) -> Tensor:
        """The translator's loss; only paired losses look at the logits of reals, and need them."""
        if real is None:
            return self.scale_g * _mean(lambda scale: self.loss.g(scale, None), fake)
        return self.scale_g * _mean(self.loss.g, fake, real)

    def accuracies(self, real: Logits, fake: Logits) -> dict[str, Tensor]:
        """Share of patches of reals and of fakes that are on the right side."""
        seen = [accuracies(r, f, self.loss.border) for r, f in zip(_scales(real), _scales(fake), strict=True)]
        return {name: torch.stack([scale[name] for scale in seen]).mean() for name in seen[0]}


def discriminator(
    settings: PatchSettings, channels: int, size: tuple[int, int], activation_first: bool = False
) -> nn.Module:
    """Build the discriminator that the settings ask for; UserError when it does not fit pictures of this size."""

    def one(scale: int) -> nn.Module:
        rows, columns = (-(-side >> scale) for side in size)
        kind, filters, norm, spectral = settings.d_kind, settings.d_filters, settings.d_norm, settings.spectral_norm
        if kind == "residual":
            return ResidualDiscriminator(channels, settings.d_layers, filters, norm, spectral, (rows, columns))
        layers = {"patch": settings.d_layers, "pixel": 0, "image": "image"}[kind]
        return PatchDiscriminator(channels, layers, filters, norm, spectral, activation_first, (rows, columns))

    try:
        return one(0) if settings.d_scales == 1 else MultiScaleDiscriminator(map(one, range(settings.d_scales)))
    except ValueError as error:
        scales = f" at {settings.d_scales} scales" if settings.d_scales > 1 else ""
        raise UserError(
            f"pictures of {size[0]}x{size[1]} are too small for a discriminator of kind {settings.d_kind!r} with "
            f"{settings.d_layers} layers{scales}: take a larger --size, fewer --d-layers or --d-scales, or "
            "--d-kind pixel, which judges any size"
        ) from error


def groups(settings: PatchSettings, g: tuple[str, ...], d: tuple[str, ...]) -> dict[str, ParamGroup]:
    """One Adam for the translators `g` and one for the discriminators `d`, as the settings say."""
    betas = (settings.beta1, settings.beta2)
    return {
        name: ParamGroup(nets, Schedule(rate, 0.0, begin=settings.decay), betas=betas)
        for name, nets, rate in (("G", g, settings.lr_g), ("D", d, settings.lr_d))
    }


def _scales(logits: Logits) -> list[Tensor]:
    # in full precision, which the losses need where D ran in half
    return [scale.float() for scale in (logits if isinstance(logits, list) else [logits])]


def _mean(function: Callable[..., Tensor], *logits: Logits) -> Tensor:
    # over scales, so that one weight of the loss fits any number of them
    values = [function(*scale) for scale in zip(*map(_scales, logits), strict=True)]
    return torch.stack(values).mean()

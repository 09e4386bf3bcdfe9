"""A variational autoencoder (arXiv 1312.6114), of dense or of convolution layers, and the codes it gives to DE-GAN."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from limner.nets.dcgan import ladder, up_conv

SLOPE = 0.2  # of LeakyReLU below 0
KERNEL = 4
DRAW = 8_192  # codes from which mean and deviation are taken
PIECE = 256  # of them at a time
LEAST_DEVIATION = 1e-3  # a number of the code that hardly moves says nothing; larger factors would show rounding errors


class VAE(nn.Module):
    """Pictures (B, C, H, W) to codes of `latent` numbers and back.

    `dense` gives the widths of dense layers from the picture inwards; without, convolutions halve the picture until it
    is 4 to 7 px, their filters doubling from `filters`. `ready` says whether the codes' statistics have been taken.
    """

    mean: Tensor
    deviation: Tensor
    ready: Tensor

    def __init__(
        self, size: tuple[int, int], channels: int, latent: int, filters: int, dense: tuple[int, ...] = ()
    ) -> None:
        super().__init__()
        self.latent = latent
        self.encoder, self.decoder = (
            _dense((channels, *size), latent, dense) if dense else _convolutions(size, channels, latent, filters)
        )
        self.register_buffer("mean", torch.zeros(latent))
        self.register_buffer("deviation", torch.ones(latent))
        self.register_buffer("ready", torch.tensor(0))
        for layer in self.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d) and not layer.weight.is_meta:
                nn.init.kaiming_normal_(layer.weight, SLOPE)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def features(self, x: Tensor) -> Tensor:
        """What the encoder sees in pictures (B, C, H, W) before it makes a code of it: (B, features)."""
        return self.encoder[:-1](x)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Turn pictures (B, C, H, W) into the means and the logarithms of the variances of their codes, (B, latent)."""
        mu, log_variance = self.encoder(x).float().chunk(2, dim=1)
        return mu, log_variance

    def decode(self, code: Tensor) -> Tensor:
        """Turn codes (B, latent) into pictures (B, C, H, W) in [-1, 1]."""
        return self.decoder(code)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rebuild pictures (B, C, H, W) from a drawn code; also its mean and log-variance (section 2.4)."""
        mu, log_variance = self.encode(x)
        return self.decode(draw(mu, log_variance)), mu, log_variance

    def codes(self, z: Tensor) -> Tensor:
        """Turn noise (B, latent) into the codes of the pictures that the decoder makes of it, each number standardised.

        A code is the encoder's mean; with noise (B, 2 * latent), the second half draws it from the encoder's normal.
        """
        return (self._raw(z) - self.mean) / self.deviation

    @torch.no_grad()
    def take_statistics(self, width: int) -> None:
        """Learn mean and deviation of each number of the codes from a large draw of noise (N, width)."""
        device = self.mean.device
        codes = torch.cat([self._raw(torch.randn(PIECE, width, device=device)) for _ in range(DRAW // PIECE)])
        self.mean.copy_(codes.mean(0))
        self.deviation.copy_(codes.std(0).clamp(min=LEAST_DEVIATION))
        self.ready.fill_(1)

    def _raw(self, z: Tensor) -> Tensor:
        mu, log_variance = self.encode(self.decode(z[:, : self.latent]))
        noise = z[:, self.latent :]
        return mu + noise * (0.5 * log_variance).exp() if noise.shape[1] else mu


def draw(mu: Tensor, log_variance: Tensor) -> Tensor:
    """Draw from N(mu, exp(log_variance)) so that gradients reach both (section 2.4)."""
    return mu + torch.randn_like(mu) * (0.5 * log_variance).exp()


def _dense(shape: tuple[int, int, int], latent: int, widths: tuple[int, ...]) -> tuple[nn.Sequential, nn.Sequential]:
    pixels = math.prod(shape)
    inwards: list[nn.Module] = [nn.Flatten()]
    for before, after in zip((pixels, *widths), widths, strict=False):
        inwards += [nn.Linear(before, after), nn.LeakyReLU(SLOPE)]
    outwards: list[nn.Module] = []
    for before, after in zip((latent, *widths[::-1]), widths[::-1], strict=False):
        outwards += [nn.Linear(before, after), nn.LeakyReLU(SLOPE)]
    outwards += [nn.Linear(widths[0], pixels), nn.Tanh(), nn.Unflatten(1, shape)]
    return nn.Sequential(*inwards, nn.Linear(widths[-1], 2 * latent)), nn.Sequential(*outwards)


def _convolutions(
    size: tuple[int, int], channels: int, latent: int, filters: int
) -> tuple[nn.Sequential, nn.Sequential]:
    plan = ladder(*size, filters, KERNEL)
    base = (plan.widths[0], *plan.shapes[0])
    inwards: list[nn.Module] = []
    for before, after in zip((channels, *plan.widths[::-1]), plan.widths[::-1], strict=False):
        inwards += [nn.Conv2d(before, after, KERNEL, 2, 1), nn.LeakyReLU(SLOPE)]
    outwards: list[nn.Module] = [nn.Linear(latent, math.prod(base)), nn.Unflatten(1, base)]
    for i, (before, after) in enumerate(zip(plan.widths, (*plan.widths[1:], channels), strict=True)):
        outwards += [nn.LeakyReLU(SLOPE), up_conv(before, after, plan, i, bias=True)]
    return nn.Sequential(*inwards, nn.Flatten(), nn.Linear(math.prod(base), 2 * latent)), nn.Sequential(
        *outwards, nn.Tanh()
    )

"""DE-GAN (arXiv 1807.03923): the generator is given codes of a frozen autoencoder in place of noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.core.clock import Clock
from limner.core.contract import Batch, Method, ParamGroup, Spec, Update
from limner.core.errors import UserError
from limner.core.schedule import Schedule
from limner.losses.adversarial import accuracies, bce_d, bce_g
from limner.methods.mirror import mirror
from limner.nets.vae import VAE
from limner.presets.degan import DEGANSettings


class DEGAN(Method):
    """Pictures of any height and width that are multiples of 4, up to 512 px; 1, 3 or 4 channels.

    The first share of the run trains the autoencoder, the rest the generator; which of the two it is, is a function of
    the clock. What the model needs of the first is in `nets["VAE"]`, which is frozen from then on.
    """

    Settings = DEGANSettings
    portable = ("VAE", "G")

    def __init__(self, settings: DEGANSettings, spec: Spec) -> None:
        if settings.vae_share >= 1:
            raise UserError(f"--vae-share {settings.vae_share:g} leaves nothing for the generator: take less than 1")
        if settings.vae_beta > 1:
            raise UserError(f"--vae-beta {settings.vae_beta:g}: expected a number above 0 and at most 1")
        generator, judge = mirror(settings, spec)
        vae = VAE((spec.height, spec.width), spec.channels, settings.latent, settings.vae_filters, settings.vae_dense)
        share, betas = settings.vae_share, (settings.beta1, settings.beta2)
        # Drawn codes take their randomness from the noise vector too, so that a seed is the same picture everywhere.
        self.latent = settings.latent * (2 if settings.noise == "drawn-codes" else 1)
        self.code = settings.latent
        self.plain = settings.noise == "plain"
        self.share, self.beta, self.hidden = share, settings.vae_beta, settings.hidden
        self.nets = {"VAE": vae, "G": generator, "D": judge}
        self.groups = {
            "VAE": ParamGroup(("VAE",), Schedule(settings.lr_vae, 0.0, share / 2, share), betas=(0.9, 0.999))
        }
        self.groups |= {
            name: ParamGroup((name,), Schedule(rate, rate * settings.lr_end, begin=(1 + share) / 2), betas=betas)
            for name, rate in (("G", settings.lr_g), ("D", settings.lr_d))
        }
        self.extras = {}
        self.words = [
            f"The first {share:.0%} of the run train the autoencoder, and until then the sheets show its decoder's "
            "pictures; then it is frozen and the generator begins."
        ]

    def step(self, batch: Batch, update: Update, clock: Clock) -> dict[str, Tensor]:
        """Train the autoencoder, or, when its share of the run is over, D and G on its codes (section 3)."""
        G, D, vae = self.nets["G"], self.nets["D"], cast(VAE, self.nets["VAE"])
        real = batch["image"]  # (B, C, H, W)
        if clock.progress < self.share:
            return self._teach_autoencoder(real, update)
        vae.requires_grad_(False)  # in every step, as a resume may begin with any
        if not vae.ready:
            vae.take_statistics(self.latent)

        with torch.no_grad():
            noise = self._noise(vae, torch.randn(len(real), self.latent, device=real.device))
        fake = G(noise)
        real_logit, fake_logit = D(real), D(fake.detach())
        loss_d = bce_d(real_logit, fake_logit)
        update(D=loss_d)

        adversarial = bce_g(D(fake))
        scalars = {"loss/D": loss_d, "loss/G": adversarial, **accuracies(real_logit, fake_logit, 0.0)}
        loss_g = adversarial
        if self.hidden:
            with torch.no_grad():
                wanted = vae.features(real).mean(0)  # (features,)
            scalars["loss/hidden"] = F.mse_loss(vae.features(fake).mean(0), wanted)
            loss_g = loss_g + self.hidden * scalars["loss/hidden"]
        update(G=loss_g)
        return scalars

    def _teach_autoencoder(self, real: Tensor, update: Update) -> dict[str, Tensor]:
        # The bound of arXiv 1312.6114, equation 10, with unit variance around the decoder's pictures, per picture.
        made, mu, log_variance = self.nets["VAE"](real)
        reconstruction = 0.5 * (made.float() - real).square().flatten(1).sum(1).mean()
        divergence = 0.5 * (mu.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()
        update(VAE=reconstruction + self.beta * divergence)
        return {"loss/VAE_reconstruction": reconstruction, "loss/VAE_divergence": divergence}

    def infer(self, nets: Mapping[str, nn.Module], inputs: Batch) -> Tensor:
        """Turn noise "z" (B, latent) into pictures (B, C, H, W) in [-1, 1]: the decoder's until it is G's turn."""
        vae = cast(VAE, nets["VAE"])
        if not vae.ready:
            return vae.decode(inputs["z"][:, : self.code])
        return nets["G"](self._noise(vae, inputs["z"]))

    def _noise(self, vae: VAE, z: Tensor) -> Tensor:
        return z if self.plain else vae.codes(z)

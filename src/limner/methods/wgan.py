"""WGAN (arXiv 1701.07875) and WGAN-GP (arXiv 1704.00028): a critic that measures how far fakes are from reals."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from limner.core.clock import Clock
from limner.core.contract import Batch, Method, ParamGroup, Spec, Update
from limner.core.schedule import Schedule
from limner.losses.adversarial import LOSSES
from limner.losses.penalties import between, slope_penalty, uncompiled
from limner.methods.mirror import mirror
from limner.methods.turns import Turns
from limner.presets.wgan import WGANSettings


class WGAN(Method):
    """Pictures of any height and width that are multiples of 4, up to 512 px; 1, 3 or 4 channels."""

    Settings = WGANSettings

    def __init__(self, settings: WGANSettings, spec: Spec) -> None:
        generator, critic = mirror(settings, spec, norm=False)  # section 4: a penalty for each picture alone
        self.latent = settings.latent
        self.penalty = settings.penalty if settings.constraint == "penalty" else 0.0
        self.clip = settings.clip if settings.constraint == "clip" else None
        self.critic_steps = float(settings.critic_steps)
        self.turns = Turns()
        self.nets = {"G": generator, "D": critic}
        betas = (settings.beta1, settings.beta2)
        self.groups = {
            name: ParamGroup((name,), Schedule(rate, rate * settings.lr_end, begin=0.5), settings.optimizer, betas)
            for name, rate in (("G", settings.lr_g), ("D", settings.lr_d))
        }
        self.extras = {"turns": self.turns}

    def step(self, batch: Batch, update: Update, clock: Clock) -> dict[str, Tensor]:
        """Train the critic, and every few steps G (arXiv 1704.00028, algorithm 1).

        The negative of loss/D is the critic's estimate of the distance. Accuracies are not logged: a critic that tells
        all apart is what is wanted here.
        """
        G, D, loss = self.nets["G"], self.nets["D"], LOSSES["wasserstein"]
        real = batch["image"]  # (B, C, H, W)
        _, g_acts = self.turns.take(self.critic_steps)
        z = torch.randn(len(real), self.latent, device=real.device)
        with torch.set_grad_enabled(g_acts):
            fake = G(z)

        loss_d = loss.d(*D(torch.cat((real, fake.detach()))).chunk(2))  # no batch statistics: one pass for both
        scalars = {"loss/D": loss_d}
        if self.penalty:
            x_hat = between(real, fake)
            with uncompiled():
                scores = D(x_hat)
            scalars["loss/penalty"] = slope_penalty(scores, x_hat)
            loss_d = loss_d + self.penalty * scalars["loss/penalty"]
        update(D=loss_d)
        if self.clip is not None:
            with torch.no_grad():
                for weight in D.parameters():
                    weight.clamp_(-self.clip, self.clip)

        if g_acts:
            scalars["loss/G"] = loss.g(D(fake), None)
            update(G=scalars["loss/G"])
        return scalars

    def infer(self, nets: Mapping[str, nn.Module], inputs: Batch) -> Tensor:
        """Turn noise "z" (B, latent) into pictures (B, C, H, W) in [-1, 1]."""
        return nets["G"](inputs["z"])

"""DCGAN (arXiv 1511.06434): noise in, picture out, and a discriminator that mirrors the generator."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from limner.core.clock import Clock
from limner.core.contract import Batch, Method, ParamGroup, Spec, Update
from limner.core.errors import UserError
from limner.core.schedule import Schedule
from limner.losses.adversarial import LOSSES, accuracies
from limner.losses.penalties import gradient_penalty, uncompiled
from limner.methods.mirror import mirror
from limner.methods.turns import Turns
from limner.presets.dcgan import DCGANSettings


class DCGAN(Method):
    """Pictures of any height and width that are multiples of 4, up to 512 px; 1, 3 or 4 channels."""

    Settings = DCGANSettings

    def __init__(self, settings: DCGANSettings, spec: Spec) -> None:
        if settings.update == "simultaneous" and (settings.d_per_g, settings.d_per_g_start or 1.0) != (1.0, 1.0):
            raise UserError("--update simultaneous trains D and G equally often: leave --d-per-g at 1, or alternate")
        if min(settings.d_per_g, settings.d_per_g_start or 1.0) <= 0:
            raise UserError("--d-per-g is a ratio above 0, such as 2 (G every other step) or 0.5 (D every other step)")
        generator, judge = mirror(settings, spec, clusters=settings.clusters)
        betas = (settings.beta1, settings.beta2)
        self.latent = settings.latent + settings.clusters
        self.loss = LOSSES[settings.loss]
        self.gamma = Schedule(settings.gamma, settings.gamma * settings.gamma_end, begin=0.5)
        self.simultaneous = settings.update == "simultaneous"
        self.d_per_g = Schedule(settings.d_per_g_start or settings.d_per_g, settings.d_per_g, finish=0.5)
        self.turns = Turns()
        self.nets = {"G": generator, "D": judge}
        self.groups = {
            name: ParamGroup((name,), Schedule(rate, rate * settings.lr_end, begin=0.5), betas=betas)
            for name, rate in (("G", settings.lr_g), ("D", settings.lr_d))
        }
        self.extras = {"turns": self.turns}

    def step(self, batch: Batch, update: Update, clock: Clock) -> dict[str, Tensor]:
        """Train D to tell real from fake and G to be taken for real (Goodfellow et al. 2014, algorithm 1)."""
        G, D, loss = self.nets["G"], self.nets["D"], self.loss
        real = batch["image"]  # (B, C, H, W)
        d_acts, g_acts = self.turns.take(self.d_per_g(clock.progress))
        z = torch.randn(len(real), self.latent, device=real.device)
        with torch.set_grad_enabled(g_acts):
            fake = G(z)

        if self.simultaneous:
            (real_logit, steepness), fake_logit = self._judge(real, clock), D(fake)
            loss_d, loss_g = loss.d(real_logit, fake_logit) + steepness, loss.g(fake_logit, real_logit)
            update(D=loss_d, G=loss_g)
            return {"loss/D": loss_d, "loss/G": loss_g, **accuracies(real_logit, fake_logit, loss.border)}

        scalars: dict[str, Tensor] = {}
        if d_acts:
            (real_logit, steepness), fake_logit = self._judge(real, clock), D(fake.detach())
            loss_d = loss.d(real_logit, fake_logit) + steepness
            update(D=loss_d)
            scalars |= {"loss/D": loss_d, **accuracies(real_logit, fake_logit, loss.border)}
        if g_acts:
            loss_g = loss.g(D(fake), D(real) if loss.paired else None)
            update(G=loss_g)
            scalars["loss/G"] = loss_g
        return scalars

    def _judge(self, real: Tensor, clock: Clock) -> tuple[Tensor, Tensor | float]:
        # D's logits of reals, and R1
        gamma = self.gamma(clock.progress)
        if not gamma:
            return self.nets["D"](real), 0.0
        shown = real.detach().requires_grad_()
        with uncompiled():
            logits = self.nets["D"](shown)
        return logits, gamma / 2 * gradient_penalty(logits, shown)

    def infer(self, nets: Mapping[str, nn.Module], inputs: Batch) -> Tensor:
        """Turn noise "z" (B, latent) into pictures (B, C, H, W) in [-1, 1]."""
        return nets["G"](inputs["z"])

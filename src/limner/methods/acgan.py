"""AC-GAN (arXiv 1610.09585): a generator that is told the class, a discriminator that also names it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.core.clock import Clock
from limner.core.contract import Batch, Method, ParamGroup, Spec, Update
from limner.core.errors import UserError
from limner.core.schedule import Schedule
from limner.losses.adversarial import LOSSES, accuracies
from limner.losses.penalties import between, slope_penalty, uncompiled
from limner.methods.turns import Turns
from limner.nets.acgan import Discriminator, Generator, doubled_widths
from limner.presets.acgan import ACGANSettings

SMALLEST, LARGEST = 4, 512
PENALTY = 10.0  # weight of the critic's gradient penalty (arXiv 1704.00028, algorithm 1)
LR, LR_CRITIC = 2e-4, 5e-5  # the report's, for Adam and for RMSprop


class ACGAN(Method):
    """Pictures of any height and width from 4 to 512 px; 1, 3 or 4 channels; at least two classes."""

    Settings = ACGANSettings
    conditional = True

    def __init__(self, settings: ACGANSettings, spec: Spec) -> None:
        size = spec.height, spec.width
        if not SMALLEST <= min(size) <= max(size) <= LARGEST:
            raise UserError(
                f"acgan makes pictures from {SMALLEST} to {LARGEST} px, not {size[0]}x{size[1]}: give --size"
            )
        if len(spec.classes) < 2:
            raise UserError(
                "acgan makes pictures of a class that one names, and these have no classes. Put the pictures of each "
                "class into a sub-folder named after it, or give a .csv with labels; without classes, train dcgan."
            )
        critic = settings.source == "critic"
        self.latent = settings.latent
        self.loss = LOSSES["wasserstein" if critic else "bce"]
        self.penalty = PENALTY if critic else 0.0
        self.class_weight = settings.class_weight
        self.d_per_g = settings.d_per_g
        self.turns = Turns()
        widths = settings.widths or doubled_widths(*size, settings.filters)
        d_widths = settings.d_widths or doubled_widths(*size, settings.d_filters)
        count = len(spec.classes)
        self.nets = {
            "G": Generator(widths, size, spec.channels, settings.latent, count, settings.conditioning),
            "D": Discriminator(d_widths, size, spec.channels, count, settings.dropout, norm=not critic),
        }
        usual = LR_CRITIC if critic else LR
        self.groups = {
            name: ParamGroup(
                (name,),
                Schedule(rate, rate * settings.lr_end, begin=0.5),
                "rmsprop" if critic else "adam",
                (settings.beta1, settings.beta2),
            )
            for name, rate in (("G", settings.lr_g or usual), ("D", settings.lr_d or usual))
        }
        self.extras = {"turns": self.turns}

    def step(self, batch: Batch, update: Update, clock: Clock) -> dict[str, Tensor]:
        """Train D on source and class, then G to be taken for real and for its class (section 3).

        D learns classes from reals alone: from fakes it would learn whatever G draws under a label, however wrong.
        """
        G, D, loss = self.nets["G"], self.nets["D"], self.loss
        real, labels = batch["image"], batch["label"]  # (B, C, H, W), (B,)
        d_acts, g_acts = self.turns.take(self.d_per_g)
        z = torch.randn(len(real), self.latent, device=real.device)
        with torch.set_grad_enabled(g_acts):
            fake = G(z, labels)  # of the same classes, so as often as in the data

        scalars: dict[str, Tensor] = {}
        if d_acts:
            real_source, real_class = D(real)
            fake_source, fake_class = D(fake.detach())
            loss_d, named = loss.d(real_source, fake_source), F.cross_entropy(real_class, labels)
            if self.penalty:
                x_hat = between(real, fake)
                with uncompiled():
                    scores, _ = D(x_hat)
                loss_d = loss_d + self.penalty * slope_penalty(scores, x_hat)
            update(D=loss_d + self.class_weight * named)
            scalars |= {"loss/D": loss_d, "loss/class-real": named, **accuracies(real_source, fake_source, loss.border)}
            for name, logits in (("real", real_class), ("fake", fake_class)):
                scalars[f"accuracy/class-{name}"] = (logits.detach().argmax(1) == labels).float().mean()
        if g_acts:
            fake_source, fake_class = D(fake)
            loss_g, named = loss.g(fake_source, None), F.cross_entropy(fake_class, labels)
            update(G=loss_g + self.class_weight * named)
            scalars |= {"loss/G": loss_g, "loss/class-fake": named}
        return scalars

    def infer(self, nets: Mapping[str, nn.Module], inputs: Batch) -> Tensor:
        """Turn noise "z" (B, latent) and classes "label" (B,) into pictures (B, C, H, W) in [-1, 1]."""
        return nets["G"](inputs["z"], inputs["label"])

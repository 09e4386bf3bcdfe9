"""R3GAN (arXiv 2501.05441): a loss that compares pairs, two gradient penalties, and plain residual networks."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from limner.core.clock import Clock
from limner.core.contract import Batch, Method, ParamGroup, Spec, Update
from limner.core.errors import UserError
from limner.core.schedule import Schedule
from limner.losses.adversarial import accuracies, relativistic_d, relativistic_g
from limner.losses.penalties import gradient_penalty, uncompiled
from limner.methods.turns import Turns
from limner.nets.r3gan import Discriminator, Generator, Plan, plan
from limner.presets.r3gan import R3GANSettings

LARGEST = 1024
FULL = 32  # pixels: the resolution beyond which the paper halves the width at every doubling
GAMMAS = ((32, 0.05), (64, 2.0), (256, 150.0))  # the paper's, for CIFAR-10 and for faces (table of settings)
WIDEST, WIDEST_ON_CPU = 256, 128  # a quarter of the work, for machines that have a hundredth of the speed
BETA1, BETA2 = 0.0, Schedule(0.9, 0.99, shape="cosine")


class R3GAN(Method):
    """Pictures whose shorter side is 4 to 7 px doubled several times (28, 32, 40, 48, 56, 64 ...), up to 1024 px.

    They have 1, 3 or 4 channels. Labels are learned where there are any. `words` says what was chosen, and why.
    """

    Settings = R3GANSettings

    def __init__(self, settings: R3GANSettings, spec: Spec) -> None:
        height, width = spec.height, spec.width
        if max(height, width) > LARGEST:
            raise UserError(f"an R3GAN makes pictures of up to {LARGEST} px, not {height}x{width}: lower --size")
        beyond = max(0, math.ceil(math.log2(min(height, width) / FULL)))
        widest = settings.widest or WIDEST
        filters = settings.filters or max(1, widest >> beyond)
        try:
            shapes = plan(height, width, filters, widest, settings.patch)
        except ValueError as error:
            raise UserError(f"an R3GAN doubles its pictures from a small one, but {error}; try that --size") from error
        gamma = settings.gamma if settings.gamma is not None else usual_gamma(height, width)
        classes = len(spec.classes) if settings.labels else 0
        self.latent = settings.latent
        self.conditional = classes > 0
        self.gamma = Schedule(gamma, gamma * settings.gamma_end, shape=settings.gamma_curve)
        self.nets = {
            "G": Generator(shapes, spec.channels, settings.latent, classes),
            "D": Discriminator(shapes, spec.channels, classes),
        }
        self.groups = {
            name: ParamGroup((name,), Schedule(rate, rate * settings.lr_end, shape="cosine"), betas=(BETA1, BETA2))
            for name, rate in (("G", settings.lr_g), ("D", settings.lr_d))
        }
        self.penalty_every = settings.penalty_every
        self.turns = Turns(1 - 1 / self.penalty_every)  # the first step has them: it shows how much memory a step takes
        self.extras = {"turns": self.turns}
        self.words = _words(settings, spec, shapes, gamma, classes)

    @classmethod
    def suited(cls, settings: R3GANSettings, device: str) -> R3GANSettings:
        """Choose the widths by the device, where they are left to it."""
        if settings.widest is not None:
            return settings
        return dataclasses.replace(settings, widest=WIDEST_ON_CPU if device == "cpu" else WIDEST)

    def step(self, batch: Batch, update: Update, clock: Clock) -> dict[str, Tensor]:
        """Train D on pairs of a real and a fake, then G on others (section 2; appendix on the algorithm)."""
        G, D, gamma = self.nets["G"], self.nets["D"], self.gamma(clock.progress)
        real = batch["image"]  # (B, C, H, W)
        label = batch["label"] if self.conditional else None  # (B,)

        with torch.no_grad():
            fake = G(self._noise(real), label)
        if self.turns.take(1 / self.penalty_every)[0]:
            real, fake = real.detach().requires_grad_(), fake.requires_grad_()
            with uncompiled():
                real_logit, fake_logit = D(real, label).float(), D(fake, label).float()
            r1, r2 = gradient_penalty(real_logit, real), gradient_penalty(fake_logit, fake)
            loss_d = relativistic_d(real_logit, fake_logit) + self.penalty_every * gamma / 2 * (r1 + r2)
            scalars = {"penalty/R1": r1.detach(), "penalty/R2": r2.detach()}
        else:
            real_logit, fake_logit = D(real, label).float(), D(fake, label).float()
            loss_d, scalars = relativistic_d(real_logit, fake_logit), {}
        update(D=loss_d)

        # The paper gives G's step reals of its own. A step here has one batch, and to halve it would show D half of the
        # pictures; so the fakes are new, and each is paired with a real that D was not just taught to rank it against.
        order = torch.randperm(len(real), device=real.device)
        label = None if label is None else label[order]
        with torch.no_grad():
            real_logit_g = D(batch["image"][order], label).float()
        loss_g = relativistic_g(D(G(self._noise(real), label), label).float(), real_logit_g)
        update(G=loss_g)
        scalars |= accuracies(real_logit, fake_logit, None)
        return scalars | {"loss/D": loss_d.detach(), "loss/G": loss_g.detach()}

    def infer(self, nets: Mapping[str, nn.Module], inputs: Batch) -> Tensor:
        """Turn noise "z" (B, latent), and "label" (B,) where classes were learned, into pictures in [-1, 1]."""
        return nets["G"](inputs["z"], inputs["label"] if self.conditional else None).clamp(-1, 1)

    def _noise(self, like: Tensor) -> Tensor:
        return torch.randn(len(like), self.latent, device=like.device)


def usual_gamma(height: int, width: int) -> float:
    """The penalties' weight for pictures of this size: between the paper's, both on a logarithmic scale.

    Beyond them it grows and falls with the number of pixels, as in StyleGAN2 (arXiv 1912.04958, appendix B).
    """
    side = math.sqrt(height * width)
    if side <= GAMMAS[0][0] or side >= GAMMAS[-1][0]:
        near, gamma = GAMMAS[0] if side <= GAMMAS[0][0] else GAMMAS[-1]
        return gamma * (side / near) ** 2
    (low, weak), (high, strong) = next(pair for pair in itertools.pairwise(GAMMAS) if side <= pair[1][0])
    share = math.log(side / low) / math.log(high / low)
    return weak * (strong / weak) ** share


def _words(settings: R3GANSettings, spec: Spec, shapes: Plan, gamma: float, classes: int) -> list[str]:
    size, widest = f"{spec.height}x{spec.width}", settings.widest or WIDEST
    if settings.filters:
        why = f"{settings.filters} at the largest resolution as --filters says, doubled inwards up to {widest}"
    else:
        why = f"{widest} up to {FULL} px and half beyond with every doubling, as in the paper"
        if widest == WIDEST_ON_CPU:
            why += " (a CPU's share; --widest 256 draws finer and takes four times as long)"
    words = [f"{', '.join(map(str, shapes.widths))} filters from {shapes.shape[0]}x{shapes.shape[1]} up: {why}."]
    if settings.gamma is not None:
        why = "as --gamma says"
    else:
        why = (
            f"what the paper's own come to at {size}. If samples repeat, try --gamma {4 * gamma:.2g}; if they stay "
            f"blurred, {gamma / 4:.2g}"
        )
    often = "" if settings.penalty_every == 1 else f" on one step in {settings.penalty_every}"
    words.append(f"Gradient penalties of gamma {gamma:.2g}{often}, falling to {gamma * settings.gamma_end:.2g}: {why}.")
    if classes:
        words.append(f"It learns the {classes} classes of the data; --no-labels leaves them out.")
    return words

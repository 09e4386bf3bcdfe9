"""DiscoGAN (arXiv 1703.05192): two kinds of pictures into each other, each squeezed through a narrow code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.core.clock import Clock
from limner.core.contract import Batch, Method, ParamGroup, Spec, Update
from limner.core.errors import UserError
from limner.core.schedule import constant
from limner.losses.adversarial import accuracies, bce_d, bce_g
from limner.losses.reconstruction import mean_matching
from limner.nets.disco import Discriminator, Generator, rungs
from limner.presets.discogan import DiscoGANSettings


class Rounds:
    """Counts steps: D learns in the first of every `length`, the generators in the others."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.done = 0

    def d_learns(self) -> bool:
        """Count one step; whether it is D's."""
        first = self.done % self.length == 0
        self.done += 1
        return first

    def state_dict(self) -> dict[str, Any]:
        """The steps so far."""
        return {"done": self.done}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state_dict` was taken."""
        self.done = state["done"]


class DiscoGAN(Method):
    """Trained on pictures of 8 px and more, in batches of two and more; the two kinds of 1, 3 or 4 channels each."""

    Settings = DiscoGANSettings
    portable = ("G_AB", "G_BA")
    translates = "unpaired"
    smallest_batch = 2  # it normalises codes of one pixel over the batch
    both_ways = True

    def __init__(self, settings: DiscoGANSettings, spec: Spec) -> None:
        a, b, size = spec.channels_in or spec.channels, spec.channels, (spec.height, spec.width)
        if settings.d_every < 2:
            raise UserError(f"--d-every {settings.d_every}: the generators learn in the other steps, so take 2 or more")
        if settings.cycle_end > 1 or settings.cycle_start > 1 or settings.feature_matching > 1:
            raise UserError("--cycle-start, --cycle-end and --feature-matching are shares of a loss: from 0 to 1")
        try:
            halvings = rungs(*size)
        except ValueError as error:
            raise UserError(f"{error}: take a larger --size") from error
        self.matching = settings.feature_matching
        self.shares = settings.cycle_start, settings.cycle_end, settings.cycle_from
        self.rounds = Rounds(settings.d_every)
        self.nets = {
            "G_AB": Generator(a, b, settings.filters, settings.code, halvings),
            "G_BA": Generator(b, a, settings.filters, settings.code, halvings),
            "D_A": Discriminator(a, *size, settings.filters),
            "D_B": Discriminator(b, *size, settings.filters),
        }
        betas, decay = (settings.beta1, settings.beta2), settings.weight_decay
        self.groups = {
            "G": ParamGroup(("G_AB", "G_BA"), constant(settings.lr_g), betas=betas, weight_decay=decay),
            "D": ParamGroup(("D_A", "D_B"), constant(settings.lr_d), betas=betas, weight_decay=decay),
        }
        self.extras = {"rounds": self.rounds}

    def step(self, batch: Batch, update: Update, clock: Clock) -> dict[str, Tensor]:
        """Train both discriminators, or both translators (section 2.3, with the feature matching of section 4)."""
        G_AB, G_BA = self.nets["G_AB"], self.nets["G_BA"]
        real = {"A": batch["A"], "B": batch["B"]}  # (B, C, H, W)
        if self.rounds.d_learns():
            with torch.no_grad():
                fake = {"B": G_AB(real["A"]), "A": G_BA(real["B"])}
            return self._teach_judges(real, fake, update)

        fake = {"B": G_AB(real["A"]), "A": G_BA(real["B"])}
        back = {"A": G_BA(fake["B"]), "B": G_AB(fake["A"])}
        early, late, change = self.shares
        share = late if clock.progress >= change else early
        losses: list[Tensor] = []
        scalars: dict[str, Tensor] = {}
        for side, name in (("B", "G_AB"), ("A", "G_BA")):
            D = self.nets[f"D_{side}"]
            logits, features = D(fake[side], features=True)
            with torch.no_grad():
                _, wanted = D(real[side], features=True)
            adversarial, matching = bce_g(logits), mean_matching(features, wanted)
            cycle = F.mse_loss(back[side], real[side])
            fooled = (1 - self.matching) * adversarial + self.matching * matching
            losses.append((1 - share) * fooled + share * cycle)
            scalars |= {f"loss/{name}": adversarial, f"loss/features_{side}": matching, f"loss/cycle_{side}": cycle}
        update(G=losses[0] + losses[1])
        return scalars

    def _teach_judges(self, real: dict[str, Tensor], fake: dict[str, Tensor], update: Update) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = {}
        right: list[dict[str, Tensor]] = []
        for side in "AB":
            D = self.nets[f"D_{side}"]
            logits = D(real[side]), D(fake[side])
            losses[f"loss/D_{side}"] = 0.5 * bce_d(*logits)
            right.append(accuracies(*logits, border=0.0))
        update(D=losses["loss/D_A"] + losses["loss/D_B"])
        return losses | {name: (right[0][name] + right[1][name]) / 2 for name in right[0]}

    def infer(self, nets: Mapping[str, nn.Module], inputs: Batch) -> Tensor:
        """Turn pictures "image" of kind A (B, channels_in, H, W) into B (B, channels, H, W), both in [-1, 1]."""
        return nets["G_AB"](inputs["image"])

    def infer_back(self, nets: Mapping[str, nn.Module], inputs: Batch) -> Tensor:
        """Turn pictures "image" of kind B (B, channels, H, W) into A (B, channels_in, H, W), both in [-1, 1]."""
        return nets["G_BA"](inputs["image"])

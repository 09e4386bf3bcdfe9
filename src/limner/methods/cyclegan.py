"""CycleGAN (arXiv 1703.10593): two kinds of pictures into each other, learned without pairs."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.core.clock import Clock
from limner.core.contract import Batch, Method, Spec, Update
from limner.core.errors import UserError
from limner.methods.adversary import Adversary, discriminator, groups
from limner.methods.pool import Pool
from limner.nets.resnet import ResNet
from limner.presets.cyclegan import CycleGANSettings

IDENTITY = 0.5  # of the cycle's weight
NINE_BLOCKS_FROM = 256  # pixels of the shorter side
RECOMPUTE_FROM = 256 * 256  # pixels: from here on activations are computed twice, for a third of the memory


class CycleGAN(Method):
    """Pictures of any size; the two kinds of 1, 3 or 4 channels each."""

    Settings = CycleGANSettings
    portable = ("G_AB", "G_BA")
    translates = "unpaired"
    both_ways = True

    def __init__(self, settings: CycleGANSettings, spec: Spec) -> None:
        a, b, size = spec.channels_in or spec.channels, spec.channels, (spec.height, spec.width)
        if a != b and settings.identity:
            raise UserError(
                f"--identity compares a target with its own translation, but inputs have {a} channels and targets {b}: "
                "leave --identity out, or give both the same with --channels and --channels-in"
            )
        blocks = settings.blocks or (9 if min(size) >= NINE_BLOCKS_FROM else 6)

        def generator(before: int, after: int) -> nn.Module:
            recompute = spec.height * spec.width >= RECOMPUTE_FROM
            return ResNet(before, after, settings.filters, blocks, settings.norm, settings.slope, checkpoint=recompute)

        self.adversary = Adversary(settings)
        self.cycle = settings.cycle
        share = settings.identity if settings.identity is not None else IDENTITY
        self.identity = share * settings.cycle if a == b else 0.0
        size_of_pool = 0 if self.adversary.paired else settings.pool  # pairs are a real and a fake of the same step
        self.pools = {"A": Pool(size_of_pool), "B": Pool(size_of_pool)}
        self.nets = {
            "G_AB": generator(a, b),
            "G_BA": generator(b, a),
            "D_A": discriminator(settings, a, size),
            "D_B": discriminator(settings, b, size),
        }
        self.groups = groups(settings, ("G_AB", "G_BA"), ("D_A", "D_B"))
        self.extras = {f"pool_{side}": pool for side, pool in self.pools.items()}

    def step(self, batch: Batch, update: Update, clock: Clock) -> dict[str, Tensor]:
        """Train both translators (equation 3, and the identity loss of section 5.2), then both discriminators."""
        G_AB, G_BA, adversary = self.nets["G_AB"], self.nets["G_BA"], self.adversary
        real = {"A": batch["A"], "B": batch["B"]}  # (B, C, H, W)

        fake = {"B": G_AB(real["A"]), "A": G_BA(real["B"])}
        back = {"A": G_BA(fake["B"]), "B": G_AB(fake["A"])}
        adversarial = {side: self._fools(side, fake[side], real[side]) for side in "AB"}
        cycle = {side: F.l1_loss(back[side], real[side]) for side in "AB"}
        scalars = {"loss/G_AB": adversarial["B"], "loss/G_BA": adversarial["A"]}
        scalars |= {"loss/cycle_A": cycle["A"], "loss/cycle_B": cycle["B"]}
        loss_g = adversarial["A"] + adversarial["B"] + self.cycle * (cycle["A"] + cycle["B"])
        if self.identity:
            identity = F.l1_loss(G_AB(real["B"]), real["B"]) + F.l1_loss(G_BA(real["A"]), real["A"])
            scalars["loss/identity"] = identity / 2
            loss_g = loss_g + self.identity * identity
        update(G=loss_g)

        loss_d: dict[str, Tensor] = {}
        right: list[dict[str, Tensor]] = []
        for side in "AB":
            D = self.nets[f"D_{side}"]
            shown = adversary.shown(real[side]), adversary.shown(self.pools[side].swap(fake[side]))
            logits = adversary.judge(D, *shown)
            loss_d[side] = adversary.d((logits[0], shown[0]), (logits[1], shown[1]))
            right.append(adversary.accuracies(*logits))
        update(D=loss_d["A"] + loss_d["B"])
        scalars |= {"loss/D_A": loss_d["A"], "loss/D_B": loss_d["B"]}
        return scalars | {name: (right[0][name] + right[1][name]) / 2 for name in right[0]}

    def _fools(self, side: str, fake: Tensor, real: Tensor) -> Tensor:
        D = self.nets[f"D_{side}"]
        if not self.adversary.paired:
            return self.adversary.g(D(fake), None)
        with torch.no_grad():
            logits = D(real)
        return self.adversary.g(D(fake), logits)

    def infer(self, nets: Mapping[str, nn.Module], inputs: Batch) -> Tensor:
        """Turn pictures "image" of kind A (B, channels_in, H, W) into B (B, channels, H, W), both in [-1, 1]."""
        return nets["G_AB"](inputs["image"])

    def infer_back(self, nets: Mapping[str, nn.Module], inputs: Batch) -> Tensor:
        """Turn pictures "image" of kind B (B, channels, H, W) into A (B, channels_in, H, W), both in [-1, 1]."""
        return nets["G_BA"](inputs["image"])

"""pix2pix (arXiv 1611.07004): a picture in, its counterpart out, learned from pairs."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.core.clock import Clock
from limner.core.contract import Batch, Method, Spec, Update
from limner.core.errors import UserError
from limner.losses.diff_augment import GEOMETRIC, augment, draw
from limner.losses.reconstruction import feature_matching
from limner.methods.adversary import Adversary, discriminator, groups
from limner.nets.unet import UNet
from limner.presets.pix2pix import Pix2PixSettings

DEEPEST = 8
RECOMPUTE_FROM = 512 * 512  # pixels: from here on activations are computed twice, for half the memory


class Pix2Pix(Method):
    """Pictures of any size; inputs and targets of 1, 3 or 4 channels each."""

    Settings = Pix2PixSettings
    translates = "paired"

    def __init__(self, settings: Pix2PixSettings, spec: Spec) -> None:
        size = spec.height, spec.width
        depth = _depth(settings.depth, min(size))
        channels = spec.channels_in or spec.channels
        generator = UNet(
            channels,
            spec.channels,
            settings.filters,
            depth,
            settings.norm,
            [level for level in settings.dropout if level < depth - 4],  # the 512-wide ones of the reference
            settings.upsampling,
            settings.activation_first,
            settings.dense,
            size,
            checkpoint=spec.height * spec.width >= RECOMPUTE_FROM,
        )
        judge = discriminator(settings, channels + spec.channels, size, settings.activation_first)
        self.any_size = not settings.dense
        self.adversary = Adversary(settings)
        self.l1, self.matching, self.kinds = settings.l1, settings.feature_matching, settings.d_augment
        self.nets = {"G": generator, "D": judge}
        self.groups = groups(settings, ("G",), ("D",))
        self.extras = {}

    def step(self, batch: Batch, update: Update, clock: Clock) -> dict[str, Tensor]:
        """Train D to tell real pairs from made ones, then G to be taken for real and near its target (section 3.1)."""
        G, D, adversary = self.nets["G"], self.nets["D"], self.adversary
        x, real = batch["A"], batch["B"]  # (B, C, H, W)
        draws = draw(len(x), x.device) if self.kinds else None

        def pair(y: Tensor) -> Tensor:
            return torch.cat((self._varied(x, draws, geometric=True), self._varied(y, draws)), 1)

        fake = G(x)
        shown = adversary.shown(real), adversary.shown(fake)
        logits = adversary.judge(D, pair(shown[0]), pair(shown[1]))
        loss_d = adversary.d((logits[0], shown[0]), (logits[1], shown[1]))
        update(D=loss_d)

        fake_logits, fake_features = D(pair(fake), features=True)
        real_logits, real_features = None, fake_features
        if adversary.paired or self.matching:
            with torch.no_grad():
                real_logits, real_features = D(pair(real), features=True)
        adversarial, distance = adversary.g(fake_logits, real_logits), F.l1_loss(fake, real)
        loss_g = adversarial + self.l1 * distance
        scalars = {"loss/D": loss_d, "loss/G": adversarial, "loss/L1": distance}
        if self.matching:
            scalars["loss/features"] = feature_matching(fake_features, real_features)
            loss_g = loss_g + self.matching * scalars["loss/features"]
        update(G=loss_g)
        return scalars | adversary.accuracies(*logits)

    def _varied(self, pictures: Tensor, draws: Tensor | None, geometric: bool = False) -> Tensor:
        # One draw for everything that D sees in a step; inputs keep their colours, which may be labels.
        if draws is None:
            return pictures
        return augment(pictures, draws, [kind for kind in self.kinds if kind in GEOMETRIC or not geometric])

    def infer(self, nets: Mapping[str, nn.Module], inputs: Batch) -> Tensor:
        """Turn pictures "image" (B, channels_in, H, W) into others (B, channels, H, W), both in [-1, 1]."""
        return nets["G"](inputs["image"])


def _depth(asked: int | None, shorter: int) -> int:
    auto = min(DEEPEST, shorter.bit_length() - 1)  # the deepest whose code is a pixel or more
    most = (shorter - 1).bit_length()
    if asked is None and auto >= 2:
        return auto
    if asked is None or not 2 <= asked <= most:
        raise UserError(
            f"a U-Net of {asked or auto} halvings does not fit pictures whose shorter side is {shorter} px: "
            + (f"--depth can be 2 to {most}; left out it is {auto}" if auto >= 2 else "the least is --size 4")
        )
    return asked

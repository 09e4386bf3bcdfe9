"""CUT and FastCUT (arXiv 2007.15651): one kind of picture into another, one way, learned without pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from limner.core.clock import Clock
from limner.core.contract import Batch, Method, Spec, Update
from limner.core.errors import UserError
from limner.losses.contrastive import patch_nce, take_patches
from limner.methods.adversary import Adversary, discriminator, groups
from limner.nets.heads import PatchHeads
from limner.nets.resnet import ResNet
from limner.presets.cut import CUTSettings

RECOMPUTE_FROM = 256 * 256  # pixels: from here on activations are computed twice, for a third of the memory


class CUT(Method):
    """Pictures of any size; both kinds of the same 1, 3 or 4 channels, for G's encoder sees both."""

    Settings = CUTSettings
    translates = "unpaired"

    def __init__(self, settings: CUTSettings, spec: Spec) -> None:
        channels, size = spec.channels, (spec.height, spec.width)
        if spec.channels_in not in (0, channels):
            raise UserError(
                f"CUT compares patches of inputs and outputs, but inputs have {spec.channels_in} channels and targets "
                f"{channels}: give both the same with --channels and --channels-in, or take cyclegan"
            )
        recompute = spec.height * spec.width >= RECOMPUTE_FROM
        generator = ResNet(
            channels, channels, settings.filters, settings.blocks, settings.norm, 0.0, "blur", checkpoint=recompute
        )
        self.layers, self.patches, self.weight = settings.nce_layers, settings.nce_patches, settings.nce
        self.identity, self.flip = settings.nce_identity, settings.flip
        self.adversary = Adversary(settings)
        self.nets = {
            "G": generator,
            "D": discriminator(settings, channels, size),
            "F": PatchHeads(_widths(settings, channels, size), settings.nce_width),
        }
        self.groups = groups(settings, ("G", "F"), ("D",))
        self.extras = {}

    def step(self, batch: Batch, update: Update, clock: Clock) -> dict[str, Tensor]:
        """Train D, then G against it with its patches kept like the input's (equation 5, appendix C)."""
        G, D, adversary = self.nets["G"], self.nets["D"], self.adversary
        x, real = batch["A"], batch["B"]  # (B, C, H, W)
        flipped = self.flip and torch.rand(()).item() < 0.5

        fake = G(x.flip(3) if flipped else x)
        shown = adversary.shown(real), adversary.shown(fake)
        logits = adversary.judge(D, *shown)
        loss_d = adversary.d((logits[0], shown[0]), (logits[1], shown[1]))
        update(D=loss_d)

        real_logits = None
        if adversary.paired:
            with torch.no_grad():
                real_logits = D(real)
        adversarial = adversary.g(D(fake), real_logits)
        kept = self._nce(x, fake, flipped)
        scalars = {"loss/D": loss_d, "loss/G": adversarial, "loss/NCE": kept}
        if self.identity:
            scalars["loss/NCE_identity"] = self._nce(real, G(real))
            kept = (kept + scalars["loss/NCE_identity"]) / 2
        update(G=adversarial + self.weight * kept)
        return scalars | adversary.accuracies(*logits)

    def _nce(self, source: Tensor, made: Tensor, flipped: bool = False) -> Tensor:
        # PatchNCE of one picture and its translation, the mean over layers; the source is only looked at.
        encode, heads = cast(ResNet, self.nets["G"]).encode, self.nets["F"]
        queries: list[Tensor] = []
        keys: list[Tensor] = []
        with torch.no_grad():
            wanted = encode(source, self.layers)
        for layer, goal in zip(encode(made, self.layers), wanted, strict=True):
            count = goal.shape[2] * goal.shape[3]
            places = torch.randperm(count, device=goal.device)[: self.patches]
            queries.append(take_patches(layer.flip(3) if flipped else layer, places))
            keys.append(take_patches(goal, places))
        with torch.no_grad():
            keys = heads(keys)
        return torch.stack([patch_nce(q, k) for q, k in zip(heads(queries), keys, strict=True)]).mean()

    def infer(self, nets: Mapping[str, nn.Module], inputs: Batch) -> Tensor:
        """Turn pictures "image" of kind A into B, both (B, channels, H, W) in [-1, 1]."""
        return nets["G"](inputs["image"])


def _widths(settings: CUTSettings, channels: int, size: tuple[int, int]) -> list[int]:
    # the channels of the layers that are compared, found by a trial without arithmetic
    with torch.device("meta"):
        trial = ResNet(channels, channels, settings.filters, settings.blocks, settings.norm, resampling="blur")
        try:
            layers = trial.encode(torch.empty(1, channels, *size), settings.nce_layers)
        except ValueError as error:
            raise UserError(f"--nce-layers and --blocks do not fit: {error}") from error
    return [layer.shape[1] for layer in layers]

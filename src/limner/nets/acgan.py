"""AC-GAN's networks (arXiv 1610.09585): a generator that is told the class, a discriminator that also names it.

The layers are a project report's: doubling by repeated pixels and 3x3 convolutions, activation before BatchNorm.
"""

from __future__ import annotations

import itertools
import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.nets.norms import KERAS, norm_layer
from limner.nets.resample import ResizeConv

SMALLEST = 4  # px: how small the shorter side becomes inside, at the least
WIDEST = 8  # times the filters beside the picture
BOUND = 12.0  # of the logits of classes, either way: e^24 to 1 is sure enough


def doubled_widths(height: int, width: int, filters: int) -> tuple[int, ...]:
    """Filters from the innermost layer outwards, for as many halvings as bring the shorter side to 4 to 7 px."""
    halvings = max(1, int(math.log2(min(height, width) / SMALLEST)))
    return tuple(filters * min(WIDEST, 2**i) for i in reversed(range(halvings + 1)))


def halved(size: tuple[int, int], times: int) -> tuple[int, int]:
    """Height and width after being halved and rounded up so many times."""
    return -(-size[0] >> times), -(-size[1] >> times)


class Generator(nn.Module):
    """z (B, latent) and labels (B,) -> a picture's core -> [double, Conv3, ReLU, BatchNorm] -> Conv3, tanh.

    Each of `widths` but the first doubles the size; rows and columns beyond `size`, height and width, are cut off.
    """

    def __init__(
        self,
        widths: tuple[int, ...],
        size: tuple[int, int],
        channels: int,
        latent: int,
        classes: int,
        conditioning: Literal["product", "concatenation"],
    ) -> None:
        super().__init__()
        self.product = conditioning == "product"
        self.sizes = [halved(size, times) for times in reversed(range(len(widths)))]
        self.base = (*self.sizes[0], widths[0])
        self.embedding = nn.Embedding(classes, latent)
        self.project = nn.Linear(latent if self.product else 2 * latent, math.prod(self.base))
        self.begin = _finish(widths[0])
        self.rungs = nn.ModuleList(
            nn.Sequential(ResizeConv(before, after, smear_from=0), _finish(after))
            for before, after in itertools.pairwise(widths)
        )
        self.end = nn.Conv2d(widths[-1], channels, 3, padding=1)
        glorot_init(self)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Turn noise (B, latent) and numbers of classes (B,) into pictures (B, C, H, W) in [-1, 1]."""
        kind = self.embedding(labels)  # (B, latent)
        code = z * kind if self.product else torch.cat((z, kind), 1)
        x = self.begin(self.project(code).view(-1, *self.base).permute(0, 3, 1, 2))
        for rung, (height, width) in zip(self.rungs, self.sizes[1:], strict=True):
            x = rung(x)[..., :height, :width]
        return torch.tanh(self.end(x))


class Discriminator(nn.Module):
    """Pictures -> [Conv3, LeakyReLU 0.2, dropout, BatchNorm] -> a logit of the source, and logits of the classes.

    All but the innermost of `widths` halve the size; `norm=False` leaves BatchNorm out, for a critic. The logits of
    classes are cosines between features and each class's direction, times 12: bounded, so that neither side gains by
    growing its features without end, which is how an AC-GAN collapses late (ReACGAN, arXiv 2111.01118, section 3).
    """

    def __init__(
        self,
        widths: tuple[int, ...],
        size: tuple[int, int],
        channels: int,
        classes: int,
        dropout: float,
        norm: bool = True,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = channels
        for i, width in enumerate(reversed(widths)):
            stride = 2 if i < len(widths) - 1 else 1
            layers += [nn.Conv2d(before, width, 3, stride, 1), nn.LeakyReLU(0.2, inplace=True), nn.Dropout(dropout)]
            layers += [norm_layer("batch", width, **KERAS)] if norm and i > 0 else []
            before = width
        self.trunk = nn.Sequential(*layers)
        features = before * math.prod(halved(size, len(widths) - 1))
        self.source = nn.Linear(features, 1)
        self.classes = nn.Linear(features, classes, bias=False)
        glorot_init(self)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Judge pictures (B, C, H, W): logits of being real (B,), and of the classes (B, classes) within +-12."""
        features = self.trunk(x).permute(0, 2, 3, 1).flatten(1)  # channels last, so no copy
        cosines = F.linear(F.normalize(features.float()), F.normalize(self.classes.weight))
        return self.source(features).squeeze(1), BOUND * cosines


def glorot_init(net: nn.Module) -> None:
    """Draw weights as Keras does, uniform by fan-in and fan-out (Glorot and Bengio 2010), biases 0."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _finish(width: int) -> nn.Module:
    return nn.Sequential(nn.ReLU(inplace=True), norm_layer("batch", width, **KERAS))

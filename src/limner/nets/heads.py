"""The small networks of CUT (arXiv 2007.15651) that describe patches before they are compared."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from limner.nets.init import normal_init


class PatchHeads(nn.Module):
    """For each layer of an encoder a linear layer, ReLU, and a linear layer, all of `width`."""

    def __init__(self, channels: Sequence[int], width: int = 256) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(before, width), nn.ReLU(inplace=True), nn.Linear(width, width))
            for before in channels
        )
        normal_init(self)

    def forward(self, patches: Sequence[Tensor]) -> list[Tensor]:
        """Describe patches of every layer, (B, P, channels[i]) each, by vectors (B, P, width)."""
        return [head(layer) for head, layer in zip(self.heads, patches, strict=True)]

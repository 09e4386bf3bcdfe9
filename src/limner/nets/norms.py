"""Normalisation layers by name, and spectral normalisation of whole networks."""

from __future__ import annotations

import math
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations

Norm = Literal["batch", "instance", "group", "none"]
PER_GROUP = 16  # channels: the best fixed number in Group Normalization (arXiv 1803.08494), table 3
KERAS = {"momentum": 0.2, "eps": 1e-3}
"""the maps report's "BatchNormalization(momentum=0.8)": PyTorch's momentum is the newest batch's share"""


class InstanceNorm(nn.InstanceNorm2d):
    """InstanceNorm2d without gain and shift, computed the quick way when the batch is a single picture.

    There it is the same as normalising over the batch, for which PyTorch has a kernel that reads channels-last memory
    as it lies. The kernel of its own turns the memory round and back: ten times slower on a CPU.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__(channels, eps=eps, affine=False)

    def forward(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Give every channel of every picture (B, C, H, W) mean 0 and variance 1; ValueError for pictures of 1x1."""
        if x.shape[0] == 1:  # `len` would tie an exported graph to its batch
            return F.batch_norm(x, None, None, training=True, eps=self.eps)
        return F.instance_norm(x, eps=self.eps)


def norm_layer(name: Norm, channels: int, momentum: float = 0.1, eps: float = 1e-5) -> nn.Module:
    """Build a normalisation of `channels` channels; ValueError when there is none of that name.

    `momentum`, the share of the newest batch in the running statistics, is BatchNorm's only.
    """
    if name == "batch":
        return nn.BatchNorm2d(channels, eps, momentum)
    if name == "instance":
        return InstanceNorm(channels, eps)
    if name == "group":
        return nn.GroupNorm(channels // math.gcd(channels, PER_GROUP), channels, eps)
    if name == "none":
        return nn.Identity()
    raise ValueError(f"no normalisation is called {name!r}: batch, instance, group or none")


def wants_bias(name: Norm) -> bool:
    """Whether the convolution before this normalisation has a bias: only where the normalisation has no shift."""
    return name in ("instance", "none")


def spectral(net: nn.Module) -> None:
    """Divide every weight of `net` by its largest singular value (arXiv 1802.05957), from now on.

    Initialise first: the weight that is left to see is the quotient. Every forward pass in training improves the
    estimate of that value by a step, so the second run that checkpointing makes would meet other weights.
    """
    for module in list(net.modules()):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            parametrizations.spectral_norm(module)

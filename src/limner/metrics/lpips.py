"""Learned perceptual distance of pairs (LPIPS 0.1 on AlexNet)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn

from limner.core import weights as published
from limner.core.images import to_float
from limner.metrics.metric import PairMetric
from limner.metrics.pairs import to_tensors
from limner.nets.alexnet import LEAST_SIDE, STAGES, AlexNet

# the mean and spread of ImageNet's colours, for pictures in [-1, 1]
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
EPSILON = 1e-10


def lpips(real: Sequence[Tensor], fake: Sequence[Tensor], heads: Sequence[Tensor]) -> Tensor:
    """Weighted squared distance of two pictures' activations, each (B, C_i, h_i, w_i) per stage i: (B,).

    Activations are scaled to length 1 over their channels; `heads`, (C_i,) per stage, weigh the squared differences,
    which are averaged over places and summed over stages.
    Source: Zhang et al., arXiv 1801.03924, equation 1.
    """
    distances = [
        ((_unit(x) - _unit(y)).square() * head[:, None, None]).sum(1).mean((1, 2))
        for x, y, head in zip(real, fake, heads, strict=True)
    ]
    return torch.stack(distances).sum(0)


class PerceptualDistance(nn.Module):
    """LPIPS as a network: two pictures to their distance; the gradient flows, so that it serves as a loss too."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = AlexNet()
        self.heads = nn.ParameterList(torch.zeros(channels) for channels in STAGES)

    @classmethod
    def load(cls, path: Path) -> PerceptualDistance:
        """Read the weights, `features.N.*` and `heads.linN.model.1.weight`, from a safetensors file."""
        given = safetensors.torch.load_file(path)
        state = {f"trunk.{name}": tensor for name, tensor in given.items() if name.startswith("features.")}
        state |= {f"heads.{i}": given[f"heads.lin{i}.model.1.weight"].flatten() for i in range(len(STAGES))}
        with torch.device("meta"):  # neither draws random numbers, which a run in training would miss, nor takes time
            network = cls()
        network.load_state_dict(state, assign=True)
        return network.eval().requires_grad_(False)

    def forward(self, real: Tensor, fake: Tensor) -> Tensor:
        """Compare pictures (B, 3 or 1, H, W) in [-1, 1], H and W at least 31: distances (B,), 0 for equal ones."""
        # both hold three colours, so a grey picture becomes a colour one here
        shift, scale = (real.new_tensor(values)[:, None, None] for values in (SHIFT, SCALE))
        stages = self.trunk((torch.cat([real, fake]) - shift) / scale)
        halves = [stage.chunk(2) for stage in stages]
        return lpips([x for x, _ in halves], [y for _, y in halves], list(self.heads))


class Lpips(PairMetric):
    """Learned perceptual distance: 0 for equal pictures, some 0.5 to 0.6 for photographs of two different houses.

    The weights are looked up when they are first needed: in the file `weights`, in LIMNER_DATA, in the cache, or on the
    net where `download` allows it. `prepare` does so at once.
    """

    better: ClassVar[Literal["lower", "higher"]] = "lower"
    title: ClassVar[str] = "LPIPS (AlexNet)"
    weights: ClassVar[str] = f"LPIPS {published.LPIPS_ALEX.files[0].sha256[:8]}"
    least_side: ClassVar[int] = LEAST_SIDE

    def __init__(self, weights: Path | None = None, download: bool = False, device: str = "cpu") -> None:
        self._weights = weights
        self._download = download
        self._device = device
        self._network: PerceptualDistance | None = None

    def prepare(self) -> PerceptualDistance:
        """Find and load the weights now, so that their absence shows before hours of work rather than after.

        Errors: UserError that says what to fetch when they are nowhere, or when the file is another one.
        """
        if self._network is None:
            path = published.find(published.LPIPS_ALEX, self._weights, self._download)
            self._network = PerceptualDistance.load(path).to(self._device)
        return self._network

    def score(self, real: np.ndarray, fake: np.ndarray) -> np.ndarray:
        """Score pairs of pictures, uint8 (B, H, W, C), grey ones as colour: float64 (B,), from 0.

        Errors: UserError for pictures of different shapes or with a side below 31 pixels, and those of `prepare`.
        """
        x, y = (to_float(pixels.to(self._device)) for pixels in to_tensors(self, real, fake))
        network = self.prepare()
        with torch.inference_mode():
            return network(x, y).double().cpu().numpy()


def _unit(x: Tensor) -> Tensor:
    # vector_norm and not a root of a sum: where all channels are 0, its gradient is 0 and the root's is not a number
    return x / (torch.linalg.vector_norm(x, dim=1, keepdim=True) + EPSILON)

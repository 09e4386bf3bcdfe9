"""AlexNet's convolutions, the eyes of LPIPS."""

from __future__ import annotations

from torch import Tensor, nn

STAGES = (64, 192, 384, 256, 256)  # channels after each ReLU
LEAST_SIDE = 31  # below this the second pooling has nothing left to pool


class AlexNet(nn.Module):
    """The five convolutions of the one-column AlexNet ("One weird trick", arXiv 1404.5997), without its dense layers.

    The layers bear the numbers by which the published ImageNet weights name them: features.0, 3, 6, 8 and 10.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, STAGES[0], 11, stride=4, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(STAGES[0], STAGES[1], 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(STAGES[1], STAGES[2], 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(STAGES[2], STAGES[3], 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(STAGES[3], STAGES[4], 3, padding=1),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """Turn pictures (B, 3, H, W), H and W at least LEAST_SIDE, into what each of the five ReLUs lets through."""
        stages = []
        for layer in self.features:
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                stages.append(x)
        return stages  # (B, STAGES[i], h_i, w_i)

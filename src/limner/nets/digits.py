"""A small classifier of handwritten digits, whose inner values serve as features of digits."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SIDE = 28
FEATURES = 128
ANSWERS = 10


class DigitClassifier(nn.Module):
    """Digits (B, 1, 28, 28) in [0, 1], white on black, to ten logits; 110,106 parameters.

    Three stages of 3x3 convolution, batch norm, ReLU and max pool, then a hidden layer of 128 values: the features.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.Sequential(*_stage(1, 16), *_stage(16, 48), *_stage(48, 64))  # (B, 64, 3, 3)
        self.hidden = nn.Linear(64 * 9, FEATURES)
        self.dropout = nn.Dropout(0.3)
        self.output = nn.Linear(FEATURES, ANSWERS)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.dropout(self.features(x)))

    def features(self, x: Tensor) -> Tensor:
        """The hidden layer's values (B, 128), from 0."""
        return torch.relu(self.hidden(self.stages(x).flatten(1)))


def _stage(fan_in: int, fan_out: int) -> list[nn.Module]:
    return [
        nn.Conv2d(fan_in, fan_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(fan_out),
        nn.ReLU(),
        nn.MaxPool2d(2),
    ]

"""How weights begin."""

from __future__ import annotations

from torch import nn


def normal_init(net: nn.Module, deviation: float = 0.02) -> None:
    """Draw weights from N(0, 0.02) and norm gains from N(1, 0.02), biases 0 (DCGAN, arXiv 1511.06434, section 4)."""
    for module in net.modules():
        if any(weight.is_meta for weight in module.parameters(recurse=False)):
            continue  # a network of shapes alone: there is nothing to draw, and PyTorch would load its compiler for it
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, deviation)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, deviation)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)

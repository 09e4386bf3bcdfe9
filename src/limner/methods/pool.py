"""The pool of earlier fakes that a discriminator is shown again (CycleGAN, arXiv 1703.10593, section 4)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Pool:
    """Up to `size` earlier fakes; a size of 0 keeps none and hands every fake through.

    The first `size` fakes are kept and handed through. From then on each fake is, half the time, swapped for a kept
    one (which it replaces), and else handed through. What is random comes from torch's global generator.
    """

    def __init__(self, size: int = 50) -> None:
        self.size = size
        self.kept: list[Tensor] = []  # (C, H, W) each

    def swap(self, fakes: Tensor) -> Tensor:
        """Take fakes (B, C, H, W) in and give as many out, detached."""
        if not self.size:
            return fakes.detach()
        chances = torch.rand(len(fakes)).tolist()  # on the CPU, whose generator every device's run has
        places = torch.randint(self.size, (len(fakes),)).tolist()
        given: list[Tensor] = []
        for fake, chance, place in zip(fakes.detach(), chances, places, strict=True):
            if len(self.kept) < self.size:
                self.kept.append(fake.clone())  # a view would keep the whole batch alive, and be saved with it
                given.append(fake)
            elif chance < 0.5:
                given.append(self.kept[place].to(fake))
                self.kept[place] = fake.clone()
            else:
                given.append(fake)
        return torch.stack(given).contiguous(memory_format=_format(fakes))

    def state_dict(self) -> dict[str, Any]:
        """The fakes that are kept."""
        return {"kept": list(self.kept)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where `state_dict` was taken."""
        self.kept = list(state["kept"])


def _format(pictures: Tensor) -> torch.memory_format:
    last = pictures.is_contiguous(memory_format=torch.channels_last) and not pictures.is_contiguous()
    return torch.channels_last if last else torch.contiguous_format

"""Whether D knows its pictures by heart: what it says of those it learns from, beside others that were held out."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from limner.core import rng
from limner.core.contract import Method
from limner.core.images import to_float
from limner.engine.augmentation import D
from limner.engine.hooks import Journal
from limner.engine.training import Training

BATCH = 50


class HeldOut:
    """Compares every `every` images how the averaged D takes pictures it was trained on, held-out ones, and fakes.

    The gap is (E D(trained on) - E D(held out)) / (E D(trained on) - E D(fakes)): 0 where D does not care whether it
    has seen a picture, 1 where it takes an unseen one for a fake (ADA, arXiv 2006.06676, equation 1). Pictures are
    {"image": uint8 (N, C, H, W)} and "label", int64 (N,), where the data has classes.
    """

    def __init__(
        self, journal: Journal, every: int, learned: Mapping[str, np.ndarray], held_out: Mapping[str, np.ndarray]
    ) -> None:
        self.journal = journal
        self.every = every
        self.learned, self.held_out = learned, held_out

    def due(self, training: Training) -> bool:
        """Whether the step crossed a multiple of `every`."""
        return training.clock.due(self.every) or training.clock.done

    @torch.inference_mode()
    def __call__(self, training: Training) -> None:
        """Write one line, and a word when the gap stays wide; rank 0 only."""
        if not training.ranks.first:
            return
        judge, method, device = training.ema.nets[D], training.method, training.machine.device
        learned, held_out = (_opinions(judge, method, _parts(set, device)) for set in (self.learned, self.held_out))
        fakes = _opinions(judge, method, self._fakes(training))
        apart = max(_mean(learned) - _mean(fakes), learned.std().item(), 1e-6)  # no gap where D tells nothing apart
        gap = (_mean(learned) - _mean(held_out)) / apart
        if not math.isfinite(gap):
            return
        opinions = {"learned_from": _mean(learned), "held_out": _mean(held_out), "fake": _mean(fakes)}
        values = {f"opinion/{name}": round(value, 4) for name, value in opinions.items()}
        self.journal.write("held-out", training, **values, **{"overfitting/gap": round(gap, 4)})
        self.journal.report(training, training.health.see_gap(gap))

    def _fakes(self, training: Training) -> list[dict[str, Tensor]]:
        method, device = training.method, training.machine.device
        nets = {name: training.ema.nets[name] for name in method.portable}
        generator = torch.Generator().manual_seed(rng.derive(0, "fakes beside held-out pictures"))
        parts = []
        for part in _parts(self.held_out, device):
            z = torch.randn(len(part["image"]), method.latent, generator=generator).to(device)
            made = method.infer(nets, {"z": z, **{name: part[name] for name in part if name == "label"}})
            parts.append({**part, "image": made})
        return parts


def _parts(pictures: Mapping[str, np.ndarray], device: str) -> list[dict[str, Tensor]]:
    parts = []
    for start in range(0, len(pictures["image"]), BATCH):
        part = {name: torch.from_numpy(array[start : start + BATCH]).to(device) for name, array in pictures.items()}
        parts.append({**part, "image": to_float(part["image"])})
    return parts


def _opinions(judge: nn.Module, method: Method, parts: list[dict[str, Tensor]]) -> Tensor:
    # (N,). A discriminator that asks for a label is given it; of several outputs the first is about real and fake.
    labelled = method.conditional and "label" in inspect.signature(judge.forward).parameters
    found = []
    for part in parts:
        judged = judge(part["image"], part["label"]) if labelled else judge(part["image"])
        while isinstance(judged, list | tuple):
            judged = judged[0]
        found.append(judged.float().flatten(1).mean(1) if judged.dim() > 1 else judged.float())
    return torch.cat(found)


def _mean(opinions: Tensor) -> float:
    return opinions.mean().item()

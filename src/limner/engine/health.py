"""What a person who knows GANs would say on seeing the curves and the samples: words, not numbers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np


class Diverged(Exception):
    """A loss or a weight became NaN or infinite."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that looks wrong: a word for the bar and a sentence of advice for the report."""

    word: str
    advice: str


WON = Finding(
    "discriminator has won",
    "D tells nearly every picture apart and G no longer learns from it. Lower --lr-d, let G step more often "
    "(--d-per-g 0.5), or try another --loss.",
)
COLLAPSED = Finding(
    "generator collapsed",
    "The samples have become almost one picture. Go back to an earlier sheet, lower both learning rates, or use a "
    "larger --batch.",
)
CONSTANT = Finding(
    "outputs constant",
    "Every sample is one flat colour. If it stays so, lower the learning rates or start again with another --seed.",
)
SATURATED = Finding(
    "outputs saturated",
    "Nearly all pixels are pure black or white although the data's are not. Lower --lr-g.",
)
OVERFIT = Finding(
    "discriminator overfits",
    "D knows the training pictures by heart: it takes real ones that it has not seen nearly for fakes, and G can only "
    "copy. Train with --augment diff or adaptive, with more pictures, or for less long; the best checkpoint is kept.",
)


class Health:
    """Watches the logged scalars and the sample sheets; its memory is part of a checkpoint.

    A finding is reported when it appears, and again only after it had gone.
    """

    WON_ACCURACY = 0.97  # a run that gained nothing more stayed above it for 41 lines, a healthy one for 2
    WON_FOR = 20  # log lines in a row
    COLLAPSED_SHARE = 0.15  # of the variety of real pictures, after it was once twice that
    COLLAPSED_FOR = 2  # sheets in a row: one is what a generator looks like whose turn comes after an autoencoder's
    FLAT = 0.02  # deviation within a picture, of a range of 2
    FLAT_FOR = 4  # sheets in a row, and not before FLAT_AFTER images: every run begins with flat grey ones
    FLAT_AFTER = 3_000
    OVERFIT_GAP = 0.5  # of the way from training pictures to fakes, where D places real ones that it has not seen
    OVERFIT_FOR = 3  # looks in a row
    SATURATED_BEYOND = 0.995  # share of pixels at the ends of the range

    def __init__(self, real: np.ndarray) -> None:
        """Learn what is normal from some real pictures, uint8 (N, C, H, W)."""
        self.real_variety, _, self.real_saturation = _describe(real)
        self.won_for = 0
        self.flat_for = 0
        self.fallen_for = 0
        self.overfit_for = 0
        self.best_variety = 0.0
        self.present: set[str] = set()

    def see_scalars(self, scalars: Mapping[str, float]) -> list[Finding]:
        """Look at one log line; return what is newly wrong."""
        real, fake = scalars.get("accuracy/real"), scalars.get("accuracy/fake")
        if real is not None and fake is not None and not math.isnan(real + fake):
            self.won_for = self.won_for + 1 if min(real, fake) > self.WON_ACCURACY else 0
        return self._changes({WON: self.won_for >= self.WON_FOR})

    def see_samples(self, pictures: np.ndarray, images: int) -> list[Finding]:
        """Look at a sheet of samples, uint8 (N, C, H, W) of fixed latents, made after this many images of training."""
        variety, flatness, saturation = _describe(pictures)
        share = variety / max(self.real_variety, 1e-6)
        self.best_variety = max(self.best_variety, share)
        self.flat_for = self.flat_for + 1 if flatness < self.FLAT else 0
        constant = self.flat_for >= self.FLAT_FOR and images >= self.FLAT_AFTER
        fallen = share < self.COLLAPSED_SHARE and self.best_variety > 2 * self.COLLAPSED_SHARE
        self.fallen_for = self.fallen_for + 1 if fallen else 0
        collapsed = self.fallen_for >= self.COLLAPSED_FOR and not constant
        saturated = saturation > max(self.SATURATED_BEYOND, self.real_saturation + 0.02)
        return self._changes({CONSTANT: constant, COLLAPSED: collapsed, SATURATED: saturated})

    def see_gap(self, gap: float) -> list[Finding]:
        """Look at how much worse D takes held-out pictures: 0 no worse, 1 for fakes; return what is newly wrong."""
        self.overfit_for = self.overfit_for + 1 if gap > self.OVERFIT_GAP else 0
        return self._changes({OVERFIT: self.overfit_for >= self.OVERFIT_FOR})

    def state_dict(self) -> dict[str, Any]:
        """What it remembers."""
        counts = ("won_for", "flat_for", "fallen_for", "overfit_for")
        memory = {name: getattr(self, name) for name in counts}
        return {**memory, "best_variety": self.best_variety, "present": sorted(self.present)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where `state_dict` was taken."""
        self.won_for, self.flat_for = state["won_for"], state["flat_for"]
        self.fallen_for = state.get("fallen_for", 0)  # like the next, absent from the first checkpoints
        self.overfit_for = state.get("overfit_for", 0)
        self.best_variety = state["best_variety"]
        self.present = set(state["present"])

    def _changes(self, verdicts: Mapping[Finding, bool]) -> list[Finding]:
        new = [finding for finding, wrong in verdicts.items() if wrong and finding.word not in self.present]
        for finding, wrong in verdicts.items():
            (self.present.add if wrong else self.present.discard)(finding.word)
        return new


def _describe(pictures: np.ndarray) -> tuple[float, float, float]:
    # Variety among pictures, contrast within one, and share of pixels at the ends; on the scale of [-1, 1].
    scaled = pictures.astype(np.float32) / 127.5 - 1.0
    variety = float(scaled.std(axis=0).mean())
    flatness = float(scaled.reshape(len(scaled), -1).std(axis=1).mean())
    return variety, flatness, float(np.mean((pictures <= 1) | (pictures >= 254)))

"""Numbers that change over a run."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal


@dataclasses.dataclass(frozen=True)
class Schedule:
    """A number that goes from `start` to `end` while the run's progress goes from `begin` to `finish`.

    Constant before and after; progress is the share of the run in [0, 1]. A geometric schedule, whose ends are both
    above 0, changes by the same factor in equal times.
    """

    start: float
    end: float
    begin: float = 0.0
    finish: float = 1.0
    shape: Literal["linear", "cosine", "geometric"] = "linear"

    def __call__(self, progress: float) -> float:
        """The number at this progress."""
        if progress <= self.begin:
            return self.start
        if progress >= self.finish:
            return self.end
        share = (progress - self.begin) / (self.finish - self.begin)
        if self.shape == "geometric":
            return self.start * (self.end / self.start) ** share
        if self.shape == "cosine":
            share = 0.5 - 0.5 * math.cos(math.pi * share)
        return self.start + (self.end - self.start) * share


def constant(value: float) -> Schedule:
    """A number that stays."""
    return Schedule(value, value)

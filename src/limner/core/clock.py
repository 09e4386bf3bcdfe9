"""One clock: the number of images seen drives every schedule, seed and due date."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass
class Clock:
    """How far a training run is, counted in images that all ranks together have seen.

    `total` is the length of the whole run; `previous` is the count before the last step.
    """

    total: int
    images: int = 0
    previous: int = 0

    @property
    def progress(self) -> float:
        """Share of the run that is done, in [0, 1]."""
        return min(1.0, self.images / max(1, self.total))

    @property
    def done(self) -> bool:
        """Whether the run has seen all its images."""
        return self.images >= self.total

    def advance(self, count: int) -> None:
        """Count one step of `count` images."""
        self.previous = self.images
        self.images += count

    def due(self, every: int) -> bool:
        """Whether the last step crossed a multiple of `every` images, or ended the run."""
        if self.images == self.previous:
            return False
        return self.done or self.images // every > self.previous // every

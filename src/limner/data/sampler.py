"""Which pictures a batch holds: a function of the seed and the number of images seen."""

from __future__ import annotations

import functools

import numpy as np

from limner.core import rng


class Sampler:
    """The endless sequence of pictures of a run: every epoch shows each of `count` once, in an order of its own.

    A batch of `batch` pictures may begin anywhere and runs on across the border of epochs, so that it is always full.
    Of it, rank r of `world` takes the r-th contiguous slice.
    """

    def __init__(self, count: int, seed: int, batch: int, rank: int = 0, world: int = 1) -> None:
        self.count = count
        self.seed = seed
        self.first = rank * batch // world
        self.last = (rank + 1) * batch // world
        self._clear()

    def __call__(self, images: int) -> tuple[np.ndarray, np.ndarray]:
        """Epochs and indices, both int64 (b,), of this rank's share of the batch that begins after `images` images."""
        positions = np.arange(images + self.first, images + self.last, dtype=np.int64)
        epochs, places = positions // self.count, positions % self.count
        indices = np.empty_like(places)
        for epoch in np.unique(epochs).tolist():
            here = epochs == epoch
            indices[here] = self._order(epoch)[places[here]]
        return epochs, indices

    def _clear(self) -> None:
        # a batch touches two epochs at most, unless the set is smaller than a batch
        self._order = functools.lru_cache(maxsize=2)(functools.partial(rng.permutation, self.seed, count=self.count))

    def __getstate__(self) -> dict[str, int]:
        return {name: value for name, value in vars(self).items() if name != "_order"}

    def __setstate__(self, state: dict[str, int]) -> None:
        vars(self).update(state)
        self._clear()

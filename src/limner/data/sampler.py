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


class WindowSampler:
    """The endless sequence of pictures that one rank sees of a set that is read in pieces, a few of them at a time.

    `starts` are the numbers of the first pictures of the pieces, and of all. The pieces are dealt out to the ranks by
    the seed, each rank as many pictures as every other, give or take one; in every epoch of its own a rank goes through
    its pieces in another order and, of OPEN pieces at a time, through their pictures in another order. So where it is
    follows from the images seen, and no more than OPEN pieces are needed at once.
    """

    OPEN = 4

    def __init__(self, starts: np.ndarray, seed: int, batch: int, rank: int = 0, world: int = 1) -> None:
        self.seed, self.rank = seed, rank
        self.batch, self.share = batch, (rank + 1) * batch // world - rank * batch // world
        total = int(starts[-1])
        low, high = (rank * total // world, (rank + 1) * total // world) if total >= world else (0, total)
        dealt = np.random.default_rng(rng.derive(seed, "dealt")).permutation(len(starts) - 1)
        lengths = np.diff(starts)[dealt]
        begin = np.cumsum(lengths) - lengths
        first, last = np.maximum(low - begin, 0), np.minimum(high - begin, lengths)
        mine = first < last
        self.pieces = np.stack([(starts[dealt] + first)[mine], (starts[dealt] + last)[mine]], 1)  # (P, 2)
        self.count = high - low
        self._clear()

    def __call__(self, images: int) -> tuple[np.ndarray, np.ndarray]:
        """Epochs of this rank and indices, both int64 (b,), of its share of the batch after `images` images."""
        first = images * self.share // self.batch
        positions = np.arange(first, first + self.share, dtype=np.int64)
        epochs, places = positions // self.count, positions % self.count
        indices = np.empty_like(places)
        for epoch in np.unique(epochs).tolist():
            ends = self._order(epoch)[1]
            windows = np.searchsorted(ends, places, side="right")
            for window in np.unique(windows[epochs == epoch]).tolist():
                here = (epochs == epoch) & (windows == window)
                rows = self._window(epoch, window)
                indices[here] = rows[places[here] - int(ends[window]) + len(rows)]
        return epochs, indices

    def _pieces_of(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        # the pieces in the order of an epoch, and how many pictures there are up to the end of each window
        draw = np.random.default_rng(rng.derive(self.seed, "pieces", self.rank, epoch))
        order = self.pieces[draw.permutation(len(self.pieces))]
        ends = np.cumsum(order[:, 1] - order[:, 0])
        return order, np.append(ends[self.OPEN - 1 : -1 : self.OPEN], ends[-1])

    def _rows_of(self, epoch: int, window: int) -> np.ndarray:
        pieces = self._order(epoch)[0][window * self.OPEN : (window + 1) * self.OPEN]
        rows = np.concatenate([np.arange(first, last) for first, last in pieces.tolist()])
        return np.random.default_rng(rng.derive(self.seed, "rows", self.rank, epoch, window)).permutation(rows)

    def _clear(self) -> None:
        self._order = functools.lru_cache(maxsize=2)(self._pieces_of)
        self._window = functools.lru_cache(maxsize=2)(self._rows_of)

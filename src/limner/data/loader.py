"""From the store to batches of tensors, in this process or in worker processes, always the same bytes."""

from __future__ import annotations

import collections
import itertools
import math
import mmap
import signal
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from limner.core import rng
from limner.core.errors import UserError
from limner.data import transforms
from limner.data.lazy import LazyPixels
from limner.data.pair_store import PairStore
from limner.data.sampler import Sampler, WindowSampler
from limner.data.store import Store
from limner.data.transforms import STILL, Variety

AHEAD = 4  # batches that each worker prepares in advance
MOST_AHEAD, AHEAD_BYTES = 64, 256_000_000  # of a stream: enough to go on with while the next pieces are read


class Pixels:
    """A store's pictures on their way to a worker: uint8 (N, C, H, W), read by an array of indices into a copy.

    Pickled for a spawned worker they stay where they are: a memory map is opened again by its path, an array lies in
    shared memory.
    """

    def __init__(self, array: np.ndarray | LazyPixels) -> None:
        self.array = array if isinstance(array, LazyPixels) else np.asarray(array)
        self.path: Path | None = None
        if isinstance(array, np.memmap) and isinstance(array.base, mmap.mmap):  # whole, not a slice
            self.path = Path(str(array.filename))
        self.shared: Tensor | None = None

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        return self.array[indices]

    def __getstate__(self) -> dict[str, Any]:
        if self.path is None and self.shared is None:
            self._share()
        return {"path": self.path, "shared": self.shared}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.array = np.asarray(np.load(self.path, mmap_mode="r")) if self.path else state["shared"].numpy()

    def _share(self) -> None:
        assert isinstance(self.array, np.ndarray)  # a stream needs no other processes
        try:
            self.shared = torch.empty(self.array.shape, dtype=torch.uint8).share_memory_()
        except RuntimeError as error:
            raise UserError(
                f"loader workers need {self.array.nbytes / 1e6:,.0f} MB of shared memory, which this machine does not "
                "give (containers often limit it): run with --workers 0, or give the container more."
            ) from error
        self.shared.numpy()[...] = self.array
        self.array = self.shared.numpy()


class Batches(Dataset[dict[str, Tensor]]):
    """For every number of images seen, the batch that comes next.

    A batch is {"image": uint8 (b, C, H, W)} and, where there are classes, "label": int64 (b,). `rows` are those of the
    store that the sampler goes through; None: all.
    """

    def __init__(
        self, store: Store, sampler: Sampler | WindowSampler, variety: Variety = STILL, rows: np.ndarray | None = None
    ) -> None:
        self.pixels, self.labels, self.size, self.rows = Pixels(store.pixels), store.labels, store.size, rows
        self.sampler, self.variety = sampler, variety

    def __getitem__(self, images: int) -> dict[str, Tensor]:
        epochs, indices = self.sampler(images)
        drawn = transforms.Draws(self.sampler.seed, epochs, indices)
        indices = indices if self.rows is None else self.rows[indices]
        batch = {"image": torch.from_numpy(transforms.vary(self.pixels[indices], self.size, self.variety, drawn))}
        if self.labels is not None:
            batch["label"] = torch.from_numpy(self.labels[indices])
        return batch


class PairBatches(Dataset[dict[str, Tensor]]):
    """Batches of two kinds: {"A": uint8 (b, C, H, W), "B": uint8 (b, C', H, W)}.

    Pairs share every draw; of two independent sets the larger one is gone through in order, and the other drawn at
    random. With `copies` above 1 a pair comes that often in an epoch, each time with A varied and B left alone.
    """

    def __init__(self, stores: PairStore, sampler: Sampler, variety: Variety = STILL) -> None:
        self.a, self.b = Pixels(stores.a.pixels), Pixels(stores.b.pixels)
        self.counts, self.size = (stores.a.count, stores.b.count), stores.size
        self.rows_a, self.rows_b = stores.rows_a, stores.rows_b
        self.paired, self.copies = stores.paired, stores.copies
        self.sampler, self.variety = sampler, variety

    def __getitem__(self, images: int) -> dict[str, Tensor]:
        seed = self.sampler.seed
        epochs, positions = self.sampler(images)
        drawn_a = drawn_b = transforms.Draws(seed, epochs, positions)
        variety_b = self.variety if self.copies == 1 else STILL
        if self.paired:
            in_a, in_b = self.rows_a[positions // self.copies], self.rows_b[positions // self.copies]
        else:
            chance = rng.uniforms(seed, "partner", epochs, positions, 1)[:, 0]
            in_a, in_b = ((chance * count).astype(np.int64) for count in self.counts)
            if self.counts[0] >= self.counts[1]:
                in_a = positions
            else:
                in_b = positions
            drawn_b = transforms.Draws(seed, epochs, positions, "B")
        a = transforms.vary(self.a[in_a], self.size, self.variety, drawn_a)
        b = transforms.vary(self.b[in_b], self.size, variety_b, drawn_b)
        return {"A": torch.from_numpy(a), "B": torch.from_numpy(b)}


class Loader:
    """Batches for one rank, from any moment of the run on.

    `batch` counts the pictures of all ranks together; with `workers` of 0 batches are made in this process, else in
    spawned ones, ahead of time; those of a stream come from a thread. `rows` are those of a store of one kind that are
    used. The bytes depend on these, the store, seed, batch, rank and world alone.
    """

    def __init__(
        self,
        store: Store | PairStore,
        seed: int,
        batch: int,
        rank: int = 0,
        world: int = 1,
        variety: Variety = STILL,
        workers: int = 0,
        pin: bool = False,
        rows: np.ndarray | None = None,
    ) -> None:
        sampler = Sampler(store.count if rows is None else len(rows), seed, batch, rank, world)
        self.batches: Dataset[dict[str, Tensor]]
        self.ahead = 0  # of a stream, whose pieces are read while the loop works on what came before
        if isinstance(store, PairStore):
            self.batches = PairBatches(store, sampler, variety)
        elif store.windows is not None:
            starts = store.windows if rows is None else np.searchsorted(rows, store.windows)
            by_window = WindowSampler(starts, seed, batch, rank, world)
            self.batches = Batches(store, by_window, variety, rows)
            self.ahead = max(
                AHEAD, min(MOST_AHEAD, AHEAD_BYTES // (by_window.share * math.prod(store.pixels.shape[1:])))
            )
        else:
            self.batches = Batches(store, sampler, variety, rows)
        self.batch = batch
        self.workers = workers
        self.pin = pin

    def start(self, images: int) -> Generator[dict[str, Tensor], None, None]:
        """Yield batches without end, beginning after `images` images; closing the iterator ends its workers."""
        positions = itertools.count(images, self.batch)
        if self.ahead:
            yield from self._stream(positions)
        elif self.workers > 0:
            yield from DataLoader(
                self.batches,
                batch_size=None,
                sampler=positions,
                num_workers=self.workers,
                multiprocessing_context="spawn",  # as everywhere but on Linux; forking a threaded process may hang
                prefetch_factor=AHEAD,
                worker_init_fn=_prepare_worker,
                pin_memory=self.pin,
                generator=torch.Generator(),  # else it would take a number from the loop's
            )
        for position in positions:
            yield self._pinned(self.batches[position])

    def _stream(self, positions: Iterator[int]) -> Generator[dict[str, Tensor], None, None]:
        # one thread, not processes, so that each row group is read once; decoding has threads of its own
        pool, waiting = ThreadPoolExecutor(1), collections.deque()
        try:
            for position in positions:
                waiting.append(pool.submit(self.batches.__getitem__, position))
                if len(waiting) > self.ahead:
                    yield self._pinned(waiting.popleft().result())
        finally:
            pool.shutdown(cancel_futures=True)

    def _pinned(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: tensor.pin_memory() for name, tensor in batch.items()} if self.pin else batch


def _prepare_worker(worker: int) -> None:
    torch.set_flush_denormal(True)
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the loop, which then ends its workers

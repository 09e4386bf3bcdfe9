"""From the store to batches of tensors, in this process or in worker processes, always the same bytes."""

from __future__ import annotations

import itertools
import mmap
import signal
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from limner.core.errors import UserError
from limner.data import transforms
from limner.data.sampler import Sampler
from limner.data.store import Store

AHEAD = 4  # batches that each worker prepares in advance


class Batches(Dataset[dict[str, Tensor]]):
    """For every number of images seen, the batch that comes next.

    A batch is {"image": uint8 (b, C, H, W)} and, where there are classes, "label": int64 (b,). Pickled for a spawned
    worker it leaves its pixels behind: a memory map is opened again by its path, an array lies in shared memory.
    """

    def __init__(self, store: Store, sampler: Sampler, mirror: bool = False) -> None:
        self.pixels = np.asarray(store.pixels)  # (N, C, H, W)
        self.path: Path | None = None
        if isinstance(store.pixels, np.memmap) and isinstance(store.pixels.base, mmap.mmap):  # whole, not a slice
            self.path = Path(str(store.pixels.filename))
        self.shared: Tensor | None = None
        self.labels = store.labels
        self.size = store.size
        self.sampler = sampler
        self.mirror = mirror

    def __getitem__(self, images: int) -> dict[str, Tensor]:
        epochs, indices = self.sampler(images)
        pixels = self.pixels[indices]  # (b, C, H, W), a copy
        if self.mirror or pixels.shape[2:] != (self.size.height, self.size.width):
            drawn = transforms.draws(self.sampler.seed, epochs, indices)
            pixels = transforms.crop(pixels, self.size, drawn)
            pixels = transforms.mirror(pixels, drawn) if self.mirror else pixels
        batch = {"image": torch.from_numpy(pixels)}
        if self.labels is not None:
            batch["label"] = torch.from_numpy(self.labels[indices])
        return batch

    def __getstate__(self) -> dict[str, Any]:
        if self.path is None and self.shared is None:
            self._share()
        return {name: value for name, value in vars(self).items() if name != "pixels"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.pixels = np.asarray(np.load(self.path, mmap_mode="r")) if self.path else state["shared"].numpy()

    def _share(self) -> None:
        try:
            self.shared = torch.empty(self.pixels.shape, dtype=torch.uint8).share_memory_()
        except RuntimeError as error:
            raise UserError(
                f"loader workers need {self.pixels.nbytes / 1e6:,.0f} MB of shared memory, which this machine does not "
                "give (containers often limit it): run with --workers 0, or give the container more."
            ) from error
        self.shared.numpy()[...] = self.pixels
        self.pixels = self.shared.numpy()


class Loader:
    """Batches for one rank, from any moment of the run on.

    `batch` counts the pictures of all ranks together; with `workers` of 0 batches are made in this process, else in
    spawned ones, ahead of time. The bytes depend on the store, seed, batch, rank and world alone.
    """

    def __init__(
        self,
        store: Store,
        seed: int,
        batch: int,
        rank: int = 0,
        world: int = 1,
        mirror: bool = False,
        workers: int = 0,
        pin: bool = False,
    ) -> None:
        self.batches = Batches(store, Sampler(store.count, seed, batch, rank, world), mirror)
        self.batch = batch
        self.workers = workers
        self.pin = pin

    def start(self, images: int) -> Generator[dict[str, Tensor], None, None]:
        """Yield batches without end, beginning after `images` images; closing the iterator ends its workers."""
        positions = itertools.count(images, self.batch)
        if self.workers > 0:
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
            batch = self.batches[position]
            yield {name: tensor.pin_memory() for name, tensor in batch.items()} if self.pin else batch


def _prepare_worker(worker: int) -> None:
    torch.set_flush_denormal(True)
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the loop, which then ends its workers

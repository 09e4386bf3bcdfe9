"""What a sample sheet shows while training: dreams of fixed seeds, or held-out pictures beside what became of them."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from limner.commands import picture_sets
from limner.core import images
from limner.core.grids import grid
from limner.data.source import together
from limner.inference.pipeline import ROW

if TYPE_CHECKING:
    from limner.commands.reading import Stock
    from limner.data.pair_store import PairStore
    from limner.data.store import Store
    from limner.inference.pipeline import Pipeline

SHEET = 64  # pictures from noise
ROWS = 6  # held-out pictures
NEAR = 16  # samples that are shown beside the training picture nearest to each
SEARCHED = 10_000  # training pictures among which the nearest is looked for, spread over the set
SIDE = 16  # pixels of the squares to which pictures are shrunk to be compared: what is alike, not what is equal


def sheet(pipeline: Pipeline, stock: Stock) -> tuple[np.ndarray, Image.Image]:
    """Draw; returns what the model made, uint8 (N, H, W, C), and the sheet.

    For translation a row shows input, output, then the truth for pairs and the way back for methods that learn it,
    under titles that say which is which.
    """
    if stock.held_out is None:
        pictures = pipeline.sheet(SHEET)
        return pictures.array, pictures.grid(ROW if pipeline.method.conditional else None)
    held_out = stock.held_out
    given = _pictures(held_out, "a")
    made = pipeline.translate(given)
    one, other = stock.sides
    columns, titles = [given, made], [f"{one}, given", f"{other}, made"]
    if held_out.paired:
        columns.append(_pictures(held_out, "b"))
        titles.append(f"{other}, true")
    if pipeline.method.both_ways:
        columns.append(pipeline.translate_back(made))
        titles.append(f"{one} again")
    rows = [picture for row in zip(*columns, strict=True) for picture in row]
    channels = max(picture.shape[2] for picture in rows)
    alike = [images.as_array(images.convert(images.from_array(picture), channels)) for picture in rows]
    return np.stack(made), grid(np.stack(alike), len(columns), titles=titles)


def _pictures(held_out: PairStore, side: str) -> list[np.ndarray]:
    store, rows = (held_out.a, held_out.rows_a) if side == "a" else (held_out.b, held_out.rows_b)
    rows = rows if held_out.paired else np.arange(store.count)
    return [store.pixels[row].transpose(1, 2, 0) for row in rows[:ROWS]]


class Nearest:
    """Finds the training picture that looks most like each of some samples, so that memorising is seen.

    Pictures are compared by the pixels that are left when they are shrunk to 16 x 16; `limner evaluate` compares them
    by features. Of large sets 10,000 pictures are searched.
    """

    def __init__(self, store: Store, rows: np.ndarray | None) -> None:
        """`rows` are those of the store that are learned from; None: all."""
        most = SEARCHED if store.windows is None else SEARCHED // 10  # a stream decodes each of them
        every = np.arange(store.count) if rows is None else rows
        some = every[:: -(-len(every) // most)]
        self.store = store
        self.rows = together(some, store.windows) if rows is None else some

    def sheet(self, made: np.ndarray) -> Image.Image:
        """Lay the first samples of `made`, uint8 (N, H, W, C), out, each with its nearest picture to its right."""
        made = made[:NEAR]
        distances = np.square(_shrunk(made)[:, None] - self._known[None]).sum(2)
        nearest = [self._picture(row) for row in self.rows[distances.argmin(1)]]
        pairs = [picture for pair in zip(made, nearest, strict=True) for picture in pair]
        return grid(np.stack(pairs), 8, titles=("made", "learned") * 4)

    @functools.cached_property
    def _known(self) -> np.ndarray:
        return np.concatenate([_shrunk(part) for part in self._parts()])

    def _parts(self) -> Iterator[np.ndarray]:
        for first in range(0, len(self.rows), 500):
            yield np.stack([self._picture(row) for row in self.rows[first : first + 500]])

    def _picture(self, row: int) -> np.ndarray:
        return picture_sets.middle(self.store.pixels[row].transpose(1, 2, 0), self.store.size)


def _shrunk(pictures: np.ndarray) -> np.ndarray:
    # (N, H, W, C) -> (N, 256 C)
    tensor = torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))).float()
    return torch.nn.functional.adaptive_avg_pool2d(tensor, SIDE).flatten(1).numpy()

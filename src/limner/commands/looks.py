"""What a sample sheet shows while training: dreams of fixed seeds, or held-out pictures beside what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from limner.core import images
from limner.core.grids import grid
from limner.inference.pipeline import ROW

if TYPE_CHECKING:
    from limner.commands.reading import Stock
    from limner.data.pair_store import PairStore
    from limner.inference.pipeline import Pipeline

SHEET = 64  # pictures from noise
ROWS = 6  # held-out pictures


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

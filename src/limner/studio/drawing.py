"""The board on which a person draws what a translator was trained on: its colours, its ground, its size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from limner.core.grids import MAT
from limner.core.images import as_array
from limner.studio.choosing import TITLES
from limner.studio.shelf import Model

SIDE = 512  # pixels of the board
FEW = 12  # colours on its palette
COLUMNS = 3  # of a sheet: given, made, and true or the way back
BRUSH = 16  # pixels on the board
APART = 48  # levels by which two colours of the palette differ at least
SKETCH = ("#ffffff", "#000000", "#808080")


def board() -> gr.ImageEditor:
    """An empty board; `prepared` fits it to a model."""
    return gr.ImageEditor(
        label="Drawing board",
        show_label=False,
        type="filepath",
        format="png",
        sources=[],
        canvas_size=(SIDE, SIDE),
        fixed_canvas=True,
        transforms=[],
        layers=False,
        buttons=[],
        elem_id="board",
        height=470,
    )


def prepared(model: Model | None) -> gr.ImageEditor:
    """The board with the colours of what the model was given while it trained, the most frequent one as its ground."""
    ground, *others = palette(model.thumbnail if model else None)
    empty: Any = {"background": Image.new("RGB", (SIDE, SIDE), ground), "layers": [], "composite": None}
    colours: list[str | tuple[str, float]] = [*others, ground]
    return gr.ImageEditor(value=empty, brush=gr.Brush(BRUSH, colours, colours[0], "defaults"))


def palette(sheet: Path | None) -> tuple[str, ...]:
    """The colours of the given pictures on a sample sheet, the most frequent first; black on white without a sheet."""
    if sheet is None:
        return SKETCH
    with Image.open(sheet) as picture:
        given = picture.convert("RGB").crop((0, TITLES, picture.width // COLUMNS, picture.height))
    flat = given.quantize(64, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).convert("RGB").getcolors() or []
    chosen: list[np.ndarray] = []
    for _, colour in sorted(flat, reverse=True):
        levels = np.array(colour)
        mat = np.abs(levels - MAT).max() < 4  # between the pictures
        if not mat and all(np.abs(levels - other).max() >= APART for other in chosen):
            chosen.append(levels)
    named = tuple("#{:02x}{:02x}{:02x}".format(*colour) for colour in chosen[:FEW])
    return named if len(named) > 1 else SKETCH


def finished(drawing: dict[str, Any] | None, model: Model) -> np.ndarray | None:
    """A drawing as the model wants it, uint8 (H, W, 3), at the size that it was trained at; None when there is none."""
    if not drawing or not drawing.get("composite") or model.spec is None:
        return None
    with Image.open(drawing["composite"]) as opened:
        picture = opened.convert("RGBA")
    ground = Image.new("RGBA", picture.size, palette(model.thumbnail)[0])
    ground.alpha_composite(picture)
    # nearest: a map of labels has no colours between its own
    size = (model.spec.width, model.spec.height)
    return as_array(ground.convert("RGB").resize(size, Image.Resampling.NEAREST))

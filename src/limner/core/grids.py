"""A tidy sheet of many pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

PLEASANT = 720  # small pictures are enlarged while the sheet stays within this: 8 x 8 of 28 px become 690 px
LARGEST_FACTOR = 8  # beyond this a single small picture is only a field of squares
LONGEST = 2048  # no sheet is longer than this
MAT = 24  # a dark neutral mat: black digits and bright photographs both sit well on it, on a light page and a dark one
LETTERS = 13  # pixels: size of the titles over columns
EMPTY_CELL = 7.0  # how much a share of empty cells weighs against a sheet that is not square: 8 -> 4 x 2, 5 -> 3 x 2

Colour = int | tuple[int, ...]


def grid(
    pictures: np.ndarray,
    columns: int | None = None,
    gap: int = 2,
    background: Colour | None = None,
    scale: int | None = None,
    titles: Sequence[str] = (),
) -> Image.Image:
    """Lay pictures out row by row on one sheet, with `gap` pixels between and around them.

    `pictures` is uint8 (N, H, W, C) with C of 1, 3 or 4; the sheet has mode L, RGB or RGBA. By default it is nearly
    square, small pictures are enlarged by a whole factor (`scale`), and the sheet's longest side is at most 2048 px.
    `titles` are written over the columns. Errors: ValueError for another shape or type, or no pictures.
    """
    if pictures.ndim != 4 or pictures.shape[-1] not in (1, 3, 4) or pictures.dtype != np.uint8 or not pictures.size:
        raise ValueError(f"expected uint8 pictures (N, H, W, 1, 3 or 4), found {pictures.dtype} {pictures.shape}")
    count, height, width, channels = pictures.shape
    columns = min(columns, count) if columns else _columns(count, width / height)
    rows = math.ceil(count / columns)
    room_x, room_y = LONGEST - gap * (columns + 1), LONGEST - gap * (rows + 1)
    if scale is None:
        pleasant = min(
            (PLEASANT - LONGEST + room_x) // (columns * width), (PLEASANT - LONGEST + room_y) // (rows * height)
        )
        scale = max(1, min(LARGEST_FACTOR, pleasant))
    shrink = min(1.0, room_x / (columns * width * scale), room_y / (rows * height * scale))
    tile_width, tile_height = (max(1, int(side * scale * shrink)) for side in (width, height))
    resample = Image.Resampling.NEAREST if shrink == 1.0 else Image.Resampling.LANCZOS

    mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels]
    if background is None:
        background = (0, 0, 0, 0) if channels == 4 else (MAT,) * channels
    if isinstance(background, tuple) and channels == 1:
        background = background[0]
    top = LETTERS + 8 if titles else 0
    sheet = Image.new(mode, (columns * (tile_width + gap) + gap, top + rows * (tile_height + gap) + gap), background)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        tile = Image.fromarray(np.ascontiguousarray(picture[..., 0] if channels == 1 else picture))
        if tile.size != (tile_width, tile_height):
            tile = tile.resize((tile_width, tile_height), resample)
        sheet.paste(tile, (gap + column * (tile_width + gap), top + gap + row * (tile_height + gap)))
    for column, title in enumerate(titles):
        middle = gap + column * (tile_width + gap) + tile_width // 2
        colour = {"L": 190, "RGB": (190,) * 3, "RGBA": (128, 128, 128, 255)}[mode]
        ImageDraw.Draw(sheet).text(
            (middle, top // 2 + 1), title, fill=colour, font=ImageFont.load_default(LETTERS), anchor="mm"
        )
    return sheet


def _columns(count: int, aspect: float) -> int:
    """Choose the columns that make the sheet nearly square with few empty cells; of equals, the wider sheet."""

    def cost(columns: int) -> float:
        rows = math.ceil(count / columns)
        return abs(math.log(columns / rows * aspect)) + EMPTY_CELL * (1 - count / (columns * rows))

    return min(range(count, 0, -1), key=lambda columns: round(cost(columns), 9))

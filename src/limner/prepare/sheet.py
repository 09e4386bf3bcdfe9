"""A sheet of pictures as they were and as they became, to be looked at before an hour of training."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageOps

from limner.core import images
from limner.core.config import Size
from limner.core.errors import UserError
from limner.core.grids import MAT, grid
from limner.prepare.journal import Outcome
from limner.prepare.pictures import png
from limner.prepare.places import Place

SHOWN = 16  # items, spread over the set
CELL = 160  # pixels
COLUMNS = 8
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Before and after</title>
<body style="margin: 0; background: #181818"><img style="max-width: 100%" alt="originals and what was made of them"
src="data:image/png;base64,{sheet}"></body></html>
"""


def contact_sheet(source: Place, out: Place, outcomes: Iterable[Outcome], made: int) -> bytes | None:
    """A page (HTML) with a sheet: originals and, beside each, what was made of it; None when nothing was.

    It is no picture file, because the folder is a training set. `made` is how many of the outcomes
    made something. As many results as there are originals are shown of each.
    """
    wanted = set(np.linspace(0, made - 1, min(SHOWN, made)).round().astype(int).tolist()) if made else set()
    cells: list[np.ndarray] = []
    titles: list[str] = []
    for number, outcome in enumerate(outcome for outcome in outcomes if outcome.made):
        if number not in wanted:
            continue
        shown = [path for path, _ in outcome.made[: len(outcome.files)]]
        before = [_cell(source, path) for path in outcome.files]
        after = [_cell(out, path) for path in shown]
        cells += before + after
        titles = titles or (["before"] * len(before) + ["after"] * len(after))
    if not cells:
        return None
    columns = min(COLUMNS, len(cells))
    sheet = png(grid(np.stack(cells), columns, titles=_repeated(titles, columns)))
    return PAGE.format(sheet=base64.b64encode(sheet).decode()).encode()


def _cell(place: Place, path: str) -> np.ndarray:
    ground = Image.new("RGB", (CELL, CELL), (MAT,) * 3)
    try:
        picture = images.convert(images.decode(place.read(path), Size(2 * CELL, 2 * CELL), path), 3)
    except (OSError, UserError):
        return np.asarray(ground)  # it was taken away meanwhile
    small = ImageOps.contain(picture, (CELL, CELL), Image.Resampling.LANCZOS)
    ground.paste(small, ((CELL - small.width) // 2, (CELL - small.height) // 2))
    return np.asarray(ground)


def _repeated(titles: Sequence[str], columns: int) -> list[str]:
    return [titles[i % len(titles)] for i in range(columns)]

"""A picture that was sent in, and what a translator makes of it: the face found first where the model wants one."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from limner.core import images, weights
from limner.core.errors import UserError
from limner.faces.crop import Cropper
from limner.faces.find import Finder
from limner.inference.pictures import save_png
from limner.studio import uploads
from limner.studio.house import House
from limner.studio.shelf import Model


def named(house: House, name: str | None) -> Model:
    """The translator of that name; UserError when there is none."""
    if not name:
        raise UserError("choose a model first")
    model = house.shelf.model(name)
    if not model.translates:
        raise UserError(f"{name} makes new pictures and turns none into others: use the page Generate")
    return model


def one(
    house: House,
    picture: str,
    name: str | None,
    direction: str | None,
    folder: Path,
    face: bool = False,
    taken: Iterable[str] = (),
) -> tuple[Path, Path]:
    """Translate a picture file; returns the picture as the model was given it, and what it became.

    With `face`, the largest face is cut out as those were that the model learned from; for a model that learned from
    no such faces that means nothing. `taken` are stems of files that are in the folder already.
    """
    model, array, given = named(house, name), uploads.read(picture), Path(picture)
    stem, margin = uploads.stem(picture, taken), model.margin(direction)
    if face and margin is not None:
        try:
            array = cut_out(array, model, margin)
        except UserError as error:
            raise UserError(f"{uploads.shown(picture)}: {error}") from error
        given = save_png(images.from_array(array), folder / f"{stem}.face.png")
    return given, turn(house, array, model, direction, folder / f"{stem}.png")


def turn(house: House, array: np.ndarray, model: Model, direction: str | None, target: Path) -> Path:
    """Translate a picture, uint8 (H, W, C), and write it as PNG; UserError for a way that the model does not go."""
    if direction not in (None, "", *model.directions):
        raise UserError(f"direction {direction!r}: this model goes {' or '.join(model.directions)}")
    with house.computing:
        made = house.shelf.pipeline(model).translate([array], direction or None)[0]
    return save_png(images.from_array(made), target)


def cut_out(array: np.ndarray, model: Model, margin: float) -> np.ndarray:
    """The largest face of a picture, upright, uint8 (S, S, 3) at the model's size; UserError when there is none."""
    size = max(model.spec.height, model.spec.width) if model.spec else 256
    photograph = images.as_array(images.convert(images.from_array(array), 3))
    return Cropper(_finder(), size, margin)(photograph)[0].pixels


@functools.lru_cache(maxsize=1)
def _finder() -> Finder:
    return Finder(weights.find(weights.YUNET).read_bytes())

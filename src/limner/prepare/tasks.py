"""The first side of a paired set, made of photographs: outlines, sketches, grey, coarse or holed pictures.

Source of the tasks: Isola et al., Image-to-image translation with conditional adversarial networks, arXiv 1611.07004.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from PIL import Image

from limner.core import images, rng
from limner.core.config import Size
from limner.core.errors import UserError
from limner.core.opencv import opencv
from limner.prepare import MAX_PIXELS
from limner.prepare.items import Item, Made
from limner.prepare.outlines import outlines
from limner.prepare.pictures import open_picture, png

STROKE = 0.02  # of the shorter side: the standard deviation of the blur behind a pencil sketch
DARK = 12.0  # grey levels: below them a quotient would draw the noise
HOLE = (0.06, 0.30)  # of each side: the least and the greatest extent of a hole
ENOUGH = 0.005  # of the picture: how far from the share the holes may stay
ERASED = 255  # white, as a person would wipe it away


@dataclasses.dataclass(frozen=True)
class PhotoTask:
    """Makes A/NAME.png of a photograph with `make`, and B/NAME.png, the photograph itself, scaled to `size` if any."""

    make: Callable[[Image.Image, str], Image.Image | np.ndarray]
    size: Size | None = None
    max_pixels: int = MAX_PIXELS

    def __call__(self, item: Item, contents: tuple[bytes, ...]) -> Made:
        photograph = open_picture(contents[0], self.max_pixels)
        if self.size is not None:
            photograph = images.fit(photograph, self.size)
        made = self.make(photograph, item.name)
        return Made(((f"A/{item.target}.png", png(made)), (f"B/{item.target}.png", png(photograph))))


@dataclasses.dataclass(frozen=True)
class Outlines:
    """Black lines on white."""

    def __call__(self, photograph: Image.Image, name: str) -> np.ndarray:
        return outlines(_colour(photograph))


@dataclasses.dataclass(frozen=True)
class PencilSketch:
    """Grey as of a soft pencil: the picture divided by itself out of focus ("colour dodge"), so that edges stay."""

    def __call__(self, photograph: Image.Image, name: str) -> np.ndarray:
        grey = images.as_array(images.convert(photograph, 1))[..., 0].astype(np.float32)
        blurred = opencv().GaussianBlur(grey, (0, 0), max(1.0, STROKE * min(grey.shape)))
        dodged = np.clip(255 * (grey + DARK) / (blurred + DARK), 0, 255)
        return np.rint(dodged).astype(np.uint8)[..., None]


@dataclasses.dataclass(frozen=True)
class BlackAndWhite:
    """The photograph without its colours."""

    def __call__(self, photograph: Image.Image, name: str) -> Image.Image:
        return images.convert(photograph, 1)


@dataclasses.dataclass(frozen=True)
class Coarse:
    """The photograph scaled down by `factor`, and back to its size."""

    factor: int

    def __call__(self, photograph: Image.Image, name: str) -> Image.Image:
        small = (math.ceil(photograph.width / self.factor), math.ceil(photograph.height / self.factor))
        return photograph.resize(small, Image.Resampling.BOX).resize(photograph.size, Image.Resampling.BICUBIC)


@dataclasses.dataclass(frozen=True)
class Holes:
    """The photograph with white rectangles and ovals over a share of it: a function of the seed and the name alone."""

    share: float
    seed: int

    def __call__(self, photograph: Image.Image, name: str) -> np.ndarray:
        array = images.as_array(photograph).copy()
        array[holes(Size(*array.shape[:2]), self.share, self.seed, name)] = ERASED
        return array


def holes(size: Size, share: float, seed: int, name: str) -> np.ndarray:
    """Which pixels are wiped away, bool (H, W): about `share` of them."""
    draw = np.random.default_rng(rng.derive(seed, f"holes {name.encode('utf-8', 'surrogateescape').hex()}"))
    wiped = np.zeros((size.height, size.width), bool)
    left = share * wiped.size
    while left > ENOUGH * wiped.size:
        # The last holes are as small as need be, so that the share is met whatever the first ones were.
        most = min(HOLE[1], math.sqrt(left / wiped.size))
        extents = draw.uniform(min(HOLE[0], most), most, 2) * wiped.shape
        middle = draw.uniform(0, 1, 2) * wiped.shape
        first = np.maximum(middle - extents / 2, 0).astype(int)
        last = np.ceil(middle + extents / 2).astype(int)
        window = wiped[first[0] : last[0], first[1] : last[1]]
        y, x = np.ogrid[first[0] : first[0] + window.shape[0], first[1] : first[1] + window.shape[1]]
        far_y, far_x = (np.abs(at + 0.5 - m) / (e / 2) for at, m, e in zip((y, x), middle, extents, strict=True))
        hole = (far_y**2 + far_x**2 <= 1) if draw.integers(2) else (np.maximum(far_y, far_x) <= 1)
        left -= np.count_nonzero(hole & ~window)
        window |= hole
    return wiped


def check_share(share: float) -> None:
    """UserError for a share of holes that leaves nothing to see, or nothing to do."""
    if not 0 < share <= 0.9:
        raise UserError(f"--holes {share:g}: expected the share of a picture that is wiped away, above 0 and up to 0.9")


def _colour(photograph: Image.Image) -> np.ndarray:
    return images.as_array(images.convert(photograph, 3))

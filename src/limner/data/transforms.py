"""What varies a picture from epoch to epoch, on whole batches of uint8 arrays.

Every item takes its draws as a function of (seed, epoch, index) alone: neither the batch that it is in, nor the worker
or rank that prepares it, nor whether another transform is on changes what happens to it.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import torch
from torch.nn import functional as F

from limner.core import rng
from limner.core.config import Size


@dataclasses.dataclass(frozen=True)
class Variety:
    """How much pictures vary: mirrored half of the time; turned by up to `rotate` degrees, moved by up to `shift` and
    scaled by up to `zoom` of their size, each way; brightness, contrast and colour changed by up to `colour`.
    """

    mirror: bool = False
    rotate: float = 0.0
    shift: float = 0.0
    zoom: float = 0.0
    colour: float = 0.0

    @property
    def bends(self) -> bool:
        """Whether pictures are resampled."""
        return bool(self.rotate or self.shift or self.zoom)


STILL = Variety()


class Draws:
    """Numbers in [0, 1) that decide what happens to each item; `side` gives a second, independent set its own."""

    def __init__(self, seed: int, epochs: np.ndarray, indices: np.ndarray, side: str = "") -> None:
        self.seed, self.epochs, self.indices, self.side = seed, epochs, indices, side
        self.drawn: dict[str, np.ndarray] = {}  # the two pictures of a pair ask for the same

    def __call__(self, purpose: str, count: int) -> np.ndarray:
        """`count` numbers an item for one purpose, float64 (b, count)."""
        if purpose not in self.drawn:
            self.drawn[purpose] = rng.uniforms(self.seed, purpose + self.side, self.epochs, self.indices, count)
        return self.drawn[purpose]


def vary(pixels: np.ndarray, size: Size, variety: Variety, draws: Draws) -> np.ndarray:
    """Vary pictures, uint8 (b, C, H, W), and cut a window of `size` out of each, as `variety` says."""
    still = pixels.shape[2:] == (size.height, size.width) and variety == STILL
    if still:
        return pixels
    if variety.bends:
        pixels = bend(pixels, variety, draws("bend", 4))
    place = draws("augment", 3)  # top, left, mirror
    pixels = window(pixels, size, place, variety.mirror)
    if variety.colour:
        pixels = recolour(pixels, variety.colour, draws("colour", 3))
    return pixels


def window(pixels: np.ndarray, size: Size, drawn: np.ndarray, mirror: bool) -> np.ndarray:
    """Cut a window of `size` out of each picture, (b, C, H, W) -> (b, C, height, width), each place equally likely.

    `drawn` (b, 3) says where, and with `mirror` which half of the pictures is turned left to right.
    """
    free = np.array([pixels.shape[2] - size.height, pixels.shape[3] - size.width])
    if not free.any() and not mirror:
        return pixels
    cut = np.empty((*pixels.shape[:2], size.height, size.width), dtype=pixels.dtype)
    places = (drawn[:, :2] * (free + 1)).astype(np.int64).tolist()
    for i, ((top, left), turned) in enumerate(zip(places, (drawn[:, 2] < 0.5).tolist(), strict=True)):
        seen = pixels[i, :, top : top + size.height, left : left + size.width]
        cut[i] = seen[..., ::-1] if mirror and turned else seen  # one copy for both
    return cut


def bend(pixels: np.ndarray, variety: Variety, drawn: np.ndarray) -> np.ndarray:
    """Turn, move and scale pictures (b, C, H, W) by bilinear resampling; what comes in at the border is reflected."""
    turn, along, across, scale = torch.from_numpy(2.0 * drawn - 1.0).float().T  # (b,) each, in [-1, 1)
    angle = turn * math.radians(variety.rotate)
    factor = (1.0 + variety.zoom) ** -scale  # the map goes from the new picture to the old one
    height, width = pixels.shape[2:]
    cos, sin = torch.cos(angle) * factor, torch.sin(angle) * factor
    shift_x, shift_y = 2.0 * variety.shift * along, 2.0 * variety.shift * across  # the picture is 2 wide
    rows = torch.stack(
        [
            torch.stack([cos, -sin * height / width, shift_x], dim=1),
            torch.stack([sin * width / height, cos, shift_y], dim=1),
        ],
        dim=1,
    )  # (b, 2, 3)
    pictures = torch.from_numpy(np.ascontiguousarray(pixels)).float()
    grid = F.affine_grid(rows, list(pictures.shape), align_corners=False)
    bent = F.grid_sample(pictures, grid, "bilinear", "reflection", align_corners=False)
    return bent.round_().clamp_(0, 255).byte().numpy()


def recolour(pixels: np.ndarray, strength: float, drawn: np.ndarray) -> np.ndarray:
    """Change brightness, contrast and saturation of pictures (b, C, H, W) by up to `strength`; alpha stays."""
    factors = 1.0 + strength * (2.0 * drawn[:, :, None, None, None] - 1.0).astype(np.float32)  # (b, 3, 1, 1, 1)
    brightness, contrast, saturation = factors[:, 0], factors[:, 1], factors[:, 2]
    colours = 3 if pixels.shape[1] == 4 else pixels.shape[1]
    changed = pixels[:, :colours].astype(np.float32) * brightness
    middle = changed.mean(axis=(1, 2, 3), keepdims=True)
    changed = (changed - middle) * contrast + middle
    grey = changed.mean(axis=1, keepdims=True)
    changed = (changed - grey) * saturation + grey
    pixels = pixels.copy()
    pixels[:, :colours] = np.clip(np.rint(changed), 0, 255).astype(np.uint8)
    return pixels

"""The transformations of adaptive augmentation (ADA, arXiv 2006.06676, appendix B): each hits a picture with chance p.

Moves, scalings, turns and colours are drawn for each picture alone. Everything is made of matrix products and of
gathers in which no pixel is read more than twice, so that it can be differentiated twice, as gradient penalties need,
and gives the same bits every time on a GPU; PyTorch's grid_sample does neither. Mirroring is left to the data's own
flag, which says whether it makes sense, and turns of 90 degrees, which rarely do, are left out.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

SHIFT = 1 / 8  # of the side, each way, in whole pixels
DRIFT = 1 / 8  # standard deviation of moves by fractions of a pixel, as a share of the side
SCALE = 0.2 * math.log(2.0)  # standard deviation of log size, of both axes together and of one against the other
TURN = math.radians(15.0)  # each way; the paper turns all the way round, which asks much of small networks
BRIGHTNESS = 0.2  # standard deviation, of a range of 2
CONTRAST = 0.5 * math.log(2.0)  # standard deviation of its logarithm
SATURATION = 1.0 * math.log(2.0)  # standard deviation of its logarithm


class Draws(NamedTuple):
    """Random numbers that decide what happens to B pictures: 10 chances and 5 uniforms in [0, 1), 7 normals."""

    chances: Tensor  # (10, B)
    uniforms: Tensor  # (5, B)
    normals: Tensor  # (7, B)


def draw(count: int, device: torch.device) -> Draws:
    """Draw for `count` pictures."""
    chances, uniforms = torch.rand(15, count, device=device).split((10, 5))
    return Draws(chances, uniforms, torch.randn(7, count, device=device))


def augment(pictures: Tensor, p: Tensor, draws: Draws) -> Tensor:
    """Vary pictures (B, C, H, W), float32, by `draws` of B, each way with chance `p`, a tensor without dimensions.

    What comes in from outside is the picture's own reflection. Grey pictures change in brightness, in contrast and
    into their negatives, others also in hue and saturation; a fourth channel, alpha, only moves. With p = 0 pictures
    stay as they are.
    """
    move, drift, scale, stretch, turn, light, contrast, negative, hue, saturation = (draws.chances < p).float()
    moves, angle, coin, colour = draws.uniforms[:2], draws.uniforms[2], draws.uniforms[3], draws.uniforms[4]
    n = draws.normals
    resample = []
    for axis, side in enumerate(pictures.shape[2:]):
        most = round(side * SHIFT)
        pixels = move * (torch.floor(moves[axis] * (2 * most + 1)) - most) + drift * DRIFT * side * n[axis]
        size = torch.exp(SCALE * (scale * n[2] + (1 - 2 * axis) * stretch * n[3]))
        resample.append(_resampling(side, pixels, size))
    pictures = resample[0] @ pictures @ resample[1].mT
    pictures = _turn(pictures, turn * TURN * (2 * angle - 1))
    return _recolour(
        pictures,
        light * BRIGHTNESS * n[4],
        torch.exp(contrast * CONTRAST * n[5]) * (1 - 2 * negative * (coin < 0.5)),
        hue * math.pi * (2 * colour - 1),
        torch.exp(saturation * SATURATION * n[6]),
    )


def _resampling(side: int, pixels: Tensor, size: Tensor) -> Tensor:
    # For each picture the matrix (B, 1, side, side) that moves an axis by `pixels` and scales it by `size`, linearly.
    place = torch.arange(side, device=pixels.device, dtype=pixels.dtype)
    middle = (side - 1) / 2
    source = (place - middle - pixels[:, None]) / size[:, None] + middle  # (B, side)
    return (1 - (_reflected(source, side)[:, :, None] - place).abs()).clamp(min=0)[:, None]


def _turn(pictures: Tensor, angle: Tensor) -> Tensor:
    # Three shears make a turn (Paeth 1986).
    aslant, upright = -torch.tan(angle / 2), torch.sin(angle)
    pictures = _shear(pictures, aslant)
    pictures = _shear(pictures.mT, upright).mT
    return _shear(pictures, aslant)


def _shear(pictures: Tensor, slope: Tensor) -> Tensor:
    # Moves each row sideways in proportion to how far below the middle it lies.
    height, width = pictures.shape[2:]
    rows = torch.arange(height, device=slope.device, dtype=slope.dtype) - (height - 1) / 2
    moved = (slope[:, None] * rows)[:, None, :, None]  # (B, 1, H, 1)
    whole = torch.floor(moved)
    share = moved - whole
    place = torch.arange(width, device=slope.device, dtype=slope.dtype) - whole  # (B, 1, H, W)
    left, right = (pictures.gather(3, _reflected(place - step, width).long().expand_as(pictures)) for step in (0, 1))
    return left + (right - left) * share


def _reflected(place: Tensor, side: int) -> Tensor:
    # Any coordinate, folded back and forth into 0 to side - 1.
    last = side - 1
    return last - (place.remainder(max(1, 2 * last)) - last).abs()


def _recolour(pictures: Tensor, light: Tensor, contrast: Tensor, hue: Tensor, saturation: Tensor) -> Tensor:
    # Grey is the axis (1, 1, 1): light and contrast act along it, hue turns around it, saturation stretches across it.
    light, contrast = light[:, None, None, None], contrast[:, None, None, None]
    colours = pictures[:, :3]
    if pictures.shape[1] == 1:
        return contrast * (colours + light)
    grey = colours.mean(1, keepdim=True)
    tint = colours - grey
    across = (tint.roll(1, 1) - tint.roll(-1, 1)) / math.sqrt(3.0)  # (1, 1, 1) / sqrt(3) x tint
    cosine, sine = torch.cos(hue)[:, None, None, None], torch.sin(hue)[:, None, None, None]
    stretch = contrast.abs() * saturation[:, None, None, None]  # a negative swaps light and dark, and keeps the tint
    colours = contrast * (grey + light) + stretch * (cosine * tint + sine * across)
    return colours if pictures.shape[1] <= 3 else torch.cat((colours, pictures[:, 3:]), 1)

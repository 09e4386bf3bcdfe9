"""DiffAugment (arXiv 2006.10738): what D sees is varied, and the gradient goes through, so that few pictures last.

All random numbers are given, so that reals and fakes, or the two pictures of a pair, can be varied alike.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import torch
from torch import Tensor

Kind = Literal["colour", "translation", "cutout"]
GEOMETRIC: tuple[Kind, ...] = ("translation", "cutout")
SHIFT = 1 / 8  # of the picture's side, each way
HOLE = 1 / 2  # of the picture's side


def draw(count: int, device: torch.device) -> Tensor:
    """Random numbers in [0, 1) that decide what happens to `count` pictures: (count, 7)."""
    return torch.rand(count, 7, device=device)


def augment(pictures: Tensor, draws: Tensor, kinds: Collection[Kind]) -> Tensor:
    """Vary pictures (B, C, H, W) in the ways `kinds` names, by `draws` (B, 7) from `draw`; differentiable.

    "colour" adds up to 0.5 of brightness, then multiplies saturation by 0 to 2 and contrast by 0.5 to 1.5; a fourth
    channel, alpha, stays. "translation" moves by whole pixels, up to an eighth of the side, and "cutout" clears a
    square of half the side; what comes in is 0, mid-grey. The same draws move and clear at the same places whatever
    the number of channels.
    """
    if "colour" in kinds:
        pictures = _recolour(pictures, draws[:, :3])
    if "translation" in kinds:
        pictures = _move(pictures, draws[:, 3:5])
    if "cutout" in kinds:
        pictures = pictures * _hole(pictures, draws[:, 5:7])
    return pictures


def _recolour(pictures: Tensor, draws: Tensor) -> Tensor:
    brightness, saturation, contrast = draws[:, :, None, None, None].unbind(1)  # (B, 1, 1, 1) each
    colours = pictures[:, :3] + (brightness - 0.5)
    grey = colours.mean(1, keepdim=True)
    colours = (colours - grey) * (2 * saturation) + grey
    middle = colours.mean((1, 2, 3), keepdim=True)
    colours = (colours - middle) * (contrast + 0.5) + middle
    return colours if pictures.shape[1] <= 3 else torch.cat((colours, pictures[:, 3:]), 1)


def _move(pictures: Tensor, draws: Tensor) -> Tensor:
    for axis in (2, 3):
        side = pictures.shape[axis]
        most = round(side * SHIFT)
        steps = (draws[:, axis - 2] * (2 * most + 1)).long() - most  # (B,)
        source = torch.arange(side, device=pictures.device) - steps[:, None]  # (B, side)
        shape = (len(pictures), 1, side, 1) if axis == 2 else (len(pictures), 1, 1, side)
        moved = pictures.gather(axis, source.clamp(0, side - 1).view(shape).expand_as(pictures))
        pictures = moved * ((source >= 0) & (source < side)).view(shape)
    return pictures


def _hole(pictures: Tensor, draws: Tensor) -> Tensor:
    # 0 inside the square and 1 outside; its centre is anywhere, so that it may stick out over the border
    inside = []
    for axis in (2, 3):
        side = pictures.shape[axis]
        size = round(side * HOLE)
        start = (draws[:, axis - 2] * (side + 1)).long() - size // 2  # (B,)
        place = torch.arange(side, device=pictures.device) - start[:, None]  # (B, side)
        inside.append((place >= 0) & (place < size))
    square = inside[0][:, None, :, None] & inside[1][:, None, None, :]  # (B, 1, H, W)
    return (~square).to(pictures.dtype)

"""3x3 convolutions on a CPU with a quarter of the multiplications (Lavin and Gray, arXiv 1509.09308)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

OUT, IN = 4, 6  # sides of a tile: F(4x4, 3x3) takes 36 multiplications for 16 outputs, a plain convolution 144
WIDTH, AREA = 128, 1024  # fewer filters or pixels: measured, reading the filters takes the time that was saved
TILES = 256  # at once: what lies between the transforms takes 36 floats a tile and filter, 9 MB each at 256 filters
BLOCKS = [slice(row, row + IN) for row in range(0, IN * IN, IN)]  # the filters, transformed, are 4 times as large


class Conv3x3(nn.Conv2d):
    """A 3x3 convolution of stride 1 that takes a fraction of the time on a CPU where the map and the filters are large.

    (B, C, H, W) -> (B, K, H - 2 + 2 `padding`, W - 2 + 2 `padding`); parameters, initial values and files are those of
    `nn.Conv2d`. Outputs and gradients agree with it to about 1e-5 of the largest one. On other devices and in other
    precisions, in graphs that are exported, and for small maps it is `nn.Conv2d`.
    Source: arXiv 1509.09308, section 4.3.
    """

    def __init__(self, before: int, after: int, padding: int = 0, bias: bool = True) -> None:
        super().__init__(before, after, 3, padding=padding, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, K, H - 2 + 2 padding, W - 2 + 2 padding)."""
        x = input
        border = int(self.padding[0])
        height, width = (side - 2 + 2 * border for side in x.shape[-2:])
        if not self._pays(x, height * width):
            return super().forward(x)
        right, bottom = (-side % OUT for side in (width, height))
        if border or right or bottom:
            x = F.pad(x, (border, border + right, border, border + bottom))
        y = _Winograd.apply(x, self.weight)[..., :height, :width]
        return y if self.bias is None else y + self.bias[:, None, None]

    def _pays(self, x: Tensor, area: int) -> bool:
        return (
            min(self.weight.shape[:2]) >= WIDTH
            and area >= AREA
            and x.device.type == "cpu"
            and x.dtype == self.weight.dtype == torch.float32
            and not torch.is_autocast_enabled("cpu")
            and not torch.compiler.is_compiling()
            and not torch.onnx.is_in_onnx_export()
        )


class _Winograd(torch.autograd.Function):
    """Pictures (B, C, H, W) and filters (K, C, 3, 3) -> (B, K, H - 2, W - 2), these sides multiples of 4.

    Tiles are matrices here: pixels of a tile x tiles x channels. So both transforms are one matrix product, and so is
    each of the 36 products of what is transformed. The backward pass is the forward pass transposed, step by step.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        x, filters = x.permute(0, 2, 3, 1).contiguous(), _pixels_first(weight)
        y = x.new_empty(len(x), x.shape[1] - 2, x.shape[2] - 2, len(weight))
        for rows in _strips(y):
            tiles, part = _tiles(x, rows), _part(y, rows)
            made = tiles.new_empty(IN * IN, tiles.shape[1], len(weight))
            for some in BLOCKS:
                torch.bmm(tiles[some], _transformed(filters, some).mT, out=made[some])
            part.copy_((OUTPUTS @ made.view(IN * IN, -1)).view(part.shape))
        return y.permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        (y,) = gradients
        if torch.is_grad_enabled():  # somebody differentiates twice, as gradient penalties do
            of_x, of_weight, _ = torch.ops.aten.convolution_backward(
                y, x, weight, None, (1, 1), (0, 0), (1, 1), False, (0, 0), 1, (*ctx.needs_input_grad, False)
            )
            return of_x, of_weight
        filters = _pixels_first(weight)
        x, y = (image.permute(0, 2, 3, 1).contiguous() for image in (x, y))
        of_x = torch.zeros_like(x) if ctx.needs_input_grad[0] else None
        of_filters = torch.zeros_like(filters) if ctx.needs_input_grad[1] else None
        for rows in _strips(y):
            made = (OUTPUTS.T @ _part(y, rows).reshape(OUT * OUT, -1)).view(IN * IN, -1, len(weight))
            if of_filters is not None:
                tiles = _tiles(x, rows)
                for some in BLOCKS:
                    found = torch.bmm(made[some].mT, tiles[some])
                    of_filters.view(9, -1).addmm_(FILTERS[some].T, found.view(len(found), -1))
            if of_x is not None:
                tiles = x.new_empty(IN * IN, made.shape[1], x.shape[3])
                for some in BLOCKS:
                    torch.bmm(made[some], _transformed(filters, some), out=tiles[some])
                _add_tiles(of_x, rows, INPUTS.T @ tiles.view(IN * IN, -1))
        return (
            None if of_x is None else of_x.permute(0, 3, 1, 2),
            None if of_filters is None else of_filters.view(3, 3, *weight.shape[:2]).permute(2, 3, 0, 1),
        )


def _pixels_first(weight: Tensor) -> Tensor:
    """(K, C, 3, 3) -> (9, K, C)."""
    return weight.permute(2, 3, 0, 1).contiguous().view(9, *weight.shape[:2])


def _transformed(filters: Tensor, some: slice) -> Tensor:
    """(9, K, C) -> some of (36, K, C)."""
    return (FILTERS[some] @ filters.view(9, -1)).view(-1, *filters.shape[1:])


def _strips(y: Tensor) -> list[slice]:
    """Rows of tiles of (B, H, W, K) that are worked on together."""
    count, height, width = y.shape[:3]
    rows = max(1, TILES * OUT // (count * width))
    return [slice(top, min(top + rows, height // OUT)) for top in range(0, height // OUT, rows)]


def _part(y: Tensor, rows: slice) -> Tensor:
    """These rows of tiles of (B, H, W, K), as a view: (4, 4, B, rows, columns, K)."""
    count, height, width, filters = y.shape
    tiles = y.view(count, height // OUT, OUT, width // OUT, OUT, filters)
    return tiles[:, rows].permute(2, 4, 0, 1, 3, 5)


def _tiles(x: Tensor, rows: slice) -> Tensor:
    """These rows of overlapping tiles of (B, H, W, C), transformed: (36, tiles, C)."""
    count, _, width, channels = x.shape
    of_picture, of_row, of_pixel, _ = x.stride()
    shape = (IN, IN, count, rows.stop - rows.start, (width - 2) // OUT, channels)
    strides = (of_row, of_pixel, of_picture, OUT * of_row, OUT * of_pixel, 1)
    tiles = x.as_strided(shape, strides, x.storage_offset() + rows.start * OUT * of_row)
    return (INPUTS @ tiles.reshape(IN * IN, -1)).view(IN * IN, -1, channels)


def _add_tiles(x: Tensor, rows: slice, tiles: Tensor) -> None:
    """Add (36, ...) to these rows of overlapping tiles of (B, H, W, C)."""
    count, _, width, channels = x.shape
    high, wide = OUT * (rows.stop - rows.start), width - 2
    tiles = tiles.view(IN, IN, count, high // OUT, wide // OUT, channels)
    top = OUT * rows.start
    for i in range(IN):
        for j in range(IN):
            x[:, top + i : top + i + high - 3 : OUT, j : j + wide - 3 : OUT] += tiles[i, j]


def _twice(rows: list[list[float]]) -> Tensor:
    """A transform of rows (m, n) as one of pictures (m * m, n * n)."""
    matrix = torch.tensor(rows, dtype=torch.float64)
    return torch.kron(matrix, matrix).float()


# The transforms of F(4, 3), with the points 0, 1, -1, 2, -2 and infinity (arXiv 1509.09308, equation 15).
INPUTS = _twice(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
FILTERS = _twice(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
)
OUTPUTS = _twice([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])

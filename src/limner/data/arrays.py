"""Arrays of pictures that stay where they are: how their axes are read, and what their numbers mean."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
from PIL import Image

from limner.core import images
from limner.core.config import Size
from limner.core.errors import UserError
from limner.data.source import SAMPLE, Source

BEYOND = 0.05  # of a range that numbers may lie beside it, as resampling and rounding leave them; they are clipped


def is_pictures(shape: tuple[int, ...]) -> bool:
    """Whether an array of this shape may hold pictures: (N, H, W), (N, H, W, C) or (N, C, H, W) with C of 1, 3 or 4."""
    if not shape or shape[0] < 1:
        return False
    if len(shape) == 3:
        return min(shape[1:]) > 1
    return len(shape) == 4 and (shape[3] in images.MODES or shape[1] in images.MODES)


@dataclasses.dataclass(frozen=True)
class Range:
    """What numbers mean: `low` is black and `high` white."""

    low: float
    high: float

    @classmethod
    def of(cls, dtype: np.dtype, low: float, high: float) -> Range:
        """Tell the range by the kind of numbers, and by the least and the greatest of a sample of them.

        Errors: UserError for numbers that are no pixels.
        """
        if dtype.kind == "b":
            return cls(0, 1)
        if dtype.kind in "iu" and low >= 0:
            if high <= 255:
                return cls(0, 255)
            if high <= 65535:
                return cls(0, 65535)
        if dtype.kind == "f":
            for found in (cls(0, 1), cls(-1, 1), cls(0, 255)):
                if found.holds(low) and found.holds(high):
                    return found
        raise UserError(
            f"its numbers ({dtype}) run from {low:g} to {high:g}. Expected pixels: whole numbers from 0 to 255 or to "
            "65535, or fractions from 0 to 1, from -1 to 1 or from 0 to 255. Scale them to one of these first."
        )

    def holds(self, value: float) -> bool:
        """Whether a number lies in the range, or so close to it that it may be clipped."""
        slack = BEYOND * min(1.0, self.high - self.low)
        return self.low - slack <= value <= self.high + slack

    def eight_bit(self, array: np.ndarray) -> np.ndarray:
        """Turn numbers into uint8; UserError for those that lie outside, and for what is no number."""
        if array.dtype == np.uint8 and self.high == 255:
            return array
        values = array.astype(np.float64)
        low, high = float(values.min()), float(values.max())
        if not np.isfinite(low + high):
            raise UserError("some of its numbers are infinite, or no numbers (nan)")
        if not (self.holds(low) and self.holds(high)):
            raise UserError(
                f"its numbers run from {low:g} to {high:g}, but those of the set from {self.low:g} to {self.high:g}"
            )
        scaled = (values - self.low) * (255.0 / (self.high - self.low))
        return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


class Stack(Source):
    """Pictures in one array, or in several joined end to end, that are not in memory.

    The axes are (N, H, W), (N, H, W, C) or (N, C, H, W); what the numbers mean is told by a sample of them (`Range`).
    """

    def __init__(self, axes: tuple[int, ...], dtype: np.dtype) -> None:
        self.axes, self.dtype = axes, dtype
        self.channels_first = len(axes) == 4 and axes[3] not in images.MODES
        if len(axes) == 3:
            self.picture = (axes[1], axes[2], 1)
        else:
            self.picture = (axes[2], axes[3], axes[1]) if self.channels_first else (axes[1], axes[2], axes[3])
        if dtype == np.uint8:
            self.shape = self.picture

    @abc.abstractmethod
    def cut(self, first: int, last: int) -> np.ndarray:
        """Read pictures `first` up to `last` as they lie there; UserError when that fails."""

    def __len__(self) -> int:
        return self.axes[0]

    def probe(self, index: int) -> tuple[Size, int]:
        height, width, channels = self.picture
        return Size(height, width), channels

    def read(self, index: int, at_least: Size | None = None) -> Image.Image:
        try:
            array = self._upright(self.cut(index, index + 1))[0]
            return images.from_array(self.range.eight_bit(array))
        except UserError as error:
            raise UserError(f"{self.name(index)}: {error}") from error

    def block(self, first: int, last: int) -> np.ndarray:
        return self._upright(self.cut(first, last))

    @functools.cached_property
    def range(self) -> Range:
        """What the numbers mean; UserError when a sample of them does not say it."""
        if self.dtype == np.uint8:
            return Range(0, 255)
        found: list[tuple[float, float]] = []
        for index in np.unique(np.linspace(0, len(self) - 1, SAMPLE).round().astype(int)).tolist():
            with contextlib.suppress(UserError):  # it will be skipped when it is decoded
                values = self.cut(index, index + 1)
                values = values[np.isfinite(values)] if values.dtype.kind == "f" else values
                if values.size:
                    found.append((float(values.min()), float(values.max())))
        if not found:
            raise UserError("none of the numbers that were looked at can be read, or is finite.")
        return Range.of(self.dtype, min(low for low, _ in found), max(high for _, high in found))

    def _upright(self, array: np.ndarray) -> np.ndarray:
        if array.ndim == 3:
            return array[..., None]
        return array.transpose(0, 2, 3, 1) if self.channels_first else array


def number_classes(values: np.ndarray, names: Sequence[str] = ()) -> tuple[np.ndarray, tuple[str, ...]]:
    """Turn labels of any kind (N,), whole numbers or words, into int64 (N,) and the names that they index.

    `names` are those of the numbers 0, 1, 2 ..., where they are known; classes without a picture are left out.
    Errors: UserError for labels that are fractions, or are no labels at all.
    """
    if values.dtype.kind == "f" and np.isfinite(values).all() and (values == np.rint(values)).all():
        values = values.astype(np.int64)
    if values.dtype.kind == "b":
        values = values.astype(np.int64)
    if values.dtype.kind not in "iuUS" or values.ndim != 1:
        raise UserError(
            f"the labels are an array of {values.dtype} with {values.ndim} axes; expected one whole number, or one "
            "word, for each picture."
        )
    kinds, numbers = np.unique(values, return_inverse=True)
    if kinds.dtype.kind in "iu" and len(set(names)) == len(names) > kinds.max() and kinds.min() >= 0:
        return numbers.astype(np.int64), tuple(str(names[kind]) for kind in kinds.tolist())
    return numbers.astype(np.int64), tuple(texts(kinds))


def texts(values: np.ndarray) -> list[str]:
    """Turn an array of words, or of their bytes in UTF-8, into a list of words."""
    return [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in values.tolist()]

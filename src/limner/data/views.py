"""A part of another source: some of its pictures, or one half of each."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

import numpy as np
from PIL import Image

from limner.core.config import Size
from limner.core.errors import UserError
from limner.data.source import Source

Half = Literal["left", "right"]
SPARSE = 4  # a piece of the source that holds more than so many times what is wanted is not read at one go


class View(Source):
    """Those pictures of `source` that `indices` names, whole or only the left or right half of each."""

    def __init__(self, source: Source, indices: Sequence[int] | np.ndarray, half: Half | None = None) -> None:
        self.source, self.half = source, half
        self.indices = np.asarray(indices, dtype=np.int64)
        digest = hashlib.sha256(f"{source.fingerprint} {half}".encode())
        digest.update(self.indices.tobytes())
        self.fingerprint, self.stamp = digest.hexdigest(), source.stamp
        if source.labels is not None:
            self.labels, self.classes = source.labels[self.indices], source.classes
        if half is None:
            self.shape = source.shape

    def block(self, first: int, last: int) -> np.ndarray:
        indices = self.indices[first:last]
        low, high = int(indices.min()), int(indices.max()) + 1
        if high - low > SPARSE * len(indices):
            return np.concatenate([self.source.block(index, index + 1) for index in indices.tolist()])
        return self.source.block(low, high)[indices - low]

    def __len__(self) -> int:
        return len(self.indices)

    def name(self, index: int) -> str:
        return self.source.name(int(self.indices[index]))

    def read(self, index: int, at_least: Size | None = None) -> Image.Image:
        if self.half is None:
            return self.source.read(int(self.indices[index]), at_least)
        whole = Size(at_least.height, 2 * at_least.width) if at_least else None
        picture = self.source.read(int(self.indices[index]), whole)
        middle = self._middle(index, Size(picture.height, picture.width))
        left = 0 if self.half == "left" else middle
        return picture.crop((left, 0, left + middle, picture.height))

    def probe(self, index: int) -> tuple[Size, int]:
        size, channels = self.source.probe(int(self.indices[index]))
        return (Size(size.height, self._middle(index, size)), channels) if self.half else (size, channels)

    def _middle(self, index: int, size: Size) -> int:
        if size.width % 2:
            raise UserError(
                f"{self.name(index)}: two pictures side by side have an even width together, but this one is "
                f"{size.width} px wide. Crop it, or put the two sides into folders A and B."
            )
        return size.width // 2

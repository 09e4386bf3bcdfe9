"""The pictures of a stream in the place of an array: each is decoded when it is asked for, and none is kept."""

from __future__ import annotations

import collections

import numpy as np

from limner.core import images
from limner.core.config import Size
from limner.core.console import say
from limner.core.errors import UserError
from limner.data.parallel import in_order
from limner.data.row_groups import Unreachable
from limner.data.source import EncodedSource

TRIES = 1_000  # rows that are looked at for one to take the place of a broken one
SAID = 10  # broken pictures that are named, once each; of more the person has understood


class LazyPixels:
    """Pictures uint8 (N, C, H, W) of a source that is read by windows; `at[i]`, `at[a:b]` and `at[rows]` are copies.

    The place of a picture that cannot be read takes the next one that can, of the same class where there are classes:
    which one depends on the set alone. Errors: UserError when none can, or when the files cannot be read any more.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, source: EncodedSource, channels: int, load: Size) -> None:
        self.source, self.channels, self.load = source, channels, load
        self.shape = (len(source), channels, load.height, load.width)
        self.broken: dict[int, str] = {}

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: int | np.integer | slice | np.ndarray) -> np.ndarray:
        if isinstance(rows, int | np.integer):
            return self._decoded([int(rows) % len(self)])[0]
        if isinstance(rows, slice):
            return self._decoded(list(range(*rows.indices(len(self)))))
        return self._decoded(rows.tolist())

    def _decoded(self, rows: list[int]) -> np.ndarray:
        contents = [self._content(row) for row in rows]  # one after the other: a row group is read once
        pixels = np.empty((len(rows), *self.shape[1:]), np.uint8)

        def one(place: int) -> None:
            picture = self._picture(rows[place], contents[place])
            pixels[place] = self._another(rows[place]) if picture is None else picture

        collections.deque(in_order(one, len(rows)), maxlen=0)
        return pixels

    def _another(self, row: int) -> np.ndarray:
        labels = self.source.labels
        for other in range(row + 1, row + TRIES):
            other %= len(self)
            if labels is None or labels[other] == labels[row]:
                picture = self._picture(other, self._content(other))
                if picture is not None:
                    return picture
        raise UserError(f"{self.broken[row]}; and no picture of the {TRIES:,} behind it can take its place")

    def _content(self, row: int) -> bytes | None:
        try:
            return None if row in self.broken else self.source.content(row)
        except Unreachable:
            raise
        except UserError as error:
            self._note(row, error)
            return None

    def _picture(self, row: int, content: bytes | None) -> np.ndarray | None:
        if content is None:
            return None
        try:
            picture = images.convert(images.decode(content, self.load, f"picture {row + 1}"), self.channels)
        except UserError as error:
            self._note(row, error)
            return None
        return images.as_array(images.fit(picture, self.load)).transpose(2, 0, 1)

    def _note(self, row: int, error: UserError) -> None:
        self.broken[row] = str(error)
        if len(self.broken) <= SAID:
            say(f"{self.source.name(row)}: {error}. Another takes its place.")

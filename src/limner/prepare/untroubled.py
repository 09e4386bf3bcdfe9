"""A file that HDF5 may write to where the disk is full."""

from __future__ import annotations

import io
from typing import Any


class Untroubled(io.FileIO):
    """A file that keeps a full disk from HDF5, which would crash; `problem` tells of it.

    From then on what is written stays in memory and can be read again, as HDF5 does with what it has written. So
    `check` often, which raises it.
    """

    problem: OSError | None = None

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.kept: list[tuple[int, bytes]] = []

    def check(self) -> None:
        """Raise the OSError that HDF5 was kept from, if there was one."""
        if self.problem is not None:
            raise self.problem

    def write(self, data: Any) -> int:
        left = memoryview(data).cast("B")
        while len(left) and self.problem is None:
            try:
                left = left[super().write(left) :]
            except OSError as error:
                self.problem = error
        if len(left):
            self.kept.append((self.tell(), bytes(left)))
            self.seek(len(left), io.SEEK_CUR)
        return memoryview(data).nbytes

    def readinto(self, buffer: Any) -> int:
        view, start = memoryview(buffer).cast("B"), self.tell()
        count = super().readinto(view) or 0
        for place, piece in self.kept:
            first, last = max(place, start) - start, min(place + len(piece), start + len(view)) - start
            if first < last:
                view[count:first] = bytes(max(0, first - count))
                view[first:last] = piece[start + first - place : start + last - place]
                count = max(count, last)
        self.seek(start + count)
        return count

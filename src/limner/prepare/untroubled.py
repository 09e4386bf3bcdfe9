"""A file that HDF5 may write to where the disk is full."""

from __future__ import annotations

import io
from typing import Any


class Untroubled(io.FileIO):
    """A file that keeps a full disk from HDF5, which would crash at the end of the process; `problem` tells of it."""

    problem: OSError | None = None

    def write(self, data: Any) -> int:
        left = memoryview(data).cast("B")
        while len(left) and self.problem is None:
            try:
                left = left[super().write(left) :]
            except OSError as error:
                self.problem = error
        return memoryview(data).nbytes

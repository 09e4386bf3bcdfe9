"""Two decoded sets: the inputs and the targets of a translation."""

from __future__ import annotations

import dataclasses

import numpy as np

from limner.core import files
from limner.core.config import Size
from limner.core.contract import Spec
from limner.data.store import Store


@dataclasses.dataclass(frozen=True)
class PairStore:
    """Inputs `a` and targets `b`, of one size.

    `paired` when they belong together: then item i is picture `rows_a[i]` of one and `rows_b[i]` of the other, and a
    picture whose partner could not be read is in neither. `copies` is how often a pair comes in an epoch.
    """

    a: Store
    b: Store
    paired: bool
    copies: int = 1

    @property
    def rows_a(self) -> np.ndarray:
        """Which picture of `a` an item of a pair is, int64."""
        return self._rows(self.a, self.b)

    @property
    def rows_b(self) -> np.ndarray:
        """Which picture of `b` an item of a pair is, int64."""
        return self._rows(self.b, self.a)

    @property
    def size(self) -> Size:
        """The size that both share."""
        return self.b.size

    @property
    def count(self) -> int:
        """Items in an epoch: pairs, or the pictures of the larger set."""
        return len(self.rows_a) * self.copies if self.paired else max(self.a.count, self.b.count)

    @property
    def spec(self) -> Spec:
        """What fixes the shapes of networks."""
        return Spec(self.b.channels, self.size.height, self.size.width, (), self.a.channels)

    @property
    def fingerprint(self) -> str:
        """Which pictures they are."""
        return files.sha256_of(f"{self.a.fingerprint} {self.b.fingerprint}".encode())

    @property
    def skipped(self) -> tuple[tuple[str, str], ...]:
        """Name and reason of what could not be read."""
        return self.a.skipped + self.b.skipped

    @staticmethod
    def _rows(own: Store, other: Store) -> np.ndarray:
        numbers = np.setdiff1d(np.arange(own.count + len(own.skipped_at)), own.skipped_at)  # of each row in its source
        return np.flatnonzero(~np.isin(numbers, other.skipped_at)).astype(np.int64)

"""A set of pictures as metrics see it: numbered, readable in any order, and known by who it is."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from limner.core import rng


@dataclasses.dataclass(frozen=True)
class PictureSet:
    """Some of the pictures of a source or a model, chosen and in order.

    `read` turns positions into pictures, uint8 (H, W, C) each, and raises UserError for one that is broken; `name`
    says what a message calls a position. `title` is what a protocol line calls the set, `total` how many there are to
    choose from (None: as many as one likes). `key` says which pictures they are, also after they were copied; empty
    when nothing can: what was seen in them is then not kept for the next time. `stamp` changes when a file is written
    anew. `background` allows `read` to work beside the network, as files do and a generator should not.
    """

    count: int
    read: Callable[[Sequence[int]], list[np.ndarray]]
    name: Callable[[int], str]
    title: str
    total: int | None = None
    key: str = ""
    stamp: str = ""
    background: bool = False

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits that stand for `key` in a protocol line."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:8] if self.key else ""


def choose(total: int, count: int, seed: int) -> np.ndarray:
    """Choose `count` of `total` positions by a seed, in ascending order; all of them when there are no more."""
    if count >= total:
        return np.arange(total)
    order = np.random.default_rng(rng.derive(seed, "evaluate")).permutation(total)
    return np.sort(order[:count])

"""Pictures kept aside: never trained on, so that what a discriminator says of them tells whether it learns by heart."""

from __future__ import annotations

import dataclasses

import numpy as np

from limner.core import rng
from limner.core.errors import UserError
from limner.data.store import MINIMUM, Store

SHARE = 0.05  # of a small set: it misses no more
FROM, BELOW = 200, 5_000  # pictures: fewer would be too few to judge by, and more are not learnt by heart


def count_aside(count: int, asked: int | None) -> int:
    """How many of `count` pictures are kept aside when a person asked for so many, or for nothing in particular.

    Errors: UserError when too few would be left to learn from.
    """
    if asked is None:
        return round(SHARE * count) if FROM <= count < BELOW else 0
    if asked and count - asked < max(MINIMUM, count // 2):
        raise UserError(f"--hold-out {asked}: of {count:,} pictures, at most half can be kept aside")
    return asked


def put_aside(store: Store, count: int) -> tuple[Store, Store]:
    """Split into what is learned from and `count` pictures kept aside, the same ones for every seed."""
    order = np.random.default_rng(rng.derive(0, "kept aside")).permutation(store.count)
    kept, aside = np.sort(order[count:]), np.sort(order[:count])
    return _some(store, kept), _some(store, aside)


def _some(store: Store, rows: np.ndarray) -> Store:
    labels = None if store.labels is None else store.labels[rows]
    return dataclasses.replace(store, pixels=np.asarray(store.pixels[rows]), labels=labels)

"""Pictures kept aside: never trained on, so that what a discriminator says of them tells whether it learns by heart."""

from __future__ import annotations

import numpy as np

from limner.core import rng
from limner.core.errors import UserError
from limner.data.store import MINIMUM

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


def put_aside(total: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Split `total` rows into those that are learned from and `count` kept aside, int64, the same for every seed."""
    order = np.random.default_rng(rng.derive(0, "kept aside")).permutation(total)
    return np.sort(order[count:]), np.sort(order[:count])

"""What the metrics of two sets share: checks of their vectors, the jackknife, and distances in bounded memory.

Distances are found with float32 matrix products of centred vectors and decided in float64: whatever rounding could
decide is computed again from the vectors themselves, so that no result depends on the size of the blocks or the order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from limner.core.errors import UserError

BLOCK = 1 << 22  # entries of a distance matrix that are held at a time: 16 MB of float32
TOLERANCE = 1e-5  # of the two squared lengths: how wrong float32 may be; 3e-7 was seen with 2,048 features
SPARE = 4  # candidates beyond the nearest that are asked for, in which float32 may have swapped neighbours
GROUPS = 10  # of the jackknife


def check(real: np.ndarray, fake: np.ndarray, least: int = 2) -> None:
    """Refuse vectors (N, D) that no metric can be made of.

    Errors: UserError for fewer than `least` of either, for NaN or infinite values, and for two different D.
    """
    check_vectors(real, "real", least)
    check_vectors(fake, "fake", least)
    if real.shape[1] != fake.shape[1]:
        raise UserError(
            f"real pictures have {real.shape[1]:,} features and fake ones {fake.shape[1]:,}: "
            "extract both with the same network"
        )


def check_vectors(vectors: np.ndarray, name: str, least: int = 2) -> None:
    """Refuse the vectors of one set, as `check` does; `name` says which set it is."""
    if vectors.ndim != 2:
        raise UserError(f"the {name} features have shape {vectors.shape}: expected one vector a picture, (N, D)")
    if len(vectors) < least:
        raise UserError(f"too few {name} pictures: there are {len(vectors):,}, and this metric needs {least} or more")
    finite(vectors, f"{name} feature vectors")


def finite(vectors: np.ndarray, name: str) -> None:
    """Raise a UserError that counts the rows of `vectors` (N, D) with NaN or infinite values."""
    with np.errstate(invalid="ignore"):  # inf - inf
        broken = int((~np.isfinite(vectors.sum(axis=1, dtype=np.float64))).sum())
    if broken:
        raise UserError(
            f"{broken:,} of {len(vectors):,} {name} hold NaN or infinity: look at the pictures that they come from; "
            "a generator that has diverged makes such"
        )


def binomial_error(share: float, count: int) -> float:
    """Standard error of a share of `count` independent pictures: sqrt(p (1 - p) / n)."""
    return float(np.sqrt(share * (1 - share) / count))


def jackknife_groups(real: int, fake: int, seed: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Deal `real` and `fake` pictures out at random: the group of each, int64 (N,), and how many groups there are.

    Leaving group k out of both sets leaves two pictures or more in each, given three.
    """
    groups = min(GROUPS, real, fake)
    draw = np.random.default_rng(seed)
    return draw.permutation(real) % groups, draw.permutation(fake) % groups, groups


def jackknife_error(values: Sequence[float] | np.ndarray) -> float:
    """Standard error from the values that leave one group out each (Efron and Tibshirani 1993, equation 11.5)."""
    left = np.asarray(values)
    return float(np.sqrt((len(left) - 1) / len(left) * np.square(left - left.mean()).sum()))


def nearest(x: np.ndarray, y: np.ndarray, count: int, others: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Find the `count` nearest of `y` (M, D) for each of `x` (N, D), nearest first.

    `others` says that both are the same set and that no vector is its own neighbour.
    Returns indices, int64 (N, count), and Euclidean distances, float64 (N, count).
    """
    wanted = min(count + SPARE, len(y) - others)
    indices, distances = np.empty((len(x), count), np.int64), np.empty((len(x), count))
    scaling = _scaling(x, y)
    for rows, squares, tolerance in _blocks(x, y, scaling):
        lines = np.arange(len(squares))
        if others:
            squares[lines, lines + rows.start] = np.inf
        # sorted by number, so that the stable sort below gives the first of equally near ones
        candidates = np.sort(np.argpartition(squares, wanted - 1, axis=1)[:, :wanted], axis=1)
        found = _exact(x, y, np.repeat(lines + rows.start, wanted), candidates.ravel()).reshape(candidates.shape)
        order = np.argsort(found, axis=1, kind="stable")[:, :count]
        indices[rows] = np.take_along_axis(candidates, order, axis=1)
        distances[rows] = np.take_along_axis(found, order, axis=1)
        # Near copies may be more than float32 can tell from the candidates: there all that may be as near are measured.
        # Not so around a distance of 0, which nothing undercuts, lest a thousand equal pictures take for ever.
        reach = distances[rows, -1]
        limit = np.where(reach > 0, np.square(reach * scaling[1]), -np.inf).astype(np.float32)
        squares -= tolerance
        maybe = squares <= limit[:, None]
        for line in np.flatnonzero(maybe.sum(axis=1) > np.take_along_axis(maybe, candidates, axis=1).sum(axis=1)):
            all_maybe = np.flatnonzero(maybe[line])
            found = _exact(x, y, np.full(len(all_maybe), rows.start + line), all_maybe)
            order = np.argsort(found, kind="stable")[:count]
            indices[rows.start + line], distances[rows.start + line] = all_maybe[order], found[order]
    return indices, distances


def within(
    x: np.ndarray, y: np.ndarray, radius_x: np.ndarray, radius_y: np.ndarray
) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Say of every pair whether it is nearer than the radius around either: yields blocks (rows of x, near x, near y).

    Both are bool (rows, M): `near_x[i, j]` is |x_i - y_j| < radius_x[i], `near_y[i, j]` is |x_i - y_j| < radius_y[j].
    """
    scaling = _scaling(x, y)
    for rows, squares, tolerance in _blocks(x, y, scaling):
        masks = []
        for radius in (radius_x[rows, None], radius_y[None]):
            # nothing is nearer than a radius of 0, and a thousand equal pictures need not be measured to know it
            limit = np.where(radius > 0, np.square(radius * scaling[1]), -np.inf).astype(np.float32)
            gap = limit - squares
            mask = gap > tolerance
            i, j = np.nonzero(np.abs(gap, out=gap) <= tolerance)
            mask[i, j] = _exact(x, y, i + rows.start, j) < np.broadcast_to(radius, mask.shape)[i, j]
            masks.append(mask)
        yield rows, masks[0], masks[1]


def _scaling(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    """A centre, and a factor that brings everything into [-1, 1]: far from it float32 would lose small distances."""
    centre = (x.mean(axis=0, dtype=np.float64) + y.mean(axis=0, dtype=np.float64)) / 2
    widest = max(np.abs(bound(part, axis=0) - centre).max() for part in (x, y) for bound in (np.min, np.max))
    return centre, 1 / widest if widest > 0 else 1.0


def _blocks(
    x: np.ndarray, y: np.ndarray, scaling: tuple[np.ndarray, float]
) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Squared distances of the scaled vectors, float32, and how wrong they may be, a block of rows of x at a time."""
    all_y = _scaled(y, scaling)
    square_y = np.square(all_y).sum(axis=1)
    size = max(1, BLOCK // len(y))
    for start in range(0, len(x), size):
        rows = slice(start, min(start + size, len(x)))
        part = _scaled(x[rows], scaling)
        # NumPy's product and not PyTorch's, which may be told to round float32 to bfloat16
        squares = part @ all_y.T
        squares *= -2
        lengths = np.square(part).sum(axis=1)[:, None] + square_y
        squares += lengths
        lengths *= TOLERANCE
        yield rows, squares, lengths


def _scaled(vectors: np.ndarray, scaling: tuple[np.ndarray, float]) -> np.ndarray:
    centre, factor = scaling
    scaled = np.empty(vectors.shape, np.float32)
    size = max(1, BLOCK // vectors.shape[1])
    for start in range(0, len(vectors), size):  # in blocks, since float64 in between would take twice the memory
        rows = slice(start, start + size)
        scaled[rows] = (vectors[rows] - centre) * factor
    return scaled


def _exact(x: np.ndarray, y: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Distances of the pairs (x[i], y[j]) in float64, of a pair always the same to the last bit."""
    distances = np.empty(len(i))
    size = max(1, BLOCK // 2 // x.shape[1])
    for start in range(0, len(i), size):
        pairs = slice(start, start + size)
        differences = x[i[pairs]].astype(np.float64) - y[j[pairs]]
        distances[pairs] = np.sqrt(np.square(differences, out=differences).sum(axis=1))
    return distances

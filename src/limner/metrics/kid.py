"""The kernel distance of two sets of feature vectors (KID): unbiased, and so the one to trust for few pictures."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from limner.metrics.distances import check, jackknife_error, jackknife_groups
from limner.metrics.metric import Evidence, Measure, SetMetric

TILE = 2048  # vectors on either side of the part of a kernel matrix that is held at a time: 34 MB
WHOLE_BELOW = 2000  # pictures of either set below which all are compared at once
SUBSETS, SUBSET = 100, 1000
DISPLAYED = 1000  # values are shown in thousandths


def polynomial_kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Compute k(x, y) = (x . y / D + 1)^3, float64 (N, M), of x (N, D) and y (M, D).

    Source: Binkowski et al. 2018, arXiv 1801.01401, section 4.
    """
    kernel = x.astype(np.float64) @ y.astype(np.float64).T
    kernel /= x.shape[1]
    kernel += 1
    return kernel * kernel * kernel


def mmd2(x: np.ndarray, y: np.ndarray) -> float:
    """Estimate the squared maximum mean discrepancy of x (N, D) and y (M, D) without bias; it may be negative.

    Mean kernel within x, plus within y, minus twice that between them; no vector is paired with itself. Source: Gretton
    et al. 2012, equation 3. Memory is bounded for any number of vectors.
    Errors: UserError for fewer than two vectors, for NaN or infinite ones, for different D.
    """
    check(x, y)
    return float(_mmd2(x, y, np.ones((len(x), 1)), np.ones((len(y), 1)))[0])


def subset_mmd2(x: np.ndarray, y: np.ndarray, subsets: int = SUBSETS, size: int = SUBSET, seed: int = 0) -> np.ndarray:
    """Estimate it once for each of `subsets` random draws of `size` vectors from both, without replacement.

    Returns float64 (subsets,). Errors: those of `mmd2`, and UserError for fewer than `size` vectors.
    """
    check(x, y, max(2, size))
    draw = np.random.default_rng(seed)
    chosen = [
        (draw.choice(len(x), size, replace=False), draw.choice(len(y), size, replace=False)) for _ in range(subsets)
    ]
    if len(x) ** 2 + len(x) * len(y) + len(y) ** 2 > 3 * subsets * size**2:
        one = np.ones((size, 1))
        return np.array([_mmd2(x[i], y[j], one, one)[0] for i, j in chosen])
    # subsets that overlap much share their kernels: each is then computed once
    of_x, of_y = np.zeros((len(x), subsets)), np.zeros((len(y), subsets))
    for k, (i, j) in enumerate(chosen):
        of_x[i, k] = of_y[j, k] = 1
    return _mmd2(x, y, of_x, of_y)


def _mmd2(x: np.ndarray, y: np.ndarray, of_x: np.ndarray, of_y: np.ndarray) -> np.ndarray:
    """One estimate for each column of `of_x` (N, S) and `of_y` (M, S), which mark by 1 who takes part: float64 (S,)."""
    n, m = of_x.sum(axis=0), of_y.sum(axis=0)
    within_x, within_y = _within(x, of_x) / (n * (n - 1)), _within(y, of_y) / (m * (m - 1))
    return within_x + within_y - 2 * _between(x, y, of_x, of_y) / (n * m)


def _between(x: np.ndarray, y: np.ndarray, of_x: np.ndarray, of_y: np.ndarray) -> np.ndarray:
    """Sums of the kernel over all chosen pairs: sum_ij of_x[i] k(x_i, y_j) of_y[j]."""
    total = np.zeros(of_x.shape[1])
    for i in range(0, len(x), TILE):
        rows = slice(i, i + TILE)
        for j in range(0, len(y), TILE):
            columns = slice(j, j + TILE)
            total += (of_x[rows] * (polynomial_kernel(x[rows], y[columns]) @ of_y[columns])).sum(axis=0)
    return total


def _within(x: np.ndarray, of_x: np.ndarray) -> np.ndarray:
    """The same within one set, without the pairs of a vector with itself; what lies below the diagonal is mirrored."""
    total = np.zeros(of_x.shape[1])
    for i in range(0, len(x), TILE):
        rows = slice(i, i + TILE)
        kernel = polynomial_kernel(x[rows], x[rows])
        np.fill_diagonal(kernel, 0)
        total += (of_x[rows] * (kernel @ of_x[rows])).sum(axis=0)
        total += 2 * _between(x[rows], x[i + TILE :], of_x[rows], of_x[i + TILE :])
    return total


class Kid(SetMetric):
    """The kernel distance in thousandths.

    Under 2,000 pictures in either set all are compared at once, and the error is the standard error of a jackknife that
    leaves out each tenth of both sets. From there on it is the mean over 100 random subsets of 1,000, as the field's
    tools have it, and the error is the standard deviation over the subsets (of one subset, that is, not of the mean).
    """

    better: ClassVar[Literal["lower", "higher"]] = "lower"
    results: ClassVar[dict[str, str]] = {"kid": "KID ×10³"}

    def measure(self, evidence: Evidence, seed: int = 0, errors: bool = True) -> dict[str, Measure]:
        """Measure; `seed` decides the subsets, or what the jackknife leaves out together."""
        real, fake = evidence.real.vectors, evidence.fake.vectors
        if min(len(real), len(fake)) >= WHOLE_BELOW:
            values = subset_mmd2(real, fake, seed=seed) * DISPLAYED
            note = f"± is the standard deviation over {SUBSETS} subsets of {SUBSET:,}"
            return {"kid": Measure(float(values.mean()), float(values.std()), note)}
        check(real, fake)
        if not errors or min(len(real), len(fake)) < 3:
            return {"kid": Measure(mmd2(real, fake) * DISPLAYED)}
        of_real, of_fake, groups = jackknife_groups(len(real), len(fake), seed)
        # the last column, which leaves out the group that there is not, is the whole
        parts = [(group[:, None] != np.arange(groups + 1)).astype(np.float64) for group in (of_real, of_fake)]
        values = _mmd2(real, fake, *parts) * DISPLAYED
        return {"kid": Measure(float(values[-1]), jackknife_error(values[:-1]))}

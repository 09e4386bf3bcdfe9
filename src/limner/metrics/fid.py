"""The Frechet distance of two sets of feature vectors, both taken for normal distributions (FID)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from limner.core.errors import UserError
from limner.metrics.distances import check, check_vectors, jackknife_error, jackknife_groups
from limner.metrics.metric import Evidence, Measure, SetMetric

ROWS = 4096  # vectors that are held in float64 at a time
BIASED_BELOW = 10_000  # pictures
PRECISION = 1e-8  # relative, of a distance: above, the quick way is left for the exact one


def statistics(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute mean (D,) and covariance (D, D) of vectors (N, D) in float64, the covariance divided by N - 1.

    Errors: UserError for fewer than two vectors and for NaN or infinite ones.
    """
    check_vectors(vectors, "given")
    return _Sums.of(vectors, vectors.mean(axis=0, dtype=np.float64)).statistics()


def frechet(mu1: np.ndarray, sigma1: np.ndarray, mu2: np.ndarray, sigma2: np.ndarray) -> float:
    """Compute the squared Frechet distance of two normal distributions, in [0, inf).

    |mu1 - mu2|^2 + tr(sigma1 + sigma2 - 2 (sigma1 sigma2)^.5) in float64, with means (D,) and covariances (D, D);
    those that do not have full rank are welcome. Source: Dowson and Landau 1982; Heusel et al. 2017, arXiv 1706.08500,
    equation 6. Errors: UserError for shapes that do not fit together and for NaN or infinity.
    """
    mu1, sigma1, mu2, sigma2 = (np.asarray(part, np.float64) for part in (mu1, sigma1, mu2, sigma2))
    d = mu1.size
    if mu1.shape != (d,) or mu2.shape != (d,) or sigma1.shape != (d, d) or sigma2.shape != (d, d):
        shapes = ", ".join(str(part.shape) for part in (mu1, sigma1, mu2, sigma2))
        raise UserError(f"means and covariances have the shapes {shapes}: expected (D,), (D, D), (D,), (D, D)")
    if not all(np.isfinite(part).all() for part in (mu1, sigma1, mu2, sigma2)):
        raise UserError("means or covariances hold NaN or infinity: look at the features that they come from")
    first, second = torch.from_numpy(sigma1), torch.from_numpy(sigma2)
    lower1, lower2 = _cholesky(first), _cholesky(second)
    difference, traces = mu1 - mu2, float(sigma1.trace() + sigma2.trace())
    if lower1 is not None and lower2 is not None:
        # L1^T S2 L1 has the eigenvalues of S1 S2; those that are lost in the rounding of the largest would be missed
        values = torch.linalg.eigvalsh(lower1.T @ second @ lower1).clamp_min(0)
        distance = _distance(difference, traces, values.sqrt().sum())
        lost = torch.finfo(values.dtype).eps * values[-1] * values.rsqrt().sum()
        if lost < PRECISION * distance:
            return distance
    return _distance(difference, traces, _cross(_root(first, lower1), _root(second, lower2)))


def fid(real: np.ndarray, fake: np.ndarray) -> float:
    """Compute the squared Frechet distance of vectors (N, D) and (M, D), fast and exact even for fewer than D of them.

    Errors: UserError for fewer than two vectors, for NaN or infinite ones, for different D.
    """
    check(real, fake)
    return _fid(real, fake)


def _fid(real: np.ndarray, fake: np.ndarray) -> float:
    if min(len(real), len(fake)) > real.shape[1]:
        return frechet(*statistics(real), *statistics(fake))
    (mu1, trace1, root1), (mu2, trace2, root2) = _few(real), _few(fake)
    return _distance(mu1 - mu2, trace1 + trace2, _cross(root1, root2))


def _few(vectors: np.ndarray) -> tuple[np.ndarray, float, Tensor]:
    """Mean, trace of the covariance, and a root of it: of fewer than D vectors themselves, without a (D, D) matrix."""
    if len(vectors) > vectors.shape[1]:
        mu, sigma = statistics(vectors)
        covariance = torch.from_numpy(sigma)
        return mu, float(sigma.trace()), _root(covariance, _cholesky(covariance))
    mu = vectors.mean(axis=0, dtype=np.float64)
    root = (vectors - mu) / (len(vectors) - 1) ** 0.5
    return mu, float(np.square(root).sum()), torch.from_numpy(root)


def _distance(difference: np.ndarray, traces: float, cross: Tensor) -> float:
    # the exact value is never negative, but the rounding of two large traces can be
    return max(0.0, float(difference @ difference) + traces - 2 * float(cross))


def _cross(root1: Tensor, root2: Tensor) -> Tensor:
    """tr (S1 S2)^.5 from R1 (p, D) and R2 (q, D) with R^T R = S: the sum of the singular values of R1 R2^T."""
    return torch.linalg.svdvals(root1 @ root2.T).sum()


def _cholesky(sigma: Tensor) -> Tensor | None:
    """The lower Cholesky factor, or None without full rank."""
    lower, failed = torch.linalg.cholesky_ex(sigma)
    return None if failed else lower


def _root(sigma: Tensor, lower: Tensor | None) -> Tensor:
    """R (r, D) with R^T R = sigma of rank r; the square roots of mere rounding errors would add up to much."""
    if lower is not None:
        return lower.T
    values, vectors = torch.linalg.eigh(sigma)
    kept = values > len(sigma) * torch.finfo(sigma.dtype).eps * values[-1].abs()
    return (vectors[:, kept] * values[kept].sqrt()).T


@dataclasses.dataclass(frozen=True)
class _Sums:
    """How many vectors, and the sums of x and of x x^T, both around a centre: enough to leave some out again."""

    count: int
    centre: np.ndarray
    total: np.ndarray
    scatter: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray, centre: np.ndarray) -> _Sums:
        d = len(centre)
        total, scatter = np.zeros(d), np.zeros((d, d))
        for start in range(0, len(vectors), ROWS):
            part = vectors[start : start + ROWS] - centre
            total += part.sum(axis=0)
            scatter += part.T @ part
        return cls(len(vectors), centre, total, scatter)

    def without(self, other: _Sums) -> _Sums:
        count, total = self.count - other.count, self.total - other.total
        return _Sums(count, self.centre, total, self.scatter - other.scatter)

    def statistics(self) -> tuple[np.ndarray, np.ndarray]:
        scatter = self.scatter - np.outer(self.total, self.total / self.count)
        return self.centre + self.total / self.count, scatter / (self.count - 1)


def _leaving_out(vectors: np.ndarray, group: np.ndarray, groups: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Statistics without each group in turn, at the cost of seeing every vector twice."""
    centre = vectors.mean(axis=0, dtype=np.float64)
    whole = _Sums.of(vectors, centre)
    for k in range(groups):
        yield whole.without(_Sums.of(vectors[group == k], centre)).statistics()


def _error(real: np.ndarray, fake: np.ndarray, seed: int) -> float | None:
    if min(len(real), len(fake)) < 3:
        return None  # one picture would be left, which has no covariance
    of_real, of_fake, groups = jackknife_groups(len(real), len(fake), seed)
    if min(len(real), len(fake)) * (groups - 1) // groups > real.shape[1]:
        pairs = zip(_leaving_out(real, of_real, groups), _leaving_out(fake, of_fake, groups), strict=True)
        return jackknife_error([frechet(*one, *other) for one, other in pairs])
    return jackknife_error([_fid(real[of_real != k], fake[of_fake != k]) for k in range(groups)])


class Fid(SetMetric):
    """The Frechet distance, with the standard error of a jackknife that leaves out each tenth of both sets.

    The error says how much another draw of as many pictures would change the number; it does not cover the bias of
    few pictures, which raises it.
    """

    better: ClassVar[Literal["lower", "higher"]] = "lower"
    results: ClassVar[dict[str, str]] = {"fid": "FID"}

    def measure(self, evidence: Evidence, seed: int = 0, errors: bool = True) -> dict[str, Measure]:
        """Measure; `seed` decides what the jackknife leaves out together."""
        real, fake = evidence.real.vectors, evidence.fake.vectors
        value = fid(real, fake)
        few, notes = min(len(real), len(fake)), []
        if few <= real.shape[1]:
            notes.append(f"rank-deficient: {few:,} pictures for {real.shape[1]:,} features")
        if few < BIASED_BELOW:
            notes.append(f"too high for fewer than {BIASED_BELOW:,} pictures")
        return {"fid": Measure(value, _error(real, fake, seed) if errors else None, "; ".join(notes))}

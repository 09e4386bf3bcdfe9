"""Precision and recall, density and coverage: how real fakes look, and how much of the reals' variety they reach."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from limner.core.errors import UserError
from limner.metrics.distances import binomial_error, check, nearest, within
from limner.metrics.metric import Evidence, Measure, SetMetric

NEIGHBOURS = 5


def prdc(real: np.ndarray, fake: np.ndarray, k: int = NEIGHBOURS) -> dict[str, Measure]:
    """Measure how two clouds of vectors, (N, D) and (M, D), cover each other.

    Every vector carries a ball that reaches to its k-th nearest neighbour in its own set, itself excluded; a vector is
    inside when it is strictly nearer than that. Then

    - precision: the share of fakes inside the ball of some real, in [0, 1];
    - recall: the share of reals inside the ball of some fake, in [0, 1]. It says little of fakes that lie far apart,
      whose balls are large: mere noise reaches a high recall;
    - density: the mean number of reals' balls around a fake over k; about 1 for equal distributions, and above where
      fakes crowd in the middle;
    - coverage: the share of reals whose ball holds some fake, in [0, 1].

    Standard errors are those of a mean over pictures with the balls taken as given (binomial for the shares).
    Density and coverage use k = 5 (Naeem et al. 2020, arXiv 2002.09797, section 3); improved precision and recall
    (Kynkäänniemi et al. 2019, arXiv 1904.06991, equation 2) was published with k = 3.
    Errors: UserError for fewer than k + 1 vectors, for NaN or infinite ones, for different D.
    """
    if k < 1:
        raise UserError(f"k = {k} neighbours were asked for: at least 1 is needed")
    check(real, fake, k + 1)
    real_radius = nearest(real, real, k, others=True)[1][:, -1]
    fake_radius = nearest(fake, fake, k, others=True)[1][:, -1]
    around = np.zeros(len(fake), np.int64)  # how many reals' balls hold each fake
    recalled, covered = np.empty(len(real), bool), np.empty(len(real), bool)
    for rows, near_real, near_fake in within(real, fake, real_radius, fake_radius):
        around += near_real.sum(axis=0)
        covered[rows] = near_real.any(axis=1)
        recalled[rows] = near_fake.any(axis=1)
    density_error = float(around.std(ddof=1)) / k / len(fake) ** 0.5
    return {
        "precision": _share(around > 0),
        "recall": _share(recalled),
        "density": Measure(float(around.mean()) / k, density_error),
        "coverage": _share(covered),
    }


def _share(hits: np.ndarray) -> Measure:
    share = float(hits.mean())
    return Measure(share, binomial_error(share, len(hits)))


class Prdc(SetMetric):
    """Precision, recall, density and coverage with the five nearest neighbours."""

    better: ClassVar[Literal["lower", "higher"]] = "higher"
    results: ClassVar[dict[str, str]] = {
        "precision": "precision",
        "recall": "recall",
        "density": "density",
        "coverage": "coverage",
    }
    least: ClassVar[int] = NEIGHBOURS + 1

    def measure(self, evidence: Evidence, seed: int = 0, errors: bool = True) -> dict[str, Measure]:
        """Measure all four; nothing is drawn, and their errors cost nothing."""
        return prdc(evidence.real.vectors, evidence.fake.vectors)

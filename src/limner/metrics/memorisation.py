"""Memorisation: does a model make new pictures, or hand those of its training set back?"""

from __future__ import annotations

from typing import ClassVar, Literal, NamedTuple

import numpy as np

from limner.core.errors import UserError
from limner.metrics.distances import check, check_vectors, nearest
from limner.metrics.metric import Evidence, Measure, SetMetric

SUSPICIOUS = 1 / 3  # of the usual spacing: a fake that is nearer to a training picture looks like a copy
ALARM = 0.01  # share of such fakes above which a model is said to memorise


class Neighbour(NamedTuple):
    """A fake, the training picture nearest to it, how far apart they are, and that over the usual spacing there."""

    fake: int
    real: int
    distance: float
    ratio: float


def neighbours(fake: np.ndarray, real: np.ndarray, count: int | None = None) -> list[Neighbour]:
    """Find the training picture nearest to each fake; most suspicious first, the first `count` or all of them.

    `fake` is (N, D) and `real`, the vectors of the training pictures, (M, D). Errors: those of `ratios`.
    """
    index, distance, ratio = ratios(fake, real)
    order = np.argsort(ratio, kind="stable")[:count]
    return [Neighbour(int(i), int(index[i]), float(distance[i]), float(ratio[i])) for i in order]


def ratios(fake: np.ndarray, real: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compare how far each fake is from the nearest training picture with how far that one is from the others.

    Returns, for fakes (N, D) and training pictures (M, D): the nearest picture's number, int64 (N,), its distance,
    float64 (N,), and the ratio of it to the spacing there, float64 (N,). About 1: as new as the training pictures are
    to each other; near 0: a copy. Memory is bounded; time grows with M (N + M).
    Errors: UserError for fewer than two training pictures, for NaN or infinite vectors, for different D, and for
    training pictures of which most are the same.
    """
    check(real, fake, 1)
    check_vectors(real, "training", 2)
    spacing = nearest(real, real, 1, others=True)[1][:, 0]
    usual = float(np.median(spacing))
    if usual == 0:
        raise UserError(
            f"{(spacing == 0).mean():.0%} of the {len(real):,} training pictures have an exact double, so that nothing "
            "tells a copy from a new picture: remove the doubles"
        )
    # The spacing is that around the nearest picture itself, since classes differ in it: measured against one for all,
    # 1 % of MNIST's own test digits (the ones, which are all alike) would pass for copies, and none is so. But doubles
    # and frames of one film are near to each other without telling how near a new picture may be, hence the floor.
    index, distance = (found[:, 0] for found in nearest(fake, real, 1))
    return index, distance, distance / np.maximum(spacing[index], usual * SUSPICIOUS)


class Memorisation(SetMetric):
    """The median over all fakes of the distance to the nearest training picture, over the usual spacing there.

    The real pictures must be those that the model was trained on. The error is half the distance of the quantiles that
    lie one binomial standard error below and above the median.
    """

    better: ClassVar[Literal["lower", "higher"]] = "higher"
    results: ClassVar[dict[str, str]] = {"memorisation": "memorisation"}

    def measure(self, evidence: Evidence, seed: int = 0, errors: bool = True) -> dict[str, Measure]:
        """Measure; the note says how many fakes look like copies, and whether that is too many."""
        check(evidence.real.vectors, evidence.fake.vectors, self.least)
        ratio = ratios(evidence.fake.vectors, evidence.real.vectors)[2]
        aside = 0.5 / len(ratio) ** 0.5
        low, middle, high = np.quantile(ratio, [max(0.0, 0.5 - aside), 0.5, min(1.0, 0.5 + aside)])
        share = float((ratio < SUSPICIOUS).mean())
        note = f"{share:.1%} nearer to a training picture than a third of the usual spacing"
        if share > ALARM:
            note += ": suspicious, look at the nearest neighbours"
        error = float(high - low) / 2
        return {"memorisation": Measure(float(middle), error, note)}

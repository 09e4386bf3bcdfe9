"""The inception score: how sure a classifier is of each picture, and how varied its answers are over all of them."""

from __future__ import annotations

import itertools
from typing import ClassVar, Literal

import numpy as np

from limner.core.errors import UserError
from limner.metrics.distances import finite
from limner.metrics.metric import Evidence, Measure, SetMetric

SPLITS = 10
USUAL_ANSWERS, USUAL_COUNT = 1008, 50_000


def inception_scores(logits: np.ndarray, splits: int = SPLITS) -> np.ndarray:
    """Compute exp(mean KL(p(y|x) || p(y))) of logits (N, K) in equal parts in the given order.

    Returns float64 (splits,), each in [1, K]. Source: Salimans et al. 2016, arXiv 1606.03498, section 4.
    Errors: UserError for fewer logits than splits and for NaN or infinite ones.
    """
    if logits.ndim != 2 or len(logits) < splits:
        raise UserError(f"logits of shape {logits.shape} make no inception score: expected (N, K), N at least {splits}")
    finite(logits, "rows of logits")
    edges = [len(logits) * part // splits for part in range(splits + 1)]
    return np.array([_score(logits[start:end]) for start, end in itertools.pairwise(edges)])


def _score(logits: np.ndarray) -> float:
    log_p = logits.astype(np.float64)
    log_p -= log_p.max(axis=1, keepdims=True)
    log_p -= np.log(np.exp(log_p).sum(axis=1, keepdims=True))
    p = np.exp(log_p)
    mean = p.mean(axis=0)
    # where the mean is 0 every p is 0, and 0 log 0 counts as 0
    log_mean = np.log(mean, out=np.zeros_like(mean), where=mean > 0)
    return float(np.exp((p * (log_p - log_mean)).sum(axis=1).mean()))


class InceptionScore(SetMetric):
    """The mean of the scores of ten parts, in the given order; the error is the standard deviation over the parts.

    The usual number has the 1,008 logits of FID's Inception and 50,000 pictures; fewer pictures give a lower one. It
    never looks at the real pictures.
    """

    better: ClassVar[Literal["lower", "higher"]] = "higher"
    results: ClassVar[dict[str, str]] = {"is": "inception score"}
    needs: ClassVar[Literal["features", "logits", "labels"]] = "logits"
    least: ClassVar[int] = SPLITS

    def measure(self, evidence: Evidence, seed: int = 0, errors: bool = True) -> dict[str, Measure]:
        """Measure the fakes; nothing is drawn."""
        logits = evidence.fake.logits
        if logits is None:
            raise UserError("the inception score needs a classifier's answers, which these features do not have")
        scores = inception_scores(logits)
        notes = [f"± is the standard deviation over {SPLITS} parts"]
        if logits.shape[1] != USUAL_ANSWERS:
            notes.append(f"of {logits.shape[1]:,} answers: not the published score, which has {USUAL_ANSWERS:,}")
        if len(logits) < USUAL_COUNT:
            notes.append(f"too low for fewer than {USUAL_COUNT:,} pictures")
        return {"is": Measure(float(scores.mean()), float(scores.std()), "; ".join(notes))}

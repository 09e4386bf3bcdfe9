"""Class accuracy: how often a classifier sees the class that a conditional model was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np

from limner.core.errors import UserError, listing
from limner.metrics.distances import binomial_error, finite
from limner.metrics.metric import Evidence, Measure, SetMetric


def recognised(logits: np.ndarray, labels: np.ndarray, classes: Sequence[str], answers: Sequence[str]) -> np.ndarray:
    """Say of each picture whether the likeliest of all answers is the class that was asked for, bool (N,).

    `logits` (N, K) with `answers[j]` the name of column j; `labels`, int (N,), with `classes[k]` the name of label k.
    The names decide, not the numbers. Errors: UserError for a class that is no answer, for labels that are no class,
    for numbers that do not fit together, and for NaN or infinite logits.
    """
    if logits.ndim != 2 or logits.shape != (len(labels), len(answers)):
        raise UserError(
            f"logits of shape {logits.shape} do not fit {len(labels):,} labels and {len(answers):,} answers: "
            "expected one row a picture and one column an answer"
        )
    unknown = [name for name in classes if name not in answers]
    if unknown:
        raise UserError(
            f"the classifier has no answer for the model's {listing(unknown)}: it knows {listing(answers)}. "
            "Class accuracy needs a classifier of the same classes"
        )
    if len(labels) and (labels.min() < 0 or labels.max() >= len(classes)):
        raise UserError(f"labels from {labels.min()} to {labels.max()} do not fit the {len(classes):,} classes")
    finite(logits, "rows of logits")
    columns = np.array([list(answers).index(name) for name in classes], np.int64)
    return logits.argmax(axis=1) == columns[labels]


class ClassAccuracy(SetMetric):
    """The share of fakes that show the class asked for, in [0, 1], with its binomial standard error."""

    better: ClassVar[Literal["lower", "higher"]] = "higher"
    results: ClassVar[dict[str, str]] = {"accuracy": "class accuracy"}
    needs: ClassVar[Literal["features", "logits", "labels"]] = "labels"
    least: ClassVar[int] = 1

    def measure(self, evidence: Evidence, seed: int = 0, errors: bool = True) -> dict[str, Measure]:
        """Measure the fakes; the note names the class that is recognised least."""
        logits, labels, classes = evidence.fake.logits, evidence.labels, evidence.classes
        if logits is None or labels is None:
            raise UserError("class accuracy needs a classifier's answers and a model that is told which class to make")
        if not len(labels):
            raise UserError("class accuracy needs at least 1 generated picture")
        hits = recognised(logits, labels, classes, evidence.answers)
        share = float(hits.mean())
        shares = {k: float(hits[labels == k].mean()) for k in np.unique(labels)}
        worst = min(shares, key=lambda k: shares[k])
        note = f"worst: {classes[worst]} with {shares[worst]:.1%} of {int((labels == worst).sum()):,}"
        return {"accuracy": Measure(share, binomial_error(share, len(hits)), note)}

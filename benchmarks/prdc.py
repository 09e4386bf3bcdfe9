"""Precision, recall, density and coverage of 10,000 against 10,000 vectors: time and memory, and against whole matrices."""

from __future__ import annotations

import multiprocessing
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import harness
from limner.metrics.prdc import NEIGHBOURS, prdc

COUNT, FEATURES = 10_000, 2048
ROUNDS = 3


def vectors(seed: int, spread: float) -> np.ndarray:
    """Vectors like features: many that hang together, cut off at 0, float32 (COUNT, FEATURES)."""
    mix = np.random.default_rng(0).standard_normal((64, FEATURES), dtype=np.float32)
    draw = np.random.default_rng(seed)
    made = draw.standard_normal((COUNT, 64), dtype=np.float32) @ mix
    made *= spread / 8
    made += 0.3 * draw.standard_normal((COUNT, FEATURES), dtype=np.float32)
    return np.maximum(made, 0, out=made)


def whole(real: np.ndarray, fake: np.ndarray) -> dict[str, float]:
    """The definitions in float64 on whole distance matrices."""
    real, fake = real.astype(np.float64), fake.astype(np.float64)

    def squares(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.square(x).sum(1)[:, None] + np.square(y).sum(1) - 2 * x @ y.T

    def radii(x: np.ndarray) -> np.ndarray:
        own = squares(x, x)
        np.fill_diagonal(own, np.inf)
        return np.partition(own, NEIGHBOURS - 1, axis=1)[:, NEIGHBOURS - 1]

    of_real, of_fake, between = radii(real), radii(fake), squares(real, fake)
    near_real, near_fake = between < of_real[:, None], between < of_fake
    return {
        "precision": near_real.any(0).mean(),
        "recall": near_fake.any(1).mean(),
        "density": near_real.sum(0).mean() / NEIGHBOURS,
        "coverage": near_real.any(1).mean(),
    }


def ours(real: np.ndarray, fake: np.ndarray) -> dict[str, float]:
    """Ours, values only."""
    return {name: measure.value for name, measure in prdc(real, fake).items()}


def memory() -> float:
    """Bytes that this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def measured(run: Callable[[np.ndarray, np.ndarray], dict[str, float]]) -> tuple[float, float, dict[str, float]]:
    """Seconds, the most memory beyond that of the vectors in bytes, and what came out: in a fresh process."""
    real, fake = vectors(1, 1.0), vectors(2, 0.95)
    before = memory()
    begun = time.perf_counter()
    found = run(real, fake)
    seconds = time.perf_counter() - begun
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before, found


def main() -> None:
    """Measure and write the result."""
    begun = os.getloadavg()[0]
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        taken = [[pool.apply(measured, (run,)) for run in (ours, whole)] for _ in range(ROUNDS)]
    (_, mine, value), (_, most, other) = taken[0]
    seconds = [harness.Figures.of([one[side][0] for one in taken]) for side in (0, 1)]
    values = ", ".join(f"{name} {number:.4f}" for name, number in value.items())
    worst = max(abs(value[name] - other[name]) for name in value)
    harness.write(
        "prdc",
        "Precision, recall, density and coverage of 10,000 x 10,000 pictures",
        f"""
{FEATURES:,} features, float32, k = {NEIGHBOURS}. Every run in a fresh process, in turn, {ROUNDS} rounds; min / median / max. Memory: the
most that the process held, less what it held before with the vectors in memory. Load average before and after:
{begun:.1f}, {os.getloadavg()[0]:.1f} (above the number of cores both waited for other programs).

| | seconds | extra memory |
| --- | --- | --- |
| limner, in blocks | {seconds[0]} | **{mine / 1e6:,.0f} MB** |
| whole distance matrices in float64 | {seconds[1]} | {most / 1e6:,.0f} MB |

What came out: {values}; the largest difference to the float64 matrices is {worst:.0e}.

Ours: float32 products of centred vectors in blocks of 16 MB; every comparison that float32 could get wrong is made
again in float64 from the vectors themselves, so that neither the blocks nor the order change the result.
""",
    )

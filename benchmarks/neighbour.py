"""A pix2pix step alone, beside a process that keeps one core busy, and beside one that keeps all busy."""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import harness

ROOT = Path(__file__).parent.parent
ROUNDS, STEPS = 5, 3
AIM = 2.5
SETTINGS = ("GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_NUM_THREADS", "OMP_WAIT_POLICY")  # each process finds its own
NAMES = {"limner": "limner", "reference": "reference, PyTorch's defaults"}
BUSY = """
import hashlib, sys, threading
def work():
    block = bytes(1 << 24)
    while True:
        hashlib.sha256(block).digest()  # lets go of Python's lock: one thread, one core
for _ in range(int(sys.argv[1])):
    threading.Thread(target=work).start()
"""


class Stepper:
    """A process of `benchmarks.stepping` that waits for its turn."""

    def __init__(self, kind: str) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in SETTINGS}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.stepping", kind],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def step(self) -> float:
        """Seconds of a step."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit("the process that steps broke down; what it said stands above")
        return float(answer)

    def seconds(self) -> float:
        """The median of some steps, after one to get used to the company."""
        self.step()
        return statistics.median(self.step() for _ in range(STEPS))


@contextlib.contextmanager
def neighbour(cores: int) -> Iterator[None]:
    """A process that keeps so many cores busy."""
    if not cores:
        yield
        return
    process = subprocess.Popen([sys.executable, "-c", BUSY, str(cores)])
    try:
        time.sleep(1)  # until it is busy
        yield
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Measure in turn and write the result."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    company = {"alone": 0, "one core busy": 1, f"all {cores} cores busy": cores}
    steppers = {kind: Stepper(kind) for kind in NAMES}
    begun = os.getloadavg()[0]
    taken: dict[tuple[str, str], list[float]] = {(kind, word): [] for kind in NAMES for word in company}
    try:
        for stepper in steppers.values():
            stepper.step()
        for number in range(ROUNDS):
            for word, busy in company.items():
                with neighbour(busy):
                    for kind in NAMES if number % 2 == 0 else reversed(NAMES):
                        taken[kind, word].append(steppers[kind].seconds())
    finally:
        for stepper in steppers.values():
            stepper.process.kill()
            stepper.process.wait()
    rows, worst = [], 0.0
    for kind, title in NAMES.items():
        for word in company:
            seconds = taken[kind, word]
            slower = harness.Figures.of([now / alone for now, alone in zip(seconds, taken[kind, "alone"], strict=True)])
            rows.append(
                f"| {title} | {word} | {harness.Figures.of(seconds)} | {'' if word == 'alone' else f'**{slower}**'} |"
            )
            worst = max(worst, slower.middle if kind == "limner" else 0.0)
    harness.write(
        "neighbour",
        "A pix2pix step with a busy neighbour",
        f"""
`pix2pix`, 256 px, batch 1, as many threads as PyTorch takes by itself. Each trains in a process of its own; one waits while the
other steps. Every figure is the median of {STEPS} steps, after one to get used to the company; {ROUNDS} rounds, min / median / max;
slowdowns are taken within each round. The neighbour is a process that hashes in one thread, or in one for every core.
Load average before: {begun:.1f} (near 0 when nothing else ran).

| who steps | neighbour | seconds | times as long as alone |
| --- | --- | --- | --- |
{chr(10).join(rows)}

limner's worst median is {worst:.2f} times; the aim is at most {AIM}. Sharing fairly, {cores} threads beside {cores} others would take 2 times.

limner's processes let OpenMP's threads spin only shortly at a barrier before they sleep (`core/environment.py`, set before
PyTorch is loaded; what the user has set stays). By PyTorch's defaults they spin long, and a thread that spins takes from the one it
waits for the core that this one needs to arrive.
""",
    )

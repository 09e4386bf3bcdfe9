"""Times two things in turn, so that a machine that speeds up or slows down does so for both, and prints ratios."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch

from limner.core.runs import Run

HELD = 10  # times as long as usual from one log line to the next: something else than training
RESULTS = Path(__file__).parent / "results"


@dataclasses.dataclass(frozen=True)
class Figures:
    """Minimum, median and maximum of some numbers."""

    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Figures:
        """Sum numbers up."""
        return cls(min(values), statistics.median(values), max(values))

    def scaled(self, factor: float) -> Figures:
        """The same in another unit."""
        return Figures(self.low * factor, self.middle * factor, self.high * factor)

    def __str__(self) -> str:
        values = (self.low, self.middle, self.high)
        return " / ".join(f"{value:,.0f}" if value >= 100 else f"{value:.3g}" for value in values)


@dataclasses.dataclass(frozen=True)
class Race:
    """Seconds of ours and of the peer's, and the peer's over ours round by round: above 1, ours is faster."""

    ours: Figures
    peer: Figures
    ratio: Figures


def race(ours: Callable[[], object], peer: Callable[[], object], rounds: int = 15, warm_up: int = 2) -> Race:
    """Run ours and the peer in turn, A B B A A B ..., and compare them within each round."""
    for _ in range(warm_up):
        ours()
        peer()
    seconds: dict[str, list[float]] = {"ours": [], "peer": []}
    for number in range(rounds):
        pair = [("ours", ours), ("peer", peer)]
        for name, run in pair if number % 2 == 0 else reversed(pair):
            begun = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - begun)
    ratios = [peer / ours for ours, peer in zip(seconds["ours"], seconds["peer"], strict=True)]
    return Race(Figures.of(seconds["ours"]), Figures.of(seconds["peer"]), Figures.of(ratios))


def matrix_rate(size: int = 2048, rounds: int = 8) -> float:
    """The best float32 matrix product of this machine, in FLOP/s: what no step can exceed."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    best = float("inf")
    for _ in range(rounds):
        begun = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - begun)
    return 2 * size**3 / best


def processor() -> str:
    """The model of this machine's processor and which of its instructions PyTorch uses."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.is_file():
        names = [line.split(":")[1].strip() for line in information.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return f"{model} ({torch.backends.cpu.get_cpu_capability()})"


def machine() -> str:
    """What this machine is, in a line."""
    return (
        f"{processor()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads; "
        f"Python {platform.python_version()}, PyTorch {torch.__version__}"
    )


def measured() -> str:
    """When and on what a row is measured: rows of one page may come from several days and machines."""
    return f"{datetime.date.today().isoformat()}, {processor()}"


def seconds_of(run: Path) -> float:
    """How long a run has trained, by its own clock; time for which it was held (SIGSTOP) is left out."""
    ends = [line["seconds"] for line in Run(run).metrics() if line["kind"] == "log"]
    spans = [end - begin for begin, end in itertools.pairwise([0.0, *ends])]
    return sum(span for span in spans if span < HELD * statistics.median(spans))


def chosen(names: Iterable[str]) -> list[str]:
    """Those that ONLY=one,two in the environment names; all, where it is not set."""
    return os.environ["ONLY"].split(",") if os.environ.get("ONLY") else list(names)


def kept(name: str) -> dict[str, str]:
    """The rows of a result's first table, by their first cell: what a later run on another day adds to."""
    path = RESULTS / f"{name}.md"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    rows = [line for line in lines if line.startswith("| ")][2:]
    return {row.split("|")[1].strip(): row for row in rows}


def write(name: str, title: str, body: str) -> Path:
    """Write a result as a page that says machine, date and command."""
    path = RESULTS / f"{name}.md"
    path.parent.mkdir(exist_ok=True)
    today = datetime.date.today().isoformat()
    command = f"python -m benchmarks {name}"
    path.write_text(f"# {title}\n\n{machine()}; {today}; `{command}`\n\n{body.strip()}\n", encoding="utf-8")
    sys.stdout.write(path.read_text(encoding="utf-8") + "\n")
    return path

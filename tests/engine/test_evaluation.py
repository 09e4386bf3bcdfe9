"""When a run measures itself, what it keeps, and what it says when nothing improves."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from limner.core.clock import Clock
from limner.core.runs import Run
from limner.engine.distributed import Ranks
from limner.engine.evaluation import PATIENCE, SHARE, Evaluate
from limner.engine.hooks import Journal

STEP = 100


class Bench:
    """A run of 100,000 images at 1,000 a second whose measurements cost what one says."""

    def __init__(self, folder: Path, cost: float, values: Any = None, every: int | None = None) -> None:
        self.run, self.saved, self.cost = Run(folder), [], cost
        folder.mkdir(exist_ok=True)
        journal = Journal(self.run, [], writes=True)
        checkpoints = SimpleNamespace(files=lambda: ["newest"], save_best=lambda path, value: self.saved.append(value))
        save: Any = type("Save", (), {"checkpoints": checkpoints, "__call__": lambda self, training: None})()
        self.run.model_file.write_bytes(b"a model")
        self.foretold = 0
        self.values = values or (lambda images: 1.0)
        self.hook = Evaluate(
            self.run, journal, save, self.measure, every, STEP, "kid", True, self.foretell, not_before=1.0
        )

    def foretell(self) -> float:
        self.foretold += 1
        return self.cost

    def measure(self, training: Any) -> tuple[dict[str, float], str]:
        return {"kid": self.values(training.clock.images)}, "how"

    def train(self, total: int = 100_000, begin: int = 0) -> list[int]:
        """Train on and return when it was measured."""
        clock = Clock(total, begin, begin)
        training: Any = SimpleNamespace(
            clock=clock, ranks=Ranks(), seconds=begin / 1000, mark=(0, 0.0), check_weights=lambda: None
        )
        while not clock.done:
            clock.advance(STEP)
            training.seconds += STEP / 1000
            if self.hook.due(training):
                self.hook(training)
                lines = self.run.metrics_file.read_text().splitlines()
                last = json.loads(lines[-1] if "metric/kid" in lines[-1] else lines[-2])
                costing = {**last, "seconds": self.cost}
                lines = [line for line in lines if json.loads(line) != last]
                self.run.metrics_file.write_text("\n".join([*lines, json.dumps(costing)]) + "\n")
                self.hook.cost = self.cost
                training.seconds += self.cost
        return [line["images"] for line in self.run.metrics() if line["kind"] == "evaluation"]


@pytest.mark.parametrize("cost", [0.21, 0.95, 2.4])
def test_measuring_costs_a_twentieth_at_most_and_is_spread(cost: float, tmp_path: Path) -> None:
    bench = Bench(tmp_path / "run", cost)
    moments = bench.train()
    assert bench.foretold == 1
    assert 1 <= len(moments) <= SHARE * 100 / cost + 0.5, "the last one may come a little early"
    assert moments[-1] == 100_000, "the end is measured"
    gaps = [b - a for a, b in zip([0, *moments], moments, strict=False)]
    assert min(gaps) >= 0.4 * 100_000 / len(moments), "never in bursts"


def test_what_cannot_be_paid_for_is_not_done(tmp_path: Path) -> None:
    assert Bench(tmp_path / "dear", 6.0).train() == []
    assert Bench(tmp_path / "impossible", float("inf")).train() == []
    assert Bench(tmp_path / "short", 0.001).train(total=900) == []  # over before foretelling is worth it


def test_a_resume_goes_on_counting(tmp_path: Path) -> None:
    whole = Bench(tmp_path / "whole", 0.95).train()
    bench = Bench(tmp_path / "run", 0.95)
    bench.train(begin=0)
    kept = [line for line in bench.run.metrics() if line["images"] <= 50_000]
    bench.run.metrics_file.write_text("".join(json.dumps(line) + "\n" for line in kept))
    again = Bench(tmp_path / "run", 0.95)
    moments = again.train(begin=50_000)
    assert len(moments) == len(whole)
    assert again.foretold == 0, "the cost is known from before"


def test_the_best_is_kept_and_standing_still_is_said_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "run", 0.0, values=lambda images: abs(images - 30_000) / 1000, every=10_000)
    moments = bench.train()
    assert moments == list(range(10_000, 100_001, 10_000))
    assert bench.saved == [20.0, 10.0, 0.0]
    assert bench.run.best_file.read_bytes() == b"a model"
    said = [line for line in bench.run.metrics() if line["kind"] == "health"]
    assert [line["images"] for line in said] == [30_000 + PATIENCE * 10_000]
    assert "30,000 images" in said[0]["advice"] and "KID" in said[0]["advice"]

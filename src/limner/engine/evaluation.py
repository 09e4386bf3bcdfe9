"""Numbers while training: when to measure, the best checkpoint so far, and a word when nothing improves."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from typing import Any

from limner.core import files
from limner.core.runs import Run
from limner.engine.distributed import from_first
from limner.engine.hooks import Journal, Save
from limner.engine.training import Training

SHARE = 0.05  # of the training time, that measuring may cost when nobody says how often
MOST = 50  # evaluations over a run when nobody says how often
PATIENCE = 5  # evaluations without a new best after which the run is told so


class Evaluate:
    """Measures every `every` images, or evenly as often as a twentieth of the time allows, and keeps the best.

    `measure` is called by all ranks and returns numbers by name, on the first rank at least; `best` names the one by
    which checkpoints are judged, and `lower` says whether less is better. `foretell` gives the seconds that the first
    measurement is likely to take; it is called once, when the run is `not_before` seconds old, as it costs time
    itself. What happened before a resume is read from the run's metrics.
    """

    def __init__(
        self,
        run: Run,
        journal: Journal,
        save: Save,
        measure: Callable[[Training], tuple[Mapping[str, float], str]],
        every: int | None,
        look_every: int,
        best: str,
        lower: bool,
        foretell: Callable[[], float],
        not_before: float,
    ) -> None:
        self.run, self.journal, self.save, self.measure = run, journal, save, measure
        self.every, self.look_every, self.best, self.lower = every, look_every, best, lower
        self.foretell, self.not_before = foretell, not_before
        self.cost: float | None = None

    def due(self, training: Training) -> bool:
        """Whether it is time; all ranks agree."""
        clock = training.clock
        if self.every is not None:
            return clock.due(self.every) or clock.done
        if not (clock.due(self.look_every) or clock.done):
            return False
        return from_first(training.ranks.first and self._affordable(training))

    def __call__(self, training: Training) -> None:
        """Measure, write a line, keep the checkpoint when it is the best so far, speak when nothing improves."""
        training.check_weights()
        begun = time.perf_counter()
        earlier = self._lines() if training.ranks.first else []
        values, protocol = self.measure(training)
        earlier = [line for line in earlier if line["protocol"] == protocol]  # others say nothing beside it
        improved = from_first(self._is_best(earlier, values))
        cost = self.cost = time.perf_counter() - begun
        images, seconds = training.mark
        training.mark = (images, seconds + cost)  # measuring is no slowness of training
        named = {f"metric/{name}": value for name, value in values.items()}
        line = {**named, "headline": self.best, "protocol": protocol, "seconds": round(cost, 3)}
        self.journal.write("evaluation", training, **line)
        if improved:
            self.save(training)
            if training.ranks.first:
                self._keep(values[self.best])
        elif training.ranks.first:
            self._advise(training, earlier)

    def _affordable(self, training: Training) -> bool:
        # As many over the whole run as the share pays for, spread evenly, the last one at its end.
        if training.seconds < self.not_before:
            return False
        lines, clock = self._lines(), training.clock
        cost = self.cost if self.cost is not None else (lines[-1]["seconds"] if lines else self.foretell())
        self.cost = cost
        expected = (training.seconds - sum(line["seconds"] for line in lines)) / clock.progress
        count = int(min(MOST, SHARE * expected / max(cost, 1e-3)))
        since = clock.progress - (lines[-1]["images"] / clock.total if lines else 0.0)
        return count >= 1 and since * count >= (0.5 if clock.done else 1.0)

    def _lines(self) -> list[dict[str, Any]]:
        return [line for line in self.run.metrics() if line["kind"] == "evaluation"]

    def _values(self, lines: list[dict[str, Any]]) -> list[float]:
        key = f"metric/{self.best}"
        return [line[key] if self.lower else -line[key] for line in lines if key in line]

    def _is_best(self, earlier: list[dict[str, Any]], values: Mapping[str, float]) -> bool:
        if self.best not in values:
            return False
        now = values[self.best] if self.lower else -values[self.best]
        return now < min(self._values(earlier), default=float("inf"))

    def _keep(self, value: float) -> None:
        checkpoints = self.save.checkpoints
        checkpoints.save_best(checkpoints.files()[-1], value)
        with files.atomic(self.run.best_file) as temporary:
            shutil.copyfile(self.run.model_file, temporary)

    def _advise(self, training: Training, earlier: list[dict[str, Any]]) -> None:
        values = self._values(earlier)
        since = len(values) - values.index(min(values)) if values else 0
        if since != PATIENCE:
            return
        best = earlier[values.index(min(values))]
        self.journal.write(
            "health",
            training,
            word="no longer improving",
            advice=f"{self.best.upper()} was best at {best['images']:,} images and has not been better in {PATIENCE} "
            f"evaluations since: {self.run.best_file.name} holds the model of that moment. Stopping here loses "
            "nothing; going on may still help.",
        )

"""What happens beside training: logging, looking at samples, saving."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from limner.core import files
from limner.core.errors import UserError
from limner.core.runs import Run
from limner.engine.distributed import from_first
from limner.engine.health import Diverged, Finding
from limner.engine.state import Checkpoints
from limner.engine.training import Training

Listener = Callable[[dict[str, Any]], None]


class Journal:
    """Writes metrics.jsonl, a line at a time, and tells every listener (the bar, trackers) the same."""

    def __init__(self, run: Run, listeners: list[Listener], writes: bool) -> None:
        self.run = run
        self.listeners = listeners
        self.writes = writes

    def write(self, kind: str, training: Training, **values: Any) -> None:
        """Append one line; rank 0 only."""
        if not self.writes:
            return
        line = {"kind": kind, "images": training.clock.images, **values}
        files.append_text(self.run.metrics_file, json.dumps(line) + "\n")
        for listener in self.listeners:
            listener(line)

    def report(self, training: Training, findings: list[Finding]) -> None:
        """Write what health found."""
        for finding in findings:
            self.write("health", training, word=finding.word, advice=finding.advice)


class Log:
    """Reads the ledger every `every` images; raises Diverged when a scalar is not finite."""

    def __init__(self, journal: Journal, every: int) -> None:
        self.journal = journal
        self.every = every

    def due(self, training: Training) -> bool:
        """Whether the step crossed a multiple of `every`."""
        return training.clock.due(self.every)

    def __call__(self, training: Training) -> None:
        """Write one log line with losses, accuracies, learning rates and speed."""
        scalars = training.ledger.read()
        bad = [name for name, value in scalars.items() if not math.isfinite(value)]
        if bad:
            raise Diverged(f"{' and '.join(bad)} became NaN or infinite")
        images, seconds = training.mark
        speed = (training.clock.images - images) / max(1e-9, training.seconds - seconds)
        training.mark = (training.clock.images, training.seconds)
        rates = {f"lr/{name}": training.update.rate(name) for name in training.update.groups}
        timing = {"seconds": round(training.seconds, 3), "speed": round(speed, 1)}
        self.journal.write("log", training, **timing, **scalars, **rates)
        self.journal.report(training, training.health.see_scalars(scalars))


class Sample:
    """Draws the fixed latents `frames` times over the run, denser at its start."""

    def __init__(self, journal: Journal, frames: int, draw: Callable[[Training], np.ndarray]) -> None:
        """`draw` makes, shows and stores a sheet and returns its pictures, uint8 (N, C, H, W)."""
        self.journal = journal
        self.frames = frames
        self.draw = draw

    def due(self, training: Training) -> bool:
        """Whether a frame's moment passed: frame k of n belongs to (k/n)^2 of the run."""
        clock = training.clock
        before, now = (
            math.floor(self.frames * math.sqrt(min(1.0, images / clock.total)))
            for images in (clock.previous, clock.images)
        )
        return clock.done or now > before

    def __call__(self, training: Training) -> None:
        """Draw and look."""
        training.check_weights()
        if training.ranks.first:
            findings = training.health.see_samples(self.draw(training), training.clock.images)
            self.journal.report(training, findings)


class Tick:
    """Tells a display how far the run is, a few times a second at most."""

    EVERY = 0.2  # seconds

    def __init__(self, tell: Callable[[int], None]) -> None:
        self.tell = tell
        self._last = 0.0

    def due(self, training: Training) -> bool:
        """Whether enough time has passed."""
        return training.clock.done or time.monotonic() - self._last > self.EVERY

    def __call__(self, training: Training) -> None:
        """Tell it."""
        self._last = time.monotonic()
        self.tell(training.clock.images)


class Save:
    """Writes a checkpoint and the model file every `every` images, and at least every five minutes."""

    LONGEST = 300.0  # seconds of work that a power failure may cost

    def __init__(
        self,
        checkpoints: Checkpoints,
        journal: Journal,
        every: int,
        look_every: int,
        export: Callable[[Training], None],
    ) -> None:
        """The clock on the wall is only looked at every `look_every` images, since all ranks must agree."""
        self.checkpoints = checkpoints
        self.journal = journal
        self.every = every
        self.look_every = look_every
        self.export = export
        self._last = time.monotonic()

    def due(self, training: Training) -> bool:
        """Whether it is time."""
        if training.clock.due(self.every):
            return True
        return training.clock.due(self.look_every) and from_first(time.monotonic() - self._last > self.LONGEST)

    def __call__(self, training: Training) -> None:
        """Save, unless a weight is not finite: Diverged then."""
        training.check_weights()
        state = training.state()
        if training.ranks.first:
            self.checkpoints.save(state, training.clock.images)
            self.export(training)
        self._last = time.monotonic()

    def recover(self, training: Training, reason: Diverged) -> None:
        """Go back to the last good checkpoint with half the learning rate, once; the second time give up."""
        lost = training.clock.images
        if training.rollbacks or not training.restore_latest(self.checkpoints):
            raise UserError(
                f"training diverged at {lost:,} images: {reason}. It had already gone back to a good "
                "checkpoint and halved the learning rates, and diverged again. The last good checkpoint and model are "
                "kept. Start a new run (another --out) with lower learning rates, a larger --batch, --precision fp32 "
                "or another --loss."
            )
        training.rollbacks += 1
        training.update.lr_scale *= 0.5
        if training.ranks.first:
            self.journal.run.rewind(training.clock.images)
        self.journal.write(
            "health",
            training,
            word="diverged, went back",
            advice=f"At {lost:,} images {reason}; training went back to {training.clock.images:,} and halved the "
            "learning rates.",
        )
        self(training)

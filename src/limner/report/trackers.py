"""Trackers that people already look at, fed with the same lines as metrics.jsonl and the sample sheets."""

from __future__ import annotations

from typing import Any, Protocol

from limner.core.errors import UserError
from limner.core.runs import Run
from limner.report.timelapse import open_sheet

LEFT_OUT = ("kind", "images", "seconds")


class Tracker(Protocol):
    """Takes every line of the metrics, and is closed when training stops."""

    def __call__(self, line: dict[str, Any]) -> None: ...

    def close(self) -> None: ...


def tracker(name: str, run: Run) -> Tracker:
    """Return a writer to "tensorboard" or "wandb"; UserError when its package is not installed."""
    try:
        return {"tensorboard": TensorBoard, "wandb": Wandb}[name](run)
    except ImportError as error:
        raise UserError(f"--track {name} needs a package: pip install 'limner[{name}]' ({error})") from error


class TensorBoard:
    """Event files in the run's folder "tensorboard": scalars, health findings as text, sample sheets."""

    def __init__(self, run: Run) -> None:
        from tensorboardX import SummaryWriter

        # What a killed process wrote after its last checkpoint happens again: it is dropped from this step on.
        begun = max((line["images"] for line in run.metrics()), default=0)
        self.run = run
        self.writer = SummaryWriter(str(run.folder / "tensorboard"), purge_step=begun + 1 if begun else None)
        self.shown: set[str] = set()

    def __call__(self, line: dict[str, Any]) -> None:
        for key, value in _numbers(line).items():
            self.writer.add_scalar(key, value, line["images"])
        if line["kind"] == "health":
            self.writer.add_text("health", f"{line['word']}: {line['advice']}", line["images"])
        elif line["kind"] == "event":
            self.writer.add_text("event", line["text"], line["images"])
        self._show_sheets()
        self.writer.flush()

    def close(self) -> None:
        """Write what is still in the queue."""
        self._show_sheets()
        self.writer.close()

    def _show_sheets(self) -> None:
        import numpy as np

        for sheet in self.run.sample_sheets():
            picture = None if sheet.name in self.shown else open_sheet(sheet)
            self.shown.add(sheet.name)
            if picture is not None:
                self.writer.add_image("samples", np.asarray(picture.convert("RGB")), int(sheet.stem), dataformats="HWC")


class Wandb:
    """A run on Weights & Biases; the run folder's name is its identity, so a resumed run goes on in its curves."""

    def __init__(self, run: Run) -> None:
        import wandb  # pyright: ignore[reportMissingImports]

        name = run.folder.resolve().name
        config = run.read_config()["config"]
        self.session = wandb.init(
            project="limner", name=name, id=name, resume="allow", dir=str(run.folder), config=config
        )

    def __call__(self, line: dict[str, Any]) -> None:
        numbers = _numbers(line)
        if numbers:
            self.session.log(numbers, step=line["images"])

    def close(self) -> None:
        """Send what is still in the queue."""
        self.session.finish()


def _numbers(line: dict[str, Any]) -> dict[str, float]:
    return {key: value for key, value in line.items() if key not in LEFT_OUT and isinstance(value, int | float)}

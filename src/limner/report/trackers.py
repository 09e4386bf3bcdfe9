"""Trackers that people already look at, fed with the same lines as metrics.jsonl and the sample sheets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from limner.core.errors import UserError
from limner.core.runs import Run
from limner.report.timelapse import open_sheet

Listener = Callable[[dict[str, Any]], None]
LEFT_OUT = ("kind", "images", "seconds")


def tracker(name: str, run: Run) -> Listener:
    """Return a listener that writes to "tensorboard" or "wandb"; UserError when its package is not installed."""
    try:
        return {"tensorboard": _tensorboard, "wandb": _wandb}[name](run)
    except ImportError as error:
        raise UserError(f"--track {name} needs a package: pip install 'limner[{name}]' ({error})") from error


def _tensorboard(run: Run) -> Listener:
    import numpy as np
    from tensorboardX import SummaryWriter

    # What a killed process wrote after its last checkpoint happens again: TensorBoard drops it from this step on.
    begun = max((line["images"] for line in run.metrics()), default=0)
    writer = SummaryWriter(str(run.folder / "tensorboard"), purge_step=begun + 1 if begun else None)
    shown: set[str] = set()

    def listen(line: dict[str, Any]) -> None:
        if line["kind"] != "log":
            writer.add_text(line["kind"], f"{line.get('word', '')}: {line.get('advice', '')}", line["images"])
            return
        for key, value in _numbers(line).items():
            writer.add_scalar(key, value, line["images"])
        for sheet in run.sample_sheets():
            picture = None if sheet.name in shown else open_sheet(sheet)
            shown.add(sheet.name)
            if picture is not None:
                pixels = np.asarray(picture.convert("RGB"))
                writer.add_image("samples", pixels, int(sheet.stem), dataformats="HWC")
        writer.flush()

    return listen


def _wandb(run: Run) -> Listener:
    import wandb  # pyright: ignore[reportMissingImports]

    # The folder's name is the identity, so that a resumed run goes on in the same curves.
    name = run.folder.resolve().name
    wandb.init(
        project="limner", name=name, id=name, resume="allow", dir=str(run.folder), config=run.read_config()["config"]
    )

    def listen(line: dict[str, Any]) -> None:
        if line["kind"] == "log":
            wandb.log(_numbers(line), step=line["images"])

    return listen


def _numbers(line: dict[str, Any]) -> dict[str, float]:
    return {key: value for key, value in line.items() if key not in LEFT_OUT}

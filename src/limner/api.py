"""The public functions, for scripts and notebooks: the same commands with the same words."""

from __future__ import annotations

import base64
import dataclasses
import html
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from limner.core.environment import prepare
from limner.core.runs import Run

if TYPE_CHECKING:
    from limner.inference import Pictures, Pipeline
    from limner.metrics.suite import Evaluation


class TrainedRun(PathLike[str]):
    """A run folder as `train` returns it: a path that shows its last sample sheet in a notebook."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __fspath__(self) -> str:
        return str(self.folder)

    def __repr__(self) -> str:
        return f"TrainedRun({str(self.folder)!r})"

    def load(self, device: str = "cpu") -> Pipeline:
        """Open the trained model."""
        return load(self.folder, device)

    def _repr_html_(self) -> str:
        sheets = Run(self.folder).sample_sheets()
        if not sheets:
            return html.escape(repr(self))
        picture = base64.b64encode(sheets[-1].read_bytes()).decode()
        return f'<img alt="samples of {html.escape(str(self.folder))}" src="data:image/png;base64,{picture}">'


def train(
    preset: str,
    *,
    out: str | PathLike[str],
    data: str | PathLike[str] = "digits",
    show: Literal["auto", "json", "quiet"] = "auto",
    **overrides: Any,
) -> TrainedRun:
    """Train a preset on data into a run folder; called again with the same words it continues, or is done at once.

    `overrides` are the flags of `limner train PRESET`, such as images=200_000, size=(64, 96), batch=32, lr_g=1e-4.
    Errors: UserError for what was mistaken.
    """
    prepare()
    from limner import presets
    from limner.commands import train as command
    from limner.presets.overlay import overlay

    config, keep = overlay(presets.get(preset), data=str(data), **overrides)
    run = command.train(command.Train(config, Path(out), keep, show))
    return TrainedRun(run.folder)


def load(path: str | PathLike[str], device: str = "cpu") -> Pipeline:
    """Open a run folder or a model file for use; UserError when it holds no model of limner's."""
    prepare()
    from limner import inference

    return inference.load(Path(path), device)


def generate(path: str | PathLike[str], count: int = 16, seed: int = 0, **options: Any) -> Pictures:
    """Make pictures with the model at `path`; `options` are those of `Pipeline.generate`."""
    return load(path).generate(count=count, seed=seed, **options)


def evaluate(model: str | PathLike[str] | None = None, **options: Any) -> Evaluation:
    """Measure a run folder or a model file against the pictures it was trained on; returns every number by its key.

    `options` are the flags of `limner evaluate`: data, count, features, or fake="folder", real="folder" instead of a
    model. Errors: UserError for what was mistaken.
    """
    prepare()
    from limner.commands.evaluate import Evaluate, measure
    from limner.core.errors import unknown

    names = [field.name for field in dataclasses.fields(Evaluate)]
    for name in options:
        if name not in names:
            raise unknown("setting", name, names)
    judged = measure(Evaluate(Path(model) if model is not None else None, **options))
    if judged is None:
        raise RuntimeError("the first process alone holds the numbers")
    return judged.evaluation

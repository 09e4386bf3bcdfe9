"""`limner generate`: new pictures from a trained model."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from limner.core.console import say
from limner.core.errors import UserError


@dataclasses.dataclass(frozen=True)
class Generate:
    """Make new pictures with a trained model; a seed is the same picture in any order and batch."""

    model: Positional[Path]
    """run folder or model.safetensors file"""
    out: Path
    """folder for the pictures"""
    count: int = 64
    """how many"""
    seed: int = 0
    """seed of the first picture; the following ones count up"""
    label: Annotated[str | None, arg(metavar="CLASS")] = None
    """class of all pictures, for models trained with classes"""
    truncation: float | None = None
    """above 0, at most 3: smaller is more typical and less varied; auto: off"""
    grid: bool = False
    """also one sheet of all, grid.png"""
    interpolate: int | None = None
    """instead, walk in this many steps from the picture of --seed to that of the next seed, with an animation"""
    batch: int = 64
    """pictures made at once"""
    device: Literal["cpu", "cuda", "mps"] = "cpu"
    """where to compute"""


def generate(command: Generate) -> list[Path]:
    """Write the pictures and return their paths; UserError for what a person can mend."""
    from limner.core.environment import first_torch_call

    first_torch_call()
    from limner.inference import load
    from limner.inference.pictures import join, save_png
    from limner.report import write_animation

    if command.count < 1:
        raise UserError(f"--count {command.count}: expected at least 1")
    pipeline = load(command.model, command.device)
    if command.interpolate is not None:
        pictures = pipeline.interpolate(command.seed, command.seed + 1, command.interpolate, command.truncation)
        written = pictures.save(command.out)
        written += write_animation(pictures.pil(), command.out / "interpolation")
    else:
        written, parts = [], []
        seeds = range(command.seed, command.seed + command.count)
        labels = None if command.label is None else [command.label] * command.count
        for part in pipeline.stream(seeds, labels, truncation=command.truncation, batch=command.batch):
            written += part.save(command.out)
            parts += [part] if command.grid else []
        if command.grid:
            written.append(save_png(join(parts).grid(), command.out / "grid.png"))
    say(f"{len(written):,} files in {command.out}")
    return written

"""`limner generate`: new pictures from a trained model."""

from __future__ import annotations

import dataclasses
import importlib.util
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from limner.core import files
from limner.core.console import say
from limner.core.errors import UserError

if TYPE_CHECKING:
    from limner.inference import Pipeline

VIDEOS = (".mp4", ".gif", ".webp")
STEPS = 60  # of a video from one picture to the next: about two seconds


@dataclasses.dataclass(frozen=True)
class Generate:
    """Make new pictures with a trained model; a seed is the same picture in any order and batch."""

    model: Positional[Path]
    """run folder or model.safetensors file"""
    out: Path
    """folder for the pictures"""
    count: int | None = None
    """how many; auto: 64, and of a walk 2"""
    seed: int = 0
    """seed of the first picture; the following ones count up"""
    label: Annotated[str | None, arg(metavar="CLASS")] = None
    """class of all pictures, for models trained with classes"""
    truncation: float | None = None
    """above 0, at most 3: smaller is more typical and less varied; auto: off"""
    grid: bool = False
    """also one sheet of all, grid.png"""
    interpolate: int | None = None
    """instead, walk in this many steps from each of --count pictures to the next, with an animation"""
    video: Path | None = None
    """instead of the walk's pictures, one file of it: .mp4, .gif or .webp; in 60 steps unless --interpolate says"""
    directions: int | None = None
    """instead, N x N pictures around that of --seed, along the two directions in which the model varies most"""
    batch: int = 64
    """pictures made at once"""
    device: Literal["cpu", "cuda", "mps"] = "cpu"
    """where to compute"""


def generate(command: Generate) -> list[Path]:
    """Write the pictures and return their paths; UserError for what a person can mend."""
    from limner.core.environment import first_torch_call

    first_torch_call()
    from limner.inference import directions, load
    from limner.inference.pictures import join, save_png

    if command.count is not None and command.count < 1:
        raise UserError(f"--count {command.count}: expected at least 1")
    walks = command.interpolate is not None or command.video is not None
    if walks and command.directions is not None:
        raise UserError("--directions makes a sheet, and --interpolate and --video a walk: ask for one at a time")
    pipeline = load(command.model, command.device)
    if walks:
        written = _walk(pipeline, command)
    elif command.directions is not None:
        sheet = directions.around(pipeline, command.seed, command.directions, command.label, command.truncation)
        written = sheet.save(command.out)
        written.append(save_png(sheet.grid(command.directions), command.out / "directions.png"))
    else:
        written, parts = [], []
        count = command.count or 64
        seeds = range(command.seed, command.seed + count)
        labels = None if command.label is None else [command.label] * count
        for part in pipeline.stream(seeds, labels, truncation=command.truncation, batch=command.batch):
            written += part.save(command.out)
            parts += [part] if command.grid else []
        if command.grid:
            written.append(save_png(join(parts).grid(), command.out / "grid.png"))
    say(f"{len(written):,} files in {command.out}" if command.video is None else f"See {written[0]}")
    return written


def _walk(pipeline: Pipeline, command: Generate) -> list[Path]:
    from limner.inference import directions
    from limner.inference.film import write_film
    from limner.inference.pictures import join
    from limner.report import write_animation

    video, seeds = command.video, range(command.seed, command.seed + (command.count or 2))
    if video is not None and video.suffix.lower() not in VIDEOS:
        raise UserError(f"--video {video}: expected a file that ends in {', '.join(VIDEOS[:-1])} or {VIDEOS[-1]}")
    steps = STEPS if command.interpolate is None else command.interpolate
    legs = directions.walk(pipeline, seeds, steps, command.label, command.truncation)
    if video is None:
        pictures = join(list(legs))
        return pictures.save(command.out) + write_animation(pictures.pil(), command.out / "interpolation")
    if video.suffix.lower() == ".mp4":
        if importlib.util.find_spec("av") is not None:
            return [write_film((picture for leg in legs for picture in leg.array), video)]
        say(f"{video.name} needs PyAV (pip install 'limner[video]'): a .webp is written in its place")
        video = video.with_suffix(".webp")
    with tempfile.TemporaryDirectory() as folder:  # both kinds are made, and one was asked for
        made = write_animation(join(list(legs)).pil(), Path(folder, "walk"))
        files.write_bytes(video, next(one for one in made if one.suffix == video.suffix.lower()).read_bytes())
    return [video]

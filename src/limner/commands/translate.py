"""`limner translate`: pictures, folders and videos turned into others by a trained model."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from limner.core.console import counting, say
from limner.core.errors import UserError, listing

if TYPE_CHECKING:
    import numpy as np

    from limner.inference import Pipeline

VIDEOS = frozenset((".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v"))


@dataclasses.dataclass(frozen=True)
class Translate:
    """Turn pictures into others with a trained model; sizes, names and folders are kept."""

    model: Positional[Path]
    """run folder, model.safetensors or .onnx file"""
    inputs: Positional[tuple[str, ...]]
    """pictures, folders, videos or patterns such as 'photos/*.jpg'"""
    out: Path
    """folder for what comes out"""
    direction: Literal["AtoB", "BtoA"] | None = None
    """which way; auto: the one the model was trained in"""
    stochastic: bool = False
    """leave pix2pix's dropout on: every time another picture"""
    batch: int = 8
    """pictures of one size that are turned at once"""
    tile: int = 2048
    """side in pixels above which a picture is cut into overlapping tiles"""
    device: Literal["cpu", "cuda", "mps"] = "cpu"
    """where to compute"""


def translate(command: Translate) -> list[Path]:
    """Write what comes out and return the paths; UserError for what a person can mend."""
    from limner.core.environment import first_torch_call

    first_torch_call()
    from limner.inference import load

    found = list(_files(command.inputs))
    _check(command, found)
    pipeline = load(command.model, command.device)
    pipeline.translate([], command.direction)  # a model that cannot do this is refused before anything is read
    if command.stochastic:
        import torch

        torch.seed()
    written: list[Path] = []
    broken: list[str] = []
    with counting("translating", len(found)) as progress:
        for start in range(0, len(found), command.batch):
            some = found[start : start + command.batch]
            videos = [one for one in some if one[0].suffix.lower() in VIDEOS]
            written += _pictures(command, pipeline, [one for one in some if one not in videos], broken)
            written += [_video(command, pipeline, path, name) for path, name in videos]
            progress(len(some))
    if broken and not written:
        raise UserError(f"no picture could be read: {listing(broken)}")
    say(f"{len(written):,} files in {command.out}")
    if broken:
        say(f"{len(broken):,} could not be read and were left out: {listing(broken)}")
    return written


def _files(inputs: tuple[str, ...]) -> Iterator[tuple[Path, Path]]:
    # each file, and its name and folder as they are to be kept
    import glob

    from limner.data.folder import SUFFIXES

    for given in inputs:
        path = Path(given).expanduser()
        if path.is_dir():
            inner = sorted(one for one in path.rglob("*") if one.suffix.lower() in SUFFIXES | VIDEOS)
            if not inner:
                raise UserError(f"the folder {path} holds no pictures and no videos")
            yield from ((one, one.relative_to(path)) for one in inner)
        elif path.is_file():
            yield path, Path(path.name)
        else:
            matches = sorted(glob.glob(given, recursive=True))  # noqa: PTH207 - a pattern may be absolute
            if not matches:
                raise UserError(f"{given}: there is no such picture, folder or pattern")
            yield from ((Path(one), Path(Path(one).name)) for one in matches)


def _check(command: Translate, found: list[tuple[Path, Path]]) -> None:
    here = command.out.resolve()
    if any(path.resolve().parent == here for path, _ in found):
        raise UserError(f"--out {command.out} is the folder of the pictures: choose another; none is ever written over")
    names: dict[Path, Path] = {}
    for path, name in found:
        target = name.with_suffix("")
        if target in names:
            raise UserError(f"{path} and {names[target]} would both be written as {target}.png: translate them apart")
        names[target] = path


def _pictures(command: Translate, pipeline: Pipeline, some: list[tuple[Path, Path]], broken: list[str]) -> list[Path]:
    from limner.core import images
    from limner.inference.pictures import save_png

    read: list[tuple[Path, np.ndarray]] = []
    for path, name in some:
        try:
            read.append((name, images.as_array(images.decode(path))))
        except UserError as error:
            broken.append(str(error))
    options = {"stochastic": command.stochastic, "batch": command.batch, "tile": command.tile}
    made = pipeline.translate([array for _, array in read], command.direction, **options)
    return [
        save_png(images.from_array(_with_alpha(new, old)), (command.out / name).with_suffix(".png"))
        for (name, old), new in zip(read, made, strict=True)
    ]


def _with_alpha(made: np.ndarray, given: np.ndarray) -> np.ndarray:
    # what was transparent stays so
    import numpy as np

    if given.shape[2] != 4 or made.shape[2] == 4:
        return made
    colours = made if made.shape[2] == 3 else made.repeat(3, axis=2)
    return np.concatenate([colours, given[..., 3:]], axis=2)


def _video(command: Translate, pipeline: Pipeline, path: Path, name: Path) -> Path:
    from limner.inference.video import translate_video

    options = {"stochastic": command.stochastic, "batch": command.batch, "tile": command.tile}
    target = (command.out / name).with_suffix(".mp4")
    return translate_video(path, target, lambda frames: pipeline.translate(frames, command.direction, **options))

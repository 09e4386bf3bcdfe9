"""`limner translate`: pictures, folders and videos turned into others by a trained model."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tyro.conf import Positional

from limner.core.console import counting, say
from limner.core.errors import UserError, listing

if TYPE_CHECKING:
    import numpy as np

    from limner.inference import Pipeline

VIDEOS = frozenset((".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v"))
LEAST_TILE = 256  # pixels: below, tiles are mostly overlap


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


@dataclasses.dataclass(frozen=True)
class Given:
    """A file to translate, and its name as it is to be kept: with its place in `folder` when it was found in one."""

    path: Path
    name: Path
    folder: Path | None = None

    @property
    def is_video(self) -> bool:
        """Judged by the ending."""
        return self.path.suffix.lower() in VIDEOS

    @property
    def target(self) -> Path:
        """What is written, below the folder for what comes out."""
        return self.name.with_suffix(".mp4" if self.is_video else ".png")


def translate(command: Translate) -> list[Path]:
    """Write what comes out and return the paths; UserError for what a person can mend."""
    from limner.core.environment import first_torch_call

    first_torch_call()
    from limner.inference import load
    from limner.inference.video import pyav

    for flag, value, least in (("--batch", command.batch, 1), ("--tile", command.tile, LEAST_TILE)):
        if value < least:
            raise UserError(f"{flag} {value}: expected {least} or more")
    found = _apart(command, list(find(command.inputs)))
    pictures, videos = ([one for one in found if one.is_video is kind] for kind in (False, True))
    if videos:
        pyav()
    pipeline = load(command.model, command.device)
    options = {"stochastic": command.stochastic, "batch": command.batch, "tile": command.tile}
    pipeline.translate([], command.direction, **options)  # a model that cannot do this is refused at once
    if command.stochastic:
        import torch

        torch.seed()
    work = _Work(command, pipeline, options)
    work.pictures(pictures)
    for video in videos:
        work.video(video)
    if work.broken and not work.written:
        raise UserError(f"nothing could be read: {listing(work.broken)}")
    say(f"{len(work.written):,} file{'' if len(work.written) == 1 else 's'} in {command.out}")
    if work.moving:
        say(f"Of files that hold several pictures only the first was turned: {listing(work.moving)}")
    if work.broken:
        say(f"{len(work.broken):,} could not be read and were left out: {listing(work.broken)}")
    return work.written


def find(inputs: Sequence[str]) -> Iterator[Given]:
    """List the files that paths, folders and patterns mean; UserError for those that mean none."""
    import glob

    from limner.data.folder import SUFFIXES

    for given in inputs:
        path = Path(given).expanduser()
        if path.is_dir():
            inner = [one for one in sorted(path.rglob("*")) if one.suffix.lower() in SUFFIXES | VIDEOS]
            inner = [one for one in inner if not any(part.startswith(".") for part in one.relative_to(path).parts)]
            if not inner:
                raise UserError(f"the folder {path} holds no pictures and no videos")
            yield from (Given(one, one.relative_to(path), path) for one in inner)
        elif path.is_file():
            yield Given(path, Path(path.name))
        else:
            matches = [Path(one) for one in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207
            matches = [one for one in matches if one.is_file()]
            if not matches:
                raise UserError(f"{given}: there is no such picture, folder or pattern")
            yield from (Given(one, Path(one.name)) for one in matches)


def _apart(command: Translate, found: list[Given]) -> list[Given]:
    # no input is written over, no result twice, and results of an earlier call are no inputs
    here = command.out.resolve()
    places = {one.path: one.path.resolve() for one in found}
    if any(here == (one.folder.resolve() if one.folder else places[one.path].parent) for one in found):
        raise UserError(f"--out {command.out} is the folder of the pictures: choose another; none is ever written over")
    kept = [one for one in found if one.folder is None or not (one.folder.resolve() / one.name).is_relative_to(here)]
    if len(kept) < len(found):
        count = len(found) - len(kept)
        say(
            f"{count:,} file{'' if count == 1 else 's'} in {command.out}, inside the folder, left as results of before."
        )
    if not kept:
        raise UserError(f"all that is to be translated lies in --out {command.out}: choose another folder")
    sources = {places[one.path] for one in kept}
    targets: dict[Path, Given] = {}
    for one in kept:
        other = targets.setdefault(one.target, one)
        if places[other.path] != places[one.path]:
            raise UserError(
                f"{other.path} and {one.path} would both be written as {one.target}: translate them apart, or rename "
                "one"
            )
        if (here / one.target).resolve() in sources:
            raise UserError(f"{here / one.target} would be written over: choose another --out")
    return list(targets.values())


class _Work:
    def __init__(self, command: Translate, pipeline: Pipeline, options: dict[str, Any]) -> None:
        self.command, self.pipeline, self.options = command, pipeline, options
        self.written: list[Path] = []
        self.broken: list[str] = []
        self.moving: list[str] = []

    def pictures(self, found: list[Given]) -> None:
        """Turn pictures, no more in memory at a time than a batch or a tile has pixels."""
        waiting: list[tuple[Given, np.ndarray]] = []
        pixels = 0
        with counting("translating", len(found)) as progress:
            for one in found:
                picture = self._read(one)
                if picture is None:
                    progress(1)
                    continue
                more = picture.shape[0] * picture.shape[1]
                if len(waiting) == self.command.batch or pixels + more > self.command.tile**2:
                    progress(self._turn(waiting))
                    waiting, pixels = [], 0
                pixels += more
                waiting.append((one, picture))
            progress(self._turn(waiting))

    def _read(self, one: Given) -> np.ndarray | None:
        from limner.core import images

        try:
            picture = images.as_array(images.decode(one.path))
        except UserError as error:
            self.broken.append(str(error))
            return None
        if _holds_several(one.path):
            self.moving.append(str(one.path))
        return picture

    def _turn(self, waiting: list[tuple[Given, np.ndarray]]) -> int:
        if not waiting:
            return 0
        from limner.core.images import from_array
        from limner.inference.pictures import save_png

        made = self.pipeline.translate([picture for _, picture in waiting], self.command.direction, **self.options)
        for (one, _), picture in zip(waiting, made, strict=True):
            self.written.append(save_png(from_array(picture), self.command.out / one.target))
        return len(waiting)

    def video(self, one: Given) -> None:
        """Turn a video; its frames are counted."""
        from limner.inference.video import Unreadable, count_frames, translate_video

        def turn(frames: list[np.ndarray]) -> list[np.ndarray]:
            return self.pipeline.translate(frames, self.command.direction, **self.options)

        try:
            with counting(one.path.name, count_frames(one.path)) as progress:
                target = self.command.out / one.target
                self.written.append(translate_video(one.path, target, turn, self.command.batch, progress))
        except Unreadable as error:
            self.broken.append(str(error))


def _holds_several(path: Path) -> bool:
    # Many telephones write small copies behind a photograph (MPO): those are nothing to speak of.
    from PIL import Image

    with Image.open(path) as picture:
        return picture.format != "MPO" and getattr(picture, "n_frames", 1) > 1

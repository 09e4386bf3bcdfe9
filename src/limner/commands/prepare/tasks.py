"""`limner prepare edges | sketch | grey | lowres | masks`: pairs of a made picture and a photograph."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal

from tyro.conf import Positional

from limner.core.config import Size, to_dict
from limner.core.errors import UserError
from limner.prepare import MAX_PIXELS

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class _Photographs:
    photos: Positional[str]
    """folder of photographs"""
    out: Positional[str]
    """folder for the pairs: A holds what is made, B the photographs"""
    size: Size | None = None
    """scale photographs to cover this size, and cut the middle out; auto: as they are"""
    max_pixels: int = MAX_PIXELS
    """pictures of more pixels are left out"""
    engine: Literal["local", "ray"] = "local"
    """the cores of this machine, or a Ray cluster"""


@dataclasses.dataclass(frozen=True)
class Edges(_Photographs):
    """Make pairs of outlines, black on white, and your photographs."""


@dataclasses.dataclass(frozen=True)
class Sketch(_Photographs):
    """Make pairs of pencil sketches and your photographs."""


@dataclasses.dataclass(frozen=True)
class Grey(_Photographs):
    """Make pairs of black-and-white pictures and your photographs."""


@dataclasses.dataclass(frozen=True)
class Lowres(_Photographs):
    """Make pairs of coarse pictures and your photographs."""

    factor: int = 4
    """how much coarser"""


@dataclasses.dataclass(frozen=True)
class Masks(_Photographs):
    """Make pairs of pictures with white holes and your photographs."""

    holes: float = 0.25
    """share of each picture that is wiped away"""
    seed: int = 0
    """decides where"""


def edges(command: Edges) -> None:
    """Outlines."""
    from limner.core.opencv import opencv
    from limner.prepare.tasks import Outlines

    opencv()
    _make(command, Outlines())


def sketch(command: Sketch) -> None:
    """Pencil sketches."""
    from limner.core.opencv import opencv
    from limner.prepare.tasks import PencilSketch

    opencv()
    _make(command, PencilSketch())


def grey(command: Grey) -> None:
    """Black and white."""
    from limner.prepare.tasks import BlackAndWhite

    _make(command, BlackAndWhite())


def lowres(command: Lowres) -> None:
    """Coarse pictures."""
    from limner.prepare.tasks import Coarse

    if command.factor < 2:
        raise UserError(f"--factor {command.factor}: expected 2 or more")
    _make(command, Coarse(command.factor))


def masks(command: Masks) -> None:
    """Pictures with holes."""
    from limner.prepare.tasks import Holes, check_share

    check_share(command.holes)
    _make(command, Holes(command.holes, command.seed))


def _make(command: _Photographs, make: Callable[..., Any]) -> None:
    from limner.core.console import say
    from limner.prepare.job import Job, run
    from limner.prepare.tasks import PhotoTask

    asked = {"prepare": type(command).__name__.lower(), **to_dict(command)}
    for field in ("photos", "out", "engine"):
        del asked[field]
    work = PhotoTask(make, command.size, command.max_pixels)
    report = run(Job(command.photos, command.out, work, asked, engine=command.engine))
    for words in report.words("photograph", command.out):
        say(words)

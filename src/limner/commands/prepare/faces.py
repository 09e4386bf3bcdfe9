"""`limner prepare faces`: faces found in photographs, aligned by their landmarks and cut out."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tyro.conf import Positional

from limner.core.config import to_dict
from limner.core.errors import UserError
from limner.prepare import MAX_PIXELS

if TYPE_CHECKING:
    from limner.faces.crop import Crop, Cropper
    from limner.prepare.items import Item, Made, Refused

COLUMNS = ("name", "face", "box", "score", "roll", "turned")
LEAST, MOST = 16, 2048  # pixels


@dataclasses.dataclass(frozen=True)
class Faces:
    """Find faces, align them by their eyes, and cut them out; the photographs stay as they are."""

    photos: Positional[str]
    """folder of photographs"""
    out: Positional[str]
    """folder for the faces, with faces.csv, left_out.csv and contact.html"""
    size: int = 256
    """side of the pictures in pixels"""
    choose: Literal["largest", "all", "one"] = "largest"
    """which face of a photograph: the largest, all, or the only one (else it is left out)"""
    margin: float = 0.3
    """room around a face, as a share of it on each side (0: brows to chin; 0.3: the whole head)"""
    grey: bool = False
    """black and white"""
    pairs: bool = False
    """pairs by name, such as 001_front.jpg and 001_side.jpg, into A and B; those that look to the left are mirrored"""
    weights: Path | None = None
    """file of YuNet's weights; auto: looked for below LIMNER_DATA and in the cache"""
    download: bool = False
    """fetch weights that are not here"""
    max_pixels: int = MAX_PIXELS
    """pictures of more pixels are left out"""
    engine: Literal["local", "ray"] = "local"
    """the cores of this machine, or a Ray cluster"""


def faces(command: Faces) -> None:
    """Cut the faces out; UserError for what a person can mend."""
    from limner.core import weights
    from limner.core.console import say
    from limner.prepare.items import pairs
    from limner.prepare.job import Job, run

    if not LEAST <= command.size <= MOST:
        raise UserError(f"--size {command.size}: expected {LEAST} to {MOST} pixels")
    if not 0 <= command.margin <= 2:
        raise UserError(f"--margin {command.margin:g}: expected 0 to 2")
    if command.pairs and command.choose == "all":
        raise UserError("--pairs takes one face of each photograph: --choose largest or one")
    found = weights.find(weights.YUNET, command.weights, command.download)
    work = CutOut(
        found.read_bytes(),
        command.size,
        command.margin,
        command.choose,
        command.grey,
        command.pairs,
        command.max_pixels,
    )
    work.cropper()  # what is missing, or cannot be read, is said at once
    asked: dict[str, Any] = {"prepare": "faces", **to_dict(command)}
    for field in ("photos", "out", "weights", "download", "engine"):
        del asked[field]
    group = pairs if command.pairs else None
    report = run(Job(command.photos, command.out, work, asked, "faces.csv", COLUMNS, group, command.engine))
    for words in report.words("pair" if command.pairs else "photograph", command.out):
        say(words)


@dataclasses.dataclass(frozen=True)
class CutOut:
    """The picture function: the bytes of a photograph, or of a front and a side view, to those of its faces."""

    weights: bytes
    size: int
    margin: float
    choose: Literal["largest", "all", "one"]
    grey: bool
    pairs: bool
    max_pixels: int

    def __call__(self, item: Item, contents: tuple[bytes, ...]) -> Made | Refused:
        from limner.core import images
        from limner.prepare.items import Made, Refused
        from limner.prepare.pictures import open_picture

        views: list[list[Crop]] = []
        for i, content in enumerate(contents):
            try:
                photograph = images.convert(open_picture(content, self.max_pixels), 3)
                views.append(self.cropper()(images.as_array(photograph)))
            except UserError as error:
                return Refused(str(error), i)
        originals = item.files
        if not item.in_order and abs(views[0][0].pose.yaw) > abs(views[1][0].pose.yaw):
            views, originals = views[::-1], originals[::-1]
        # Both views, so that the parting of the hair stays on its side of the head.
        mirrored = self.pairs and views[1][0].pose.yaw < 0
        files, rows = [], []
        for i, (crops, original) in enumerate(zip(views, originals, strict=True)):
            folder = f"{'AB'[i]}/" if self.pairs else ""
            for number, crop in enumerate(crops, start=1):
                name = f"{folder}{item.target}{f'.face{number}' if number > 1 else ''}.png"
                files.append((name, self._png(crop, mirrored)))
                rows.append(_row(original, name, crop))
        return Made(tuple(files), tuple(rows))

    def cropper(self) -> Cropper:
        """The cropper of this process: its detectors are loaded once."""
        from limner.faces.crop import Cropper

        return Cropper(_finder(self.weights), self.size, self.margin, self.choose)

    def _png(self, crop: Crop, mirrored: bool) -> bytes:
        from limner.core import images
        from limner.prepare.pictures import png

        picture = images.from_array(crop.pixels[:, ::-1] if mirrored else crop.pixels)
        return png(images.convert(picture, 1) if self.grey else picture)


@functools.lru_cache(maxsize=1)
def _finder(weights: bytes) -> Any:
    from limner.faces.find import Finder

    return Finder(weights)


def _row(original: str, name: str, crop: Crop) -> tuple[str, ...]:
    box = " ".join(str(round(value)) for value in crop.face.box)
    turned = "yes" if crop.pose.turned else "no"
    return original, name, box, f"{crop.face.score:.3f}", f"{crop.pose.roll:.1f}", turned

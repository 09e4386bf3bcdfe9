"""What people send in: read within limits, named safely, never trusted."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from limner.core import images
from limner.core.errors import UserError

BYTES = 50_000_000  # of one upload
PIXELS = 40_000_000  # of one picture: 160 MB decoded
COUNT = 100  # pictures at once


def read(path: str | Path) -> np.ndarray:
    """Decode an uploaded picture as `limner translate` does, uint8 (H, W, C); UserError beyond the limits."""
    file = Path(path)
    if file.stat().st_size > BYTES:
        raise UserError(f"{shown(file)} has more than {BYTES / 1e6:.0f} MB: send a smaller picture")
    try:
        with Image.open(file) as picture:
            pixels = picture.width * picture.height
    except Exception as error:  # Pillow's decoders raise many kinds
        raise UserError(f"{shown(file)} is not a picture that can be read") from error
    if pixels > PIXELS:
        raise UserError(
            f"{shown(file)} has {pixels / 1e6:,.0f} million pixels, and {PIXELS / 1e6:.0f} million are taken here: "
            "scale it down, or use `limner translate`"
        )
    try:
        return images.as_array(images.decode(file))
    except UserError as error:
        raise UserError(str(error).replace(str(file), shown(file))) from error


def check_count(count: int) -> None:
    """Refuse too many pictures at once."""
    if count > COUNT:
        raise UserError(f"{count:,} pictures were sent, and {COUNT} are taken at once: send them in parts")


def shown(path: str | Path) -> str:
    """A file's name as it may stand in a sentence: short, and without what a page could take for anything else."""
    return _plain(Path(path).name)[:60] or "the picture"


def stem(path: str | Path, taken: Iterable[str] = ()) -> str:
    """A safe file name without ending that none of `taken` has."""
    base = _plain(Path(path).stem)[:60].strip(" .") or "picture"
    taken, name, number = set(taken), base, 2
    while name in taken:
        name, number = f"{base}-{number}", number + 1
    return name


def pack(files: Iterable[Path], target: Path) -> Path:
    """Put files, without their folders, into a zip."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for file in files:
            archive.write(file, file.name)
    return target


def _plain(text: str) -> str:
    return re.sub(r"[^\w .()+-]", "_", text)

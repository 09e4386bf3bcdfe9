"""Pictures in and out of a job: bytes to pixels within a limit, pixels to the bytes of a PNG."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from limner.core import images
from limner.core.errors import UserError
from limner.prepare import MAX_PIXELS


def open_picture(content: bytes, most: int = MAX_PIXELS) -> Image.Image:
    """Decode a picture of at most `most` pixels, upright, in mode L, RGB or RGBA; UserError with the reason alone."""
    if not content:
        raise UserError("the file is empty")
    mark = "picture"
    try:
        size, _ = images.probe(content, mark)
        if size.height * size.width > most:
            raise UserError(
                f"{size.width} x {size.height} pixels are more than the {most:,} that are opened (--max-pixels)"
            )
        return images.decode(content, None, mark, most)
    except UserError as error:
        raise UserError(str(error).removeprefix(f"{mark}: ")) from error


def png(picture: Image.Image | np.ndarray) -> bytes:
    """The bytes of a PNG: the same for the same pixels, and nothing else in it. Arrays are uint8 (H, W, C)."""
    if isinstance(picture, np.ndarray):
        picture = images.from_array(picture)
    buffer = io.BytesIO()
    Image.Image.save(_bare(picture), buffer, "PNG")
    return buffer.getvalue()


def _bare(picture: Image.Image) -> Image.Image:
    # A photograph's place, profile and times do not belong into a training set.
    return images.from_array(images.as_array(picture)) if picture.info else picture

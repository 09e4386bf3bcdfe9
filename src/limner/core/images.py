"""The one place that knows uint8 and [-1, 1], Pillow, EXIF orientation, channel counts and 16-bit pictures.

Arrays are uint8 (H, W, C) with C of 1 (grey), 3 (colour) or 4 (colour and alpha); tensors are (B, C, H, W).
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from limner.core.config import Size
from limner.core.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
PNG_LEVEL = 2  # of compression: files are 10 % larger than by Pillow's own 6, and written in a third of the time
MAX_PIXELS = 512_000_000  # a picture above this is taken for a decompression bomb

Image.MAX_IMAGE_PIXELS = None  # `decode` counts by itself: Pillow would warn of what limner opens


def to_float(pixels: Tensor) -> Tensor:
    """Turn uint8 pixels [0, 255] into float32 [-1, 1]."""
    return pixels.float().div_(127.5).sub_(1.0)


def to_uint8(pictures: Tensor) -> Tensor:
    """Turn float pictures in [-1, 1] into uint8 [0, 255], rounded to nearest; what lies outside is clipped."""
    return pictures.detach().float().add(1.0).mul(127.5).round().clamp_(0, 255).byte()


def to_arrays(pictures: Tensor) -> np.ndarray:
    """Turn float pictures (B, C, H, W) in [-1, 1] into uint8 arrays (B, H, W, C)."""
    return to_uint8(pictures).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def from_array(array: np.ndarray) -> Image.Image:
    """Turn a uint8 array (H, W, C) into a Pillow picture."""
    return Image.fromarray(np.ascontiguousarray(array[..., 0] if array.shape[-1] == 1 else array))


def decode(
    source: Path | bytes, at_least: Size | None = None, name: str | None = None, most: int = MAX_PIXELS
) -> Image.Image:
    """Read a picture whole, turned upright by its EXIF orientation, in mode L, RGB or RGBA.

    `at_least` lets a JPEG be decoded at a reduced scale that is still that large. 16-bit grey is scaled to 8 bits.
    `name` is what errors call it, the path unless stated.
    Errors: UserError for what is no picture, is truncated, or has more than `most` pixels.
    """
    name = name or (str(source) if isinstance(source, Path) else "the uploaded picture")
    try:
        with Image.open(source if isinstance(source, Path) else io.BytesIO(source)) as picture:
            if picture.width * picture.height > most:
                raise UserError(f"{name}: {picture.width} x {picture.height} pixels are more than limner opens")
            if at_least is not None and picture.format == "JPEG":
                longest = max(at_least.width, at_least.height)  # EXIF may swap the sides
                picture.draft(None, (longest, longest))
            picture.load()
            return _eight_bit(ImageOps.exif_transpose(picture))
    except UserError:
        raise
    except FileNotFoundError as error:
        raise UserError(f"{name}: there is no such file") from error
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and more
        raise _unreadable(name, error) from error


def probe(source: Path | bytes, name: str | None = None) -> tuple[Size, int]:
    """Read a picture's header alone: the size and the number of channels that `decode` will give.

    Errors: UserError for what is no picture; a truncated one goes unnoticed until it is decoded.
    """
    name = name or (str(source) if isinstance(source, Path) else "the uploaded picture")
    try:
        with Image.open(source if isinstance(source, Path) else io.BytesIO(source)) as picture:
            # a PNG without the "exif" entry would be decoded whole by getexif, and a TIFF has been turned already
            turned = "exif" in picture.info and picture.getexif().get(0x0112) in (5, 6, 7, 8)
            width, height = (picture.height, picture.width) if turned else (picture.width, picture.height)
            return Size(height, width), {mode: channels for channels, mode in MODES.items()}[_target_mode(picture)]
    except Exception as error:
        raise _unreadable(name, error) from error


def channels_of(picture: Image.Image) -> int:
    """How many channels a decoded picture has: 1, 3 or 4."""
    return {"L": 1, "RGB": 3, "RGBA": 4}[picture.mode]


def convert(picture: Image.Image, channels: int) -> Image.Image:
    """Give a decoded picture 1, 3 or 4 channels; transparency is laid on white where alpha is dropped."""
    mode = MODES[channels]
    if picture.mode == mode:
        return picture
    if picture.mode == "RGBA":
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture).convert("RGB")
    return picture.convert(mode)


def fit(picture: Image.Image, size: Size) -> Image.Image:
    """Scale a picture to cover `size` and cut the middle out: nothing is stretched (antialiased bicubic)."""
    if (picture.height, picture.width) == (size.height, size.width):
        return picture
    return ImageOps.fit(picture, (size.width, size.height), method=Image.Resampling.BICUBIC)


def as_array(picture: Image.Image) -> np.ndarray:
    """Turn a decoded picture into a uint8 array (H, W, C)."""
    array = np.asarray(picture)
    return array[..., None] if array.ndim == 2 else array


def _unreadable(name: str, error: Exception) -> UserError:
    # Pillow's own words would name an address in memory, another one at every run
    foreign = isinstance(error, UnidentifiedImageError)
    return UserError(f"{name}: not a readable picture ({'in no known format' if foreign else error})")


def _eight_bit(picture: Image.Image) -> Image.Image:
    mode = picture.mode
    if mode in ("L", "RGB", "RGBA"):
        return picture
    if mode.startswith("I;16") or mode == "I":
        deep = np.asarray(picture).astype(np.float64)  # "I" is how Pillow opens some 16-bit PNGs
        return Image.fromarray(np.clip(np.rint(deep / 257.0), 0, 255).astype(np.uint8))
    if mode == "F":
        deep = np.asarray(picture)
        scale = 255.0 if deep.max() <= 1.0 else 1.0
        return Image.fromarray(np.clip(np.rint(deep * scale), 0, 255).astype(np.uint8))
    return picture.convert(_target_mode(picture))


def _target_mode(picture: Image.Image) -> str:
    if picture.mode in ("L", "RGB", "RGBA"):
        return picture.mode
    if picture.mode in ("1", "I", "F") or picture.mode.startswith("I;16"):
        return "L"
    if picture.mode in ("LA", "La", "PA", "RGBa") or "transparency" in picture.info:
        return "RGBA"
    return "RGB"

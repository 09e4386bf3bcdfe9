"""How a run learned, as a short animation: one frame per sample sheet, the last one held."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from limner.core import files

LONGEST = 480  # frames above this are shrunk: what a README shows, and a GIF of noise at 640 px takes twice the bytes
GREYS = 64  # of a grey GIF: nobody sees the rest, and it halves the file
WEBP_BYTES = 1_500_000  # the page embeds the WebP: above this it is made anew with the second quality
QUALITIES = (70, 35)
STRIP, TEXT, BAR, BAR_DONE = 24, 205, 60, 150  # greys of the caption's strip, its words, and the progress line
SLOWEST, QUICKEST = 700, 50  # milliseconds of a frame: two frames need no three seconds, and browsers slow what is < 20


def write_timelapse(
    sheets: Sequence[Path],
    out_stem: Path,
    captions: Sequence[str] | None = None,
    seconds: float = 8.0,
    hold: float = 2.5,
) -> list[Path]:
    """Write an endless GIF and WebP beside each other and return their paths; nothing for fewer than two sheets.

    `seconds` is the length of one round, of which the last frame takes `hold`. Without captions the images seen are
    read off the sheets' names. A sheet that is damaged is left out. Errors: UserError when the place cannot be written.
    """
    words = captions if captions is not None else [caption(sheet) for sheet in sheets]
    opened = [(open_sheet(sheet), word) for sheet, word in zip(sheets, words, strict=True)]
    pictures = [(picture, word) for picture, word in opened if picture is not None]
    if len(pictures) < 2:
        return []
    size = _fitted(pictures[0][0].size)
    last = len(pictures) - 1
    frames = [_frame(picture, word, i / last, size) for i, (picture, word) in enumerate(pictures)]
    durations = frame_times(len(frames), seconds, hold)

    return write_animation(frames, out_stem, durations)


def write_animation(frames: Sequence[Image.Image], out_stem: Path, durations: Sequence[int] | int = 60) -> list[Path]:
    """Write pictures of one size and mode, L or RGB, as an endless GIF and WebP; return their paths.

    `durations` are milliseconds, of each frame or of all. Errors: UserError when the place cannot be written.
    """
    gif, webp = (out_stem.with_name(f"{out_stem.name}.{kind}") for kind in ("gif", "webp"))
    files.write_bytes(gif, _encode([_reduce(frame) for frame in frames], durations, format="GIF"))
    coloured = [frame.convert("RGB") for frame in frames]
    content = b""
    for quality in QUALITIES:
        content = _encode(coloured, durations, format="WEBP", quality=quality, method=4)
        if len(content) <= WEBP_BYTES:
            break
    files.write_bytes(webp, content)
    return [gif, webp]


def frame_times(count: int, seconds: float, hold: float) -> list[int]:
    """Milliseconds of each frame, in tens as GIF counts them: the first ones, which change most, stay twice as long."""
    weights = np.linspace(2.0, 1.0, count - 1)
    times = np.clip(weights / weights.sum() * (seconds - hold) * 1000, QUICKEST, SLOWEST)
    return [round(time / 10) * 10 for time in times] + [round(hold * 100) * 10]


def caption(sheet: Path) -> str:
    """Say how many images were seen when a sheet was made: 0000012800.png is "12,800 images"."""
    return f"{int(sheet.stem):,} images" if sheet.stem.isdecimal() else sheet.stem


def open_sheet(path: Path) -> Image.Image | None:
    """Open a sample sheet in mode L or RGB, transparency laid on white; None when it cannot be read."""
    try:
        with Image.open(path) as picture:
            picture.load()
    except (OSError, SyntaxError, ValueError):
        return None
    if picture.mode == "L":
        return picture
    if picture.mode != "RGB":
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    pixels = np.asarray(picture)
    grey = (pixels == pixels[..., :1]).all()
    return picture.getchannel(0) if grey else picture


def _fitted(size: tuple[int, int]) -> tuple[int, int]:
    shrink = min(1.0, LONGEST / max(size))
    return max(1, round(size[0] * shrink)), max(1, round(size[1] * shrink))


def _frame(picture: Image.Image, words: str, progress: float, size: tuple[int, int]) -> Image.Image:
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    width, height = size
    letter = max(11, min(16, width // 32))
    strip = round(letter * 2.2)
    grey = (lambda value: value) if picture.mode == "L" else (lambda value: (value,) * 3)
    frame = Image.new(picture.mode, (width, height + strip), grey(STRIP))
    frame.paste(picture, (0, 0))
    draw = ImageDraw.Draw(frame)
    draw.rectangle((0, height, width - 1, height + 1), fill=grey(BAR))
    draw.rectangle((0, height, round(progress * (width - 1)), height + 1), fill=grey(BAR_DONE))
    middle = height + 1 + strip // 2
    draw.text((width // 2, middle), words, fill=grey(TEXT), font=ImageFont.load_default(letter), anchor="mm")
    return frame


def _reduce(frame: Image.Image) -> Image.Image:
    # The octree tints greys, and so few of them it keeps that bands show; grey frames go without a palette.
    if frame.mode == "L":
        return frame.point([round(round(value * (GREYS - 1) / 255) * 255 / (GREYS - 1)) for value in range(256)])
    return frame.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)  # 20 times faster than the default


def _encode(frames: list[Image.Image], durations: Sequence[int] | int, **options: Any) -> bytes:
    buffer = io.BytesIO()
    times = durations if isinstance(durations, int) else list(durations)
    frames[0].save(buffer, save_all=True, append_images=frames[1:], duration=times, loop=0, **options)
    return buffer.getvalue()

"""A video of pictures that a model made (PyAV, an extra)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from limner.core import files
from limner.inference.video import BT709, QUALITY, pyav

RATE = 25  # frames a second
SMALLEST = 256  # pixels: shorter sides are enlarged by a whole factor, as players blur small videos


def write_film(frames: Iterable[np.ndarray], path: Path) -> Path:
    """Write pictures of one size, uint8 (H, W, 1, 3 or 4), as an .mp4 of 25 frames a second; return its path.

    Small pictures are enlarged, an odd side loses a pixel, and transparency is laid on white. Errors: UserError when
    PyAV is not installed or the place cannot be written; nothing is left then.
    """
    av = pyav()
    with files.atomic(path) as temporary, av.open(str(temporary), "w", format="mp4") as made:
        stream = made.add_stream("libx264", rate=RATE, options={"crf": QUALITY})
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = BT709
        for picture in map(_shown, frames):
            if not context.is_open:
                stream.height, stream.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            for packet in stream.encode(frame.reformat(format="yuv420p", dst_colorspace=BT709)):
                made.mux(packet)
        for packet in stream.encode():
            made.mux(packet)
    return path


def _shown(picture: np.ndarray) -> np.ndarray:
    if picture.shape[2] == 4:
        opaque = picture[..., 3:] / 255.0
        picture = np.rint(picture[..., :3] * opaque + 255.0 * (1.0 - opaque)).astype(np.uint8)
    factor = -(-SMALLEST // min(picture.shape[:2]))
    picture = picture.repeat(factor, axis=0).repeat(factor, axis=1)
    even = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]
    return np.ascontiguousarray(np.broadcast_to(even, (*even.shape[:2], 3)))

"""A video translated frame by frame, its sound kept (PyAV, an extra)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from limner.core import files
from limner.core.errors import UserError

BATCH = 8  # frames

Turn = Callable[[list[np.ndarray]], list[np.ndarray]]


def translate_video(path: Path, target: Path, turn: Turn, batch: int = BATCH) -> Path:
    """Write `target`, an .mp4, with every frame of `path` turned by `turn` (uint8 (H, W, 3) in and out).

    Speed and sound are kept. Errors: UserError for a file that is no video or has no frames, or without PyAV.
    """
    try:
        import av
        from av.error import FFmpegError
    except ImportError as error:
        raise UserError("videos need the package PyAV: pip install 'limner[video]'") from error
    try:
        with av.open(str(path)) as source:
            if not source.streams.video:
                raise UserError(f"{path} has no pictures in it: it is sound alone")
            with files.atomic(target) as temporary:
                _turn(av, source, temporary, path, turn, batch)
    except FFmpegError as error:
        raise UserError(f"{path} cannot be read as a video: {error}") from error
    return target


def _turn(av: Any, source: Any, temporary: Path, path: Path, turn: Turn, batch: int) -> None:
    seen = source.streams.video[0]
    heard = source.streams.audio[0] if source.streams.audio else None
    with av.open(str(temporary), "w", format="mp4") as made:
        shown = made.add_stream("libx264", rate=seen.average_rate or 25)
        shown.pix_fmt = "yuv420p"
        sound = made.add_stream_from_template(heard) if heard is not None else None
        waiting: list[np.ndarray] = []
        count = 0

        def flush() -> None:
            for picture in turn(waiting):
                colours = picture[..., :3] if picture.shape[2] >= 3 else picture.repeat(3, axis=2)
                # the format keeps colours at half the size
                even = colours[: colours.shape[0] // 2 * 2, : colours.shape[1] // 2 * 2]
                shown.height, shown.width = even.shape[:2]
                for packet in shown.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")):
                    made.mux(packet)
            waiting.clear()

        streams = [seen] if heard is None else [seen, heard]
        for packet in source.demux(*streams):
            if sound is not None and packet.stream is heard:
                if packet.dts is not None:
                    packet.stream = sound
                    made.mux(packet)
                continue
            for frame in packet.decode():
                count += 1
                waiting.append(frame.to_ndarray(format="rgb24"))
                if len(waiting) == batch:
                    flush()
        if not count:
            raise UserError(f"{path} is a video without frames")
        flush()
        for packet in shown.encode():
            made.mux(packet)

"""A video translated frame by frame, its sound kept (PyAV, an extra)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from limner.core import files
from limner.core.errors import UserError

BATCH = 8  # frames
QUALITY = "18"  # x264's constant rate factor: nothing lost that is seen
COPIED = frozenset(("aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"))  # sound that an .mp4 holds as it is
BT709 = 1  # the standard by which colours are written, and said to be, so that every player shows them alike

Turn = Callable[[list[np.ndarray]], list[np.ndarray]]


class Unreadable(UserError):
    """The video is at fault, and nothing else."""


def pyav() -> Any:
    """Import PyAV; UserError when it is not installed."""
    try:
        import av
    except ImportError as error:
        raise UserError("videos need the package PyAV: pip install 'limner[video]'") from error
    return av


def count_frames(path: Path) -> int:
    """How many frames a video says that it has; 0 when it does not say, or is none."""
    av = pyav()
    try:
        with _open(av, path) as source:
            return source.streams.video[0].frames if source.streams.video else 0
    except av.error.FFmpegError:
        return 0


def translate_video(
    path: Path, target: Path, turn: Turn, batch: int = BATCH, progress: Callable[[int], None] | None = None
) -> Path:
    """Write `target`, an .mp4, with every frame of `path` turned by `turn` (uint8 (H, W, 3) in and out).

    Each frame keeps its time; the first sound track is kept, as it is where an .mp4 can hold it and else as AAC. A
    video that is to be shown turned is turned. An odd side grows by a pixel, as players want even ones. `progress` is
    called with the number of further frames done. Errors: Unreadable for a file that is no video, is damaged or has no
    frames; UserError without PyAV. No file is left then.
    """
    av = pyav()
    try:
        with _open(av, path) as source:
            if not source.streams.video:
                raise Unreadable(f"{path} has no pictures in it: it is sound alone")
            with files.atomic(target) as temporary, av.open(str(temporary), "w", format="mp4") as made:
                writer = _Writer(av, source, made)
                for frames in writer.read(batch):
                    turned = turn([picture for picture, _ in frames])
                    for picture, (_, frame) in zip(turned, frames, strict=True):
                        writer.write(picture, frame)
                    if progress:
                        progress(len(frames))
                if not writer.count:
                    raise Unreadable(f"{path} is a video without frames")
                writer.finish()
    except av.error.FFmpegError as error:
        raise Unreadable(f"{path} cannot be read as a video: {error}") from error
    return target


def _open(av: Any, path: Path) -> Any:
    return av.open(f"file:{path}", options={"protocol_whitelist": "file"})  # a playlist must not fetch anything


class _Writer:
    def __init__(self, av: Any, source: Any, made: Any) -> None:
        self.av, self.source, self.made, self.count = av, source, made, 0
        self.seen = source.streams.video[0]
        self.seen.thread_type = "AUTO"
        self.shown = made.add_stream("libx264", rate=self.seen.average_rate or 25, options={"crf": QUALITY})
        self.shown.pix_fmt = "yuv420p"
        context = self.shown.codec_context
        context.colorspace = context.color_primaries = context.color_trc = BT709
        self.heard = source.streams.audio[0] if source.streams.audio else None
        self.waiting: list[Any] = []
        self.last: int | None = None
        self.copied = self.heard is not None and self.heard.codec_context.name in COPIED
        self.sound = None
        if self.copied:
            self.sound = made.add_stream_from_template(self.heard)
        elif self.heard is not None:
            self.sound = made.add_stream("aac", rate=self.heard.rate)

    def read(self, batch: int) -> Any:
        # pictures with their frames, `batch` at a time; sound is passed on meanwhile
        streams = [self.seen] if self.heard is None else [self.seen, self.heard]
        waiting = []
        for packet in self.source.demux(*streams):
            if packet.stream is self.heard:
                self._hear(packet)
                continue
            for frame in packet.decode():
                self.count += 1
                picture = frame.to_ndarray(format="rgb24")
                quarters = round(getattr(frame, "rotation", 0) / 90)  # telephones write "show it turned"
                waiting.append((np.ascontiguousarray(np.rot90(picture, quarters)), frame))
                if len(waiting) == batch:
                    yield waiting
                    waiting = []
        if waiting:
            yield waiting

    def write(self, picture: np.ndarray, frame: Any) -> None:
        colours = picture[..., :3] if picture.shape[2] >= 3 else picture.repeat(3, axis=2)
        even = np.pad(colours, [(0, colours.shape[0] % 2), (0, colours.shape[1] % 2), (0, 0)], mode="edge")
        if not self.shown.codec_context.is_open:
            self.shown.height, self.shown.width = even.shape[:2]
            self.shown.codec_context.time_base = frame.time_base
        new = self.av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
        new = new.reformat(format="yuv420p", dst_colorspace=BT709)
        new.pts, new.time_base = self._time(frame), frame.time_base
        self._mux(self.shown.encode(new))

    def _time(self, frame: Any) -> int:
        # some formats tell no times, or wrong ones: then a frame follows the last as its rate says
        step = max(1, round(1 / ((self.seen.average_rate or 25) * frame.time_base)))
        after = 0 if self.last is None else self.last + step
        self.last = after if frame.pts is None or (self.last is not None and frame.pts <= self.last) else int(frame.pts)
        return self.last

    def finish(self) -> None:
        self._mux(self.shown.encode())
        if self.sound is not None and not self.copied:
            self._mux(self.sound.encode(None))

    def _hear(self, packet: Any) -> None:
        if not self.copied:
            for frame in packet.decode():
                self._mux(self.sound.encode(frame))  # type: ignore[union-attr]
        elif packet.dts is not None:
            packet.stream = self.sound
            self._mux([packet])

    def _mux(self, packets: Any) -> None:
        # the first packet fixes what the file says of its pictures, so sound waits for the first of them
        self.waiting += packets
        if self.shown.codec_context.is_open:
            for packet in self.waiting:
                self.made.mux(packet)
            self.waiting = []

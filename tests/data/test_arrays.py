"""Arrays of pictures in .npy and HDF5 files: axes, what numbers mean, which labels are theirs, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from limner import data
from limner.core import images
from limner.core.config import Size
from limner.core.errors import UserError
from limner.data.npy import Npy
from limner.data.pairs import open_pairs
from limner.data.store import Store

from .conftest import COUNT, SIDE, labels, pixels


def stored(source: Any, cache: Path) -> np.ndarray:
    return Store.build(source, None, None, 1.0, cache).pixels.transpose(0, 2, 3, 1)


@pytest.mark.parametrize(
    ("change", "slack"),
    [
        (lambda x: x.astype(np.uint16) * 257, 0),
        (lambda x: x.astype(np.uint16), 0),
        (lambda x: x.astype(np.int64), 0),
        (lambda x: (x / 255).astype(np.float32), 0),
        (lambda x: x / 127.5 - 1, 0),
        (lambda x: (x / 127.5 - 1).astype(np.float16), 1),
        (lambda x: x.astype(np.float32), 0),
    ],
    ids=["uint16", "uint16 of 8 bits", "int64", "0 to 1", "-1 to 1", "float16", "floats to 255"],
)
def test_what_numbers_mean_is_told_by_their_values(change: Any, slack: int, tmp_path: Path) -> None:
    np.save(tmp_path / "set.npy", change(pixels(channels=3)))
    found = stored(data.open(str(tmp_path / "set.npy")), tmp_path / "cache")
    assert np.abs(found.astype(int) - pixels(channels=3)).max() <= slack


@pytest.mark.parametrize("axes", [(0, 1, 2, 3), (0, 3, 1, 2)])
def test_axes_are_told_by_the_channels(axes: tuple[int, ...], tmp_path: Path) -> None:
    np.save(tmp_path / "set.npy", pixels(channels=3).transpose(axes))
    source = data.open(str(tmp_path / "set.npy"))
    assert source.probe(0) == (Size(SIDE, SIDE), 3)
    assert np.array_equal(stored(source, tmp_path / "cache"), pixels(channels=3))
    np.save(tmp_path / "grey.npy", pixels()[..., 0])
    assert np.array_equal(stored(data.open(str(tmp_path / "grey.npy")), tmp_path / "c"), pixels())


def test_true_and_false_are_white_and_black(tmp_path: Path) -> None:
    np.save(tmp_path / "set.npy", pixels()[..., 0] > 127)
    assert set(np.unique(stored(data.open(str(tmp_path / "set.npy")), tmp_path / "cache"))) == {0, 255}


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.full((5, 8, 8), 1e6, np.float32), "run from 1e.06 to 1e.06. Expected pixels"),
        (np.full((5, 8, 8), -3, np.int16), "run from -3 to -3"),
        (np.zeros((5, 8)), "5 x 8; expected .N, height, width."),
        (np.zeros((0, 8, 8), np.uint8), "0 x 8 x 8; expected"),
        (np.zeros((5, 8, 8, 7), np.uint8), "5 x 8 x 8 x 7; expected"),
        (np.full((5, 8, 8), np.nan), "can be read, or is finite"),
        (np.array([{"a": 1}] * 5), "Python objects, which run code"),
    ],
)
def test_arrays_of_something_else_are_refused(array: np.ndarray, words: str, tmp_path: Path) -> None:
    np.save(tmp_path / "set.npy", array, allow_pickle=True)
    with pytest.raises(UserError, match=words):
        data.open(str(tmp_path / "set.npy"))


def test_a_picture_with_other_numbers_is_left_out_by_name(tmp_path: Path) -> None:
    array = np.repeat(pixels(channels=3) / 255.0, 20, axis=0)
    array[7], array[11, 2, 2, 1] = 200.0, np.nan
    np.save(tmp_path / "set.npy", array)
    store = Store.build(data.open(str(tmp_path / "set.npy")), None, None, 1.0, tmp_path / "cache")
    assert [name for name, _ in store.skipped] == ["set.npy[7]", "set.npy[11]"]
    assert "run from 200 to 200" in store.skipped[0][1] and "nan" in store.skipped[1][1]


def test_batches_are_joined_by_their_numbers_and_single_pictures_too(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    for number in range(COUNT):
        np.save(folder / f"{number}.npy", pixels(channels=3)[number])
    source = data.open(str(folder))
    assert len(source) == COUNT and source.name(10) == "10.npy"
    assert np.array_equal(stored(source, tmp_path / "cache"), pixels(channels=3))
    np.save(folder / "odd.npy", pixels(side=4, channels=3))
    with pytest.raises(UserError, match=r"odd\.npy holds pictures of 4 x 4 x 3 .*, but 0\.npy"):
        Npy(folder)


def test_labels_lie_beside_and_are_words_or_numbers(tmp_path: Path) -> None:
    np.save(tmp_path / "set.npy", pixels())
    assert data.open(str(tmp_path / "set.npy")).classes == ()
    np.save(tmp_path / "labels.npy", np.array(["cat", "dog", "ant"] * 4))
    source = data.open(str(tmp_path / "set.npy"))
    assert source.classes == ("ant", "cat", "dog") and source.labels is not None
    assert source.labels[:3].tolist() == [1, 2, 0]
    np.save(tmp_path / "labels.npy", labels()[:, None] * 1.0)
    assert data.open(str(tmp_path / "set.npy")).classes == ("0", "1", "2")
    np.save(tmp_path / "labels.npy", labels() + 0.5)
    with pytest.raises(UserError, match="expected one whole number, or one word"):
        data.open(str(tmp_path / "set.npy"))
    np.save(tmp_path / "labels.npy", labels()[:5])
    assert data.open(str(tmp_path / "set.npy")).classes == (), "they are another file's"
    with pytest.raises(UserError, match=r"12 pictures, but labels\.npy holds 5 labels"):
        data.open(str(tmp_path))


def test_the_arrays_of_hdf5_files_of_the_world(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="HDF5 files need the extra hdf5")

    def made(**arrays: Any) -> Path:
        with h5py.File(tmp_path / "set.h5", "w") as file:
            for name, array in arrays.items():
                file[name.replace("__", "/")] = array
        return tmp_path / "set.h5"

    colours = pixels(channels=3)
    source = data.open(str(made(images=colours, ans=labels())))
    assert source.classes == ("0", "1", "2"), "the only numbers that fit"
    source = data.open(str(made(train_set_x=colours, train_set_y=labels() % 2, test_set_x=colours[:3])))
    assert len(source) == COUNT and source.classes == ("0", "1")
    source = data.open(str(made(train__x=colours, train__y=labels(), test__x=colours[:3], test__y=labels()[:3])))
    assert source.name(1) == "train/x[1]" and source.labels is not None
    source = data.open(str(made(pictures=colours, labels=labels(), classes=np.array([b"ant", b"bee", b"cat"]))))
    assert source.classes == ("ant", "bee", "cat")
    assert data.open(str(made(images=colours, masks=pixels()[..., 0]))).name(0) == "images[0]"
    source = data.open(str(made(pictures=colours, width=labels(), height=labels())))
    assert source.classes == (), "which of them?"
    assert np.array_equal(images.as_array(source.read(4)), colours[4])
    with pytest.raises(UserError, match=r"holds words \(12, 3\) float64, y \(12,\) int64\.$"):
        data.open(str(made(words=np.zeros((12, 3)), y=labels())))
    with pytest.raises(UserError, match="holds no arrays at all"):
        data.open(str(made()))
    with pytest.raises(UserError, match="For two kinds of pictures choose a translation preset"):
        data.open(str(made(front=colours, side=colours)))


def test_hdf5_pairs_with_splits_and_without_partners(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="HDF5 files need the extra hdf5")
    colours = pixels(channels=3)
    with h5py.File(tmp_path / "split.h5", "w") as file:
        for split, count in (("train", COUNT), ("test", 3)):
            file[f"{split}/A"], file[f"{split}/B"] = colours[:count], colours[::-1][:count]
    pairs = open_pairs(str(tmp_path / "split.h5"), paired=True)
    assert (len(pairs.train.a), len(pairs.held_out.a)) == (COUNT, 3)
    assert np.array_equal(images.as_array(pairs.held_out.b.read(0)), colours[-1])
    with h5py.File(tmp_path / "apart.h5", "w") as file:
        file["A"], file["B"] = colours, colours[:10]
        file["names_A"], file["names_B"] = [f"a{i}.png" for i in range(COUNT)], [f"b{i}.png" for i in range(10)]
    with pytest.raises(UserError, match=r"their names differ \(a0\.png and b0\.png"):
        open_pairs(str(tmp_path / "apart.h5"), paired=True)
    apart = open_pairs(str(tmp_path / "apart.h5"), paired=False)
    assert len(apart.train.a) + len(apart.held_out.a) == COUNT and apart.train.b.name(0).startswith("b")


def test_a_large_array_is_cut_into_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from limner.data import store

    np.save(tmp_path / "set.npy", pixels(channels=3))
    source = data.open(str(tmp_path / "set.npy"))
    expected = stored(source, tmp_path / "none")
    assert not (tmp_path / "none").exists(), "small enough to stay in memory"
    monkeypatch.setattr(store, "PIECE", 5 * SIDE * SIDE * 3)
    monkeypatch.setattr(store, "IN_MEMORY", 0)
    assert np.array_equal(stored(source, tmp_path / "cache"), expected)
    assert (tmp_path / "cache" / "pictures.npy").is_file()


def test_a_damaged_piece_of_an_hdf5_file_costs_the_pictures_in_it(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="HDF5 files need the extra hdf5")
    with h5py.File(tmp_path / "set.h5", "w") as file:
        packed = file.create_dataset("images", data=pixels(), chunks=(1, SIDE, SIDE, 1), compression="gzip")
        place = packed.id.get_chunk_info(7).byte_offset
    content = bytearray((tmp_path / "set.h5").read_bytes())
    content[place : place + 8] = bytes(8)
    (tmp_path / "set.h5").write_bytes(content)
    store = Store.build(data.open(str(tmp_path / "set.h5")), None, None, 1.0, tmp_path / "cache")
    assert [name for name, _ in store.skipped] == ["images[7]"] and store.count == COUNT - 1
    assert np.array_equal(store.pixels[7].transpose(1, 2, 0), pixels()[8])

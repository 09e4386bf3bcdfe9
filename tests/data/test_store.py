"""The store: decoded once, fitted, and clear about what it cannot use."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from limner import data
from limner.core import images
from limner.core.config import Size
from limner.core.errors import UserError
from limner.data import store as module
from limner.data.cache import Cache
from limner.data.folder import Folder
from limner.data.store import Store

from .conftest import COUNT, MAKERS, SIDE, build, make_csv, make_folder, make_idx, pixels, save


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the pictures that are decoded while the test runs."""
    seen: list[int] = []
    decode = Folder.read
    monkeypatch.setattr(Folder, "read", lambda self, n, at_least=None: seen.append(n) or decode(self, n, at_least))
    return seen


@pytest.mark.parametrize("kind", MAKERS)
def test_pictures_arrive_unchanged_at_their_own_size(kind: str, tmp_path: Path) -> None:
    store = build(MAKERS[kind](tmp_path / "set"), tmp_path / "cache")
    assert np.array_equal(store.pixels, pixels().transpose(0, 3, 1, 2))
    assert (store.count, store.size, store.channels) == (COUNT, Size(SIDE, SIDE), 1)
    assert store.spec.classes == store.classes and store.labels is not None
    assert store.skipped == ()


@pytest.mark.parametrize("make", [make_folder, make_csv])
def test_pictures_are_fitted_and_converted_as_core_does(make, tmp_path: Path) -> None:
    root = make(tmp_path / "set")
    size, source = Size(4, 6), data.open(str(root))
    store = Store.build(source, size, 3, 1.5, tmp_path / "cache")
    assert store.pixels.shape == (COUNT, 3, 6, 9) and store.size == size
    for index in range(COUNT):
        expected = images.fit(images.convert(source.read(index), 3), Size(6, 9))
        assert np.array_equal(store.pixels[index].transpose(1, 2, 0), images.as_array(expected))


def test_every_picture_is_decoded_once_in_its_life(tmp_path: Path, reads: list[int]) -> None:
    root, steps = make_folder(tmp_path / "set"), []
    source = data.open(str(root))
    first = Store.build(source, None, None, 1.0, tmp_path / "cache", lambda done, total: steps.append((done, total)))
    assert sorted(reads) == list(range(COUNT))
    assert steps == [(done, COUNT) for done in range(COUNT + 1)]
    reads.clear()
    for size, channels in [(None, None), (SIDE, 1)]:  # what was read off the pictures may be stated later
        again = build(root, tmp_path / "cache", size, channels)
        assert np.array_equal(again.pixels, first.pixels) and again.labels is not None
        assert again.fingerprint == first.fingerprint
    assert reads == []
    assert isinstance(first.pixels, np.memmap)
    assert build(root, tmp_path / "cache", 4).size == Size(4, 4)  # something else is asked for
    assert len(reads) == COUNT


def test_changed_or_damaged_caches_are_made_anew(tmp_path: Path, reads: list[int]) -> None:
    root, cache = make_folder(tmp_path / "set"), tmp_path / "cache"
    build(root, cache)
    for damage in (
        lambda: save(root / "2" / "9999.png", pixels(1)[0]),
        lambda: (cache / "pictures.json").write_text("{"),
        lambda: (cache / "pictures.json").write_text("[]"),
        lambda: (cache / "pictures.npy").write_bytes((cache / "pictures.npy").read_bytes()[:-1]),
        lambda: (cache / "pictures.npy").unlink(),
        lambda: (
            (cache / ".pictures.npy.0123.tmp").write_bytes(b"left by a kill") and (cache / "pictures.json").unlink()
        ),
    ):
        damage()
        reads.clear()
        store = build(root, cache)
        assert len(reads) == store.count == COUNT + 1
        assert sorted(file.name for file in cache.iterdir()) == ["pictures.json", "pictures.npy"]


def test_broken_pictures_are_skipped_with_their_names(tmp_path: Path, reads: list[int]) -> None:
    root, cache = make_folder(tmp_path / "set"), tmp_path / "cache"
    (root / "0" / "0000.png").write_bytes(b"nonsense")
    whole = (root / "1" / "0005.png").read_bytes()
    (root / "1" / "0005.png").write_bytes(whole[: len(whole) // 2])
    kept = np.delete(np.arange(COUNT), [0, 5])
    for _ in range(2):  # decoded, then from the cache
        store = build(root, cache)
        assert [name for name, _ in store.skipped] == ["0/0000.png", "1/0005.png"]
        assert all(reason.startswith("not a readable picture") for _, reason in store.skipped)
        assert np.array_equal(store.pixels, pixels()[kept].transpose(0, 3, 1, 2))
        assert store.labels is not None and store.labels.tolist() == (kept // 4).tolist()
    assert len(reads) == COUNT


@pytest.mark.parametrize("size", [None, 8])
def test_too_few_readable_pictures_are_refused(tmp_path: Path, size: int | None) -> None:
    for number in range(5):
        save(tmp_path / "set" / f"{number}.png", pixels(1)[0])
    for broken, words in [([1, 3], "has 3 readable pictures; 2 could not"), ([0, 2, 4], "has 0 readable pictures; 5")]:
        for number in broken:
            (tmp_path / "set" / f"{number}.png").write_bytes(b"nonsense")
        with pytest.raises(UserError, match=words) as error:
            build(tmp_path / "set", tmp_path / "cache", size)
        assert all(f"{number}.png (not a readable picture" in str(error.value) for number in broken)
        assert not list((tmp_path / "cache").glob("*"))
        assert not list((tmp_path / "cache").glob(".*"))


def test_mixed_channels_are_counted_and_named(tmp_path: Path, reads: list[int]) -> None:
    for number, channels in enumerate([3, 3, 1, 3, 4, 3]):
        save(tmp_path / "set" / f"{number}.png", pixels(1, SIDE, channels)[0])
    with pytest.raises(UserError) as error:
        build(tmp_path / "set", tmp_path / "cache")
    message = str(error.value)
    assert "1 grey (1 channel): 2.png; 4 colour (3 channels): 0.png, 1.png, 3.png and 1 more; 1 with" in message
    assert "--channels 3" in message and "--channels 1" in message
    assert reads == []  # found out before anything was decoded
    assert build(tmp_path / "set", tmp_path / "cache", channels=3).channels == 3


def test_different_sizes_ask_for_one(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path / "set" / f"{number}.png", pixels(1, SIDE + number)[0])
    with pytest.raises(UserError, match=r"from 8x8 to 11x11 \(height x width\): choose one by --size"):
        build(tmp_path / "set", tmp_path / "cache")
    with pytest.raises(UserError, match="expected 1"):
        build(tmp_path / "set", tmp_path / "cache", crop=0.5)


def test_array_sets_above_the_limit_go_to_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_idx(tmp_path / "set")
    monkeypatch.setattr(module, "IN_MEMORY", 10)
    store = build(root, tmp_path / "cache")
    assert isinstance(store.pixels, np.memmap)
    assert np.array_equal(store.pixels, pixels().transpose(0, 3, 1, 2))


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, cache = make_folder(tmp_path / "set"), tmp_path / "cache"

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "ascontiguousarray", full)
        with pytest.raises(UserError, match=r"cannot write .*No space left on device"):
            build(root, cache)
    assert list(cache.iterdir()) == []
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=5))
    with pytest.raises(UserError, match=r"are free there"):
        build(root, cache)
    assert list(cache.iterdir()) == []


def test_the_file_may_hold_fewer_pictures_than_were_announced(tmp_path: Path) -> None:
    for announced in (5, 10, 100_000):  # the header keeps its length however many digits the count has
        written = Cache(tmp_path).write(iter(pixels(4)), (announced, SIDE, SIDE, 1), {})
        assert np.array_equal(written, pixels(4))
        del written


def test_the_index_tells_what_was_asked_and_found(tmp_path: Path) -> None:
    build(make_folder(tmp_path / "set"), tmp_path / "cache", size=4, crop=1.5)
    index = json.loads((tmp_path / "cache" / "pictures.json").read_text())
    assert index["asked"] == {"size": [4, 4], "channels": None, "crop": 1.5}
    assert index["shape"] == [COUNT, 1, 6, 6] and index["size"] == [4, 4] and index["channels"] == 1
    assert np.load(tmp_path / "cache" / "pictures.npy").shape == (COUNT, 1, 6, 6)

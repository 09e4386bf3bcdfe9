"""Sets that are read piece by piece while training goes along: nothing whole, nothing lost, nothing twice."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tiny
from limner import data
from limner.commands.train import train
from limner.core.config import Size
from limner.core.errors import UserError
from limner.data import row_groups
from limner.data.loader import Loader
from limner.data.sampler import WindowSampler
from limner.data.source import together
from limner.data.store import Store
from limner.data.stream import Stream
from limner.data.transforms import Variety

from .conftest import COUNT, encoded, make_folder, make_parquet, pixels

pytest.importorskip("pyarrow", reason="streams need the extra hub")

pieces = st.lists(st.integers(1, 9), min_size=1, max_size=30).map(lambda counts: np.cumsum([0, *counts]))
worlds = st.integers(1, 4)
LONG, GROUP = 240, 10  # pictures; pictures of a row group


@given(pieces, worlds, st.integers(1, 5), st.integers(0, 3), st.integers(0, 2**40))
def test_ranks_see_sets_that_are_disjoint_and_complete(
    starts: np.ndarray, world: int, share: int, epoch: int, seed: int
) -> None:
    samplers = [WindowSampler(starts, seed, share * world, rank, world) for rank in range(world)]
    if starts[-1] < world:
        return
    seen = []
    for sampler in samplers:
        shown = [
            sampler(images) for images in range(0, world * (epoch + 1) * sampler.count + world * share, share * world)
        ]
        epochs, indices = (np.concatenate(part) for part in zip(*shown, strict=True))
        assert (np.diff(epochs) >= 0).all()
        seen += indices[epochs == epoch].tolist()
    assert sorted(seen) == list(range(starts[-1]))
    counts = [sampler.count for sampler in samplers]
    assert max(counts) - min(counts) <= 1


@given(pieces, worlds, st.integers(1, 5), st.integers(0, 50))
def test_a_position_alone_decides(starts: np.ndarray, world: int, share: int, step: int) -> None:
    batch = share * world
    straight = WindowSampler(starts, 3, batch, world - 1, world)
    shown = [straight(images) for images in range(0, (step + 1) * batch, batch)]
    fresh = WindowSampler(starts, 3, batch, world - 1, world)(step * batch)
    assert np.array_equal(fresh[0], shown[-1][0]) and np.array_equal(fresh[1], shown[-1][1])
    assert len(fresh[1]) == share


def test_orders_differ_between_epochs_seeds_and_ranks() -> None:
    starts = np.arange(0, 101, 5)
    orders = [
        WindowSampler(starts, seed, 200, rank, 2)(200 * epoch)[1].tolist()
        for seed, rank, epoch in itertools.product((0, 1), (0, 1), (0, 1))
    ]
    assert len({tuple(order) for order in orders}) == 8


def test_few_pieces_are_open_at_once_and_their_pictures_are_mixed() -> None:
    starts = np.arange(0, 1001, 10)
    rows = WindowSampler(starts, 0, 1000)(0)[1]
    opened = [set((rows[first : first + 40] // 10).tolist()) for first in range(0, 1000, 40)]
    assert {len(some) for some in opened} == {WindowSampler.OPEN}
    assert (np.diff(rows[:40] // 10) != 0).sum() > 20
    assert WindowSampler.OPEN <= row_groups.GROUPS


def long_table(folder: Path, broken: tuple[int, ...] = ()) -> Path:
    """A table whose pictures are of one grey each, which is their number, in two files and 24 row groups."""
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    folder.mkdir(parents=True)
    flat = [encoded(np.full((8, 8, 1), number, np.uint8)) for number in range(LONG)]
    pictures = [{"bytes": b"no picture" if i in broken else one, "path": f"{i:03}.png"} for i, one in enumerate(flat)]
    table = pyarrow.table({"image": pictures, "label": [number % 3 for number in range(LONG)]})
    for part, (first, last) in enumerate(((0, 100), (100, LONG))):
        parquet.write_table(table[first:last], folder / f"train-{part}.parquet", row_group_size=GROUP)
    return folder


def stored(words: str, cache: Path, channels: int | None = None) -> tuple[Stream, Store]:
    source = data.open(words)
    assert isinstance(source, Stream)
    return source, Store.build(source, None, channels, 1.0, cache)


def test_a_stream_reads_each_row_group_once_an_epoch_and_keeps_few(tmp_path: Path) -> None:
    source, store = stored(f"stream:{long_table(tmp_path / 'set')}", tmp_path / "cache", 1)
    assert not (tmp_path / "cache").exists(), "nothing is decoded before it is needed, and nothing lies on the disk"
    before = source.rows.read
    batches = Loader(store, seed=0, batch=20).start(0)
    seen = [next(batches) for _ in range(LONG // 20)]
    batches.close()
    numbers = np.concatenate([batch["image"][:, 0, 0, 0].numpy() for batch in seen])
    assert sorted(numbers.tolist()) == list(range(LONG))
    assert all((batch["label"].numpy() == batch["image"][:, 0, 0, 0].numpy() % 3).all() for batch in seen)
    assert len(source.rows.groups) <= row_groups.GROUPS
    rounds = 1 + Loader(store, seed=0, batch=20).ahead * 20 / LONG  # it reads ahead, into the next epochs
    assert source.rows.read - before <= (LONG // GROUP) * (rounds + 1)


def test_a_restart_anywhere_goes_on_with_the_same_bytes(tmp_path: Path) -> None:
    _, store = stored(f"stream:{long_table(tmp_path / 'set')}", tmp_path / "cache", 1)
    loader = Loader(store, seed=1, batch=15, variety=Variety(mirror=True), rows=np.arange(7, LONG))
    straight = list(itertools.islice(loader.start(0), 40))
    for step in (1, 17, 39):
        batch = next(loader.start(15 * step))
        assert np.array_equal(batch["image"], straight[step]["image"])
    assert min(batch["image"].min() for batch in straight) == 7, "of those kept aside none comes"


def test_a_broken_picture_gives_its_place_to_the_next_of_its_class(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, store = stored(f"stream:{long_table(tmp_path / 'set', broken=(5, 8))}", tmp_path / "cache", 1)
    numbers = store.pixels[np.arange(10)][:, 0, 0, 0].tolist()
    assert numbers == [0, 1, 2, 3, 4, 11, 6, 7, 11, 9]
    assert "005.png: picture 6: not a readable picture" in (words := " ".join(capsys.readouterr().err.split()))
    assert "Another takes its place." in words
    assert store.pixels[5][0, 0, 0] == 11 and store.pixels[4:6].shape == (2, 1, 8, 8)
    assert "005.png" not in capsys.readouterr().err, "it is said once"


def test_few_windows_are_read_to_look_at_some_pictures(tmp_path: Path) -> None:
    source, _ = stored(f"stream:{long_table(tmp_path / 'set')}", tmp_path / "cache")
    assert source.natural_size == Size(8, 8)
    assert source.rows.read <= 2 * 8, "once for the size, once for the channels: of 24 row groups"
    windows = np.arange(0, 100_001, 100)
    for wanted in (np.arange(0, 100_000, 1000), np.arange(7, 100_000, 10)):
        rows = together(wanted, windows)
        assert len(set(rows.tolist())) == len(wanted)
        assert (np.diff(rows) > 0).all() and rows[0] >= 0 and rows[-1] < 100_000
        assert len(set((rows // 100).tolist())) <= max(4, 2 * len(wanted) // 100 + 1)
    assert together(np.array([3, 9]), None).tolist() == [3, 9]
    assert together(np.arange(30), np.array([0, 1, 2, 3, 30])).tolist() == list(range(30))


def test_a_table_far_away_gives_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsspec = pytest.importorskip("fsspec")
    near = make_parquet(tmp_path / "set")
    memory = fsspec.filesystem("memory")
    for file in near.rglob("*.parquet"):
        memory.pipe_file(f"/streamed/{file.relative_to(near).as_posix()}", file.read_bytes())
    source = data.open("stream:memory://streamed")
    here = data.open(f"stream:{near}")
    assert len(source) == COUNT, "the test part is left out"
    assert source.classes == here.classes and [source.name(i) for i in (0, 11)] == ["0000.png", "0011.png"]
    assert all(source.content(i) == here.content(i) for i in range(COUNT))
    assert data.open("stream:memory://streamed").fingerprint == source.fingerprint
    memory.pipe_file("/streamed/data/train-00001-of-00002.parquet", b"PAR1 and no more")
    monkeypatch.setattr(row_groups, "WAIT", 0.0)
    with pytest.raises(UserError, match="is no Parquet file, or is cut short"):
        data.open("stream:memory://streamed")
    with pytest.raises(UserError, match=r"holds no \.parquet files"):
        data.open("stream:memory://elsewhere")
    with pytest.raises(UserError, match="cannot be reached"):
        data.open("stream:nonsense://set")


def test_a_connection_that_breaks_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsspec = pytest.importorskip("fsspec")
    file = make_parquet(tmp_path / "set") / "data" / "train-00000-of-00002.parquet"
    fsspec.filesystem("memory").pipe_file("/shaky/train.parquet", file.read_bytes())
    source = data.open("stream:memory://shaky/train.parquet")
    monkeypatch.setattr(row_groups, "WAIT", 0.0)
    left = [row_groups.ATTEMPTS - 1]
    opened = fsspec.open

    def shaky(*words: Any) -> Any:
        left[0] -= 1
        if left[0] >= 0:
            raise ConnectionResetError("the other side hung up")
        return opened(*words)

    monkeypatch.setattr(fsspec, "open", shaky)
    assert source.read(0).size == (8, 8)
    left[0] = 1_000
    store = Store.build(source, Size(8, 8), 1, 1.0, tmp_path / "cache")
    with pytest.raises(UserError, match=r"train\.parquet cannot be read \(the other side hung up\)"):
        _ = store.pixels[4]
    assert left[0] == 1_000 - row_groups.ATTEMPTS, "no other picture is asked for in its place"


def test_a_set_of_the_hub_is_read_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    folder = make_parquet(tmp_path / "set")
    asked = []

    def builder(title: str, config: str | None = None, revision: str | None = None) -> Any:
        asked.append((title, config, revision))
        files = {"test": ["hf://datasets/a/b/test/0.jpg"]}
        return SimpleNamespace(config=SimpleNamespace(data_files=files if title == "some/photos" else found))

    found = datasets.load_dataset_builder(str(folder)).config.data_files  # as the package itself lists them
    monkeypatch.setattr(datasets, "load_dataset_builder", builder)
    source = data.open("stream:hub:some/body?config=small&revision=v1")
    assert asked == [("some/body", "small", "v1")]
    assert len(source) == COUNT and len(data.open("stream:hub:some/body?split=test")) == 1
    assert np.array_equal(np.asarray(source.read(3)), pixels()[3][..., 0])
    with pytest.raises(UserError, match=r"stream:hub:some/photos\?revision=refs/convert/parquet"):
        data.open("stream:hub:some/photos")
    with pytest.raises(UserError, match="unknown split of some/body 'tset'"):
        data.open("stream:hub:some/body?split=tset")


def test_a_set_of_the_hub_that_is_larger_than_the_disk_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")

    def full(*words: Any, **more: Any) -> Any:
        raise OSError("Not enough disk space. Needed: 1.2 TiB (download: 1.2 TiB)")

    monkeypatch.setattr(datasets, "load_dataset", full)
    with pytest.raises(UserError, match="read it as training goes along, by --data stream:hub:some/body"):
        data.open("hub:some/body")


def test_other_sets_are_not_streamed(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "pictures")
    with pytest.raises(UserError, match="limner prepare pack"):
        data.open(f"stream:{folder}")
    with pytest.raises(UserError, match="no such file or folder"):
        data.open(f"stream:{tmp_path / 'nothing'}")
    with pytest.raises(UserError, match="no such file or folder"):
        data.open("stream:")
    table = make_parquet(tmp_path / "set")
    with pytest.raises(UserError, match="only sets of one kind of picture are streamed"):
        train(tiny.command("pix2pix", f"stream:{table}", tmp_path / "run"))

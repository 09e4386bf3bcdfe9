"""Two kinds of pictures: every layout, pairs by name, the split, and batches in which both sides agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tiny
from limner.core.config import Size
from limner.core.errors import UserError
from limner.data.loader import Loader
from limner.data.pair_store import PairStore
from limner.data.pairs import Part, open_pairs
from limner.data.store import Store
from limner.data.transforms import Variety


def save(path: Path, colour: int, width: int = 16, mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (width, 16), colour if mode == "L" else (colour, colour, colour)).save(path)


def side_by_side(folder: Path, count: int, start: int = 0) -> None:
    for i in range(start, start + count):
        picture = Image.new("RGB", (32, 16), (i, i, i))
        picture.paste((100 + i, 0, 0), (16, 0, 32, 16))
        folder.mkdir(parents=True, exist_ok=True)
        picture.save(folder / f"{i:02}.png")


def two_folders(folder: Path, a: str = "A", b: str = "B", count: int = 10) -> Path:
    for i in range(count):
        save(folder / a / f"{i:02}.png", i, mode="L")
        save(folder / b / f"{i:02}.jpg" if i % 2 else folder / b / f"{i:02}.png", 100 + i)
    return folder


def build(part: Part, cache: Path, paired: bool = True, crop: float = 1.0) -> PairStore:
    a = Store.build(part.a, Size(16, 16), None, crop, cache / "a", least=1)
    return PairStore(a, Store.build(part.b, Size(16, 16), None, crop, cache / "b", least=1), paired)


def test_side_by_side_with_splits(tmp_path: Path) -> None:
    side_by_side(tmp_path / "train", 8)
    side_by_side(tmp_path / "test", 3, start=8)
    pairs = open_pairs(str(tmp_path), paired=True)
    assert (len(pairs.train.a), len(pairs.held_out.a)) == (8, 3)
    assert "left half" in pairs.layout
    a, b = pairs.train.a.read(5), pairs.train.b.read(5)
    assert a.size == b.size == (16, 16) and a.getpixel((3, 3)) == (5, 5, 5) and b.getpixel((3, 3)) == (105, 0, 0)
    assert pairs.train.a.natural_size == Size(16, 16)
    assert pairs.held_out.b.read(0).getpixel((0, 0)) == (108, 0, 0)


def test_side_by_side_without_splits_holds_a_fifth_out(tmp_path: Path) -> None:
    side_by_side(tmp_path, 20)
    pairs = open_pairs(str(tmp_path), paired=True)
    assert (len(pairs.train.a), len(pairs.held_out.a)) == (16, 4)
    names = [{part.a.name(i) for i in range(len(part.a))} for part in (pairs.train, pairs.held_out)]
    assert not names[0] & names[1]
    again = open_pairs(str(tmp_path), paired=True)
    assert again.held_out.a.fingerprint == pairs.held_out.a.fingerprint


@pytest.mark.parametrize(("a", "b"), [("A", "B"), ("trainA", "trainB")])
def test_two_folders_are_paired_by_name_whatever_the_format(a: str, b: str, tmp_path: Path) -> None:
    pairs = open_pairs(str(two_folders(tmp_path, a, b)), paired=True)
    part = pairs.train
    assert [Path(part.a.name(i)).stem for i in range(8)] == [Path(part.b.name(i)).stem for i in range(8)]
    assert part.a.probe(0)[1] == 1 and part.b.probe(0)[1] == 3


def test_names_without_partner_are_listed_and_counted(tmp_path: Path) -> None:
    two_folders(tmp_path)
    (tmp_path / "A" / "03.png").unlink()
    save(tmp_path / "A" / "zebra.png", 0)
    with pytest.raises(UserError, match=r"2 have no partner: 03 \(B\), zebra \(A\)"):
        open_pairs(str(tmp_path), paired=True)
    unpaired = open_pairs(str(tmp_path), paired=False)  # there nobody needs one
    assert len(unpaired.train.a) + len(unpaired.held_out.a) == 10


def test_of_many_names_without_partner_ten_are_listed(tmp_path: Path) -> None:
    two_folders(tmp_path, count=30)
    for i in range(25):
        (tmp_path / "B" / f"{i:02}.{'jpg' if i % 2 else 'png'}").unlink()
    with pytest.raises(UserError, match=r"25 have no partner: 00 \(A\), .*09 \(A\) and 15 more\. Complete"):
        open_pairs(str(tmp_path), paired=True)


@pytest.mark.parametrize(("a", "b"), [("A", "B"), ("trainA", "trainB")])
@pytest.mark.parametrize("paired", [True, False])
def test_one_side_empty(paired: bool, a: str, b: str, tmp_path: Path) -> None:
    two_folders(tmp_path, a, b)
    for path in (tmp_path / b).iterdir():
        path.unlink()
    with pytest.raises(UserError, match=rf"{b} is empty: expected files"):
        open_pairs(str(tmp_path), paired=paired)


def train(data: Path, out: Path) -> None:
    from limner.commands.train import train

    train(tiny.command("pix2pix", str(data), out))


def test_training_on_odd_widths_ends_in_a_sentence(tmp_path: Path) -> None:
    for i in range(5):
        save(tmp_path / "set" / f"{i}.png", i, width=33)
    with pytest.raises(UserError, match=r"0\.png \(two pictures side by side have an even width.*33 px wide"):
        train(tmp_path / "set", tmp_path / "run")
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_training_on_a_set_with_single_pictures_among_pairs_ends_in_a_sentence(tmp_path: Path) -> None:
    side_by_side(tmp_path / "set", 40)
    save(tmp_path / "set" / "33.png", 0, width=16)  # one kind alone, where the others show two
    with pytest.raises(UserError, match=r"not wider than high: 33\.png\. Two kinds"):
        train(tmp_path / "set", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_mistaken_folders_are_explained(tmp_path: Path) -> None:
    def says(words: str) -> None:
        with pytest.raises(UserError, match=words):
            open_pairs(str(tmp_path), paired=True)

    for i in range(4):
        save(tmp_path / "A" / f"{i}.png", i)
    says("not its partner")
    save(tmp_path / "loose.png", 0)
    says("more than one way")
    (tmp_path / "loose.png").unlink()
    for path in (tmp_path / "A").iterdir():
        path.rename(tmp_path / path.name)
    (tmp_path / "A").rmdir()
    says("not wider than high")
    with pytest.raises(UserError, match="no such file or folder"):
        open_pairs(str(tmp_path / "nothing"), paired=True)


def test_odd_widths_are_named(tmp_path: Path) -> None:
    for i in range(5):
        save(tmp_path / f"{i}.png", i, width=33)
    pairs = open_pairs(str(tmp_path), paired=True)
    with pytest.raises(UserError, match="even width"):
        pairs.train.a.read(0)


def test_two_arrays_of_an_hdf5_file(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="HDF5 files need the extra hdf5")
    draw = np.random.default_rng(0)
    side, front = draw.integers(0, 256, (10, 12, 16, 3), dtype=np.uint8), draw.integers(0, 65536, (10, 12, 16))
    with h5py.File(tmp_path / "mugs.h5", "w") as file:
        file["side"], file["front"] = side, front.astype(np.uint16)
    pairs = open_pairs(str(tmp_path / "mugs.h5"), paired=True)
    assert "mugs.h5" in pairs.layout and len(pairs.train.a) == 8
    number = int(pairs.train.a.indices[0])  # type: ignore[attr-defined]
    assert np.array_equal(np.asarray(pairs.train.b.read(0)), side[number])
    assert np.abs(np.asarray(pairs.train.a.read(0)).astype(int) - front[number] / 257).max() <= 0.5
    with h5py.File(tmp_path / "one.h5", "w") as file:
        file["front"] = side
    with pytest.raises(UserError, match="two arrays of pictures"):
        open_pairs(str(tmp_path / "one.h5"), paired=True)
    (tmp_path / "cut.h5").write_bytes((tmp_path / "mugs.h5").read_bytes()[:200])
    with pytest.raises(UserError, match="cut short"):
        open_pairs(str(tmp_path / "cut.h5"), paired=True)


def test_a_broken_picture_takes_its_partner_out(tmp_path: Path) -> None:
    two_folders(tmp_path / "set")
    whole = (tmp_path / "set" / "A" / "04.png").read_bytes()
    (tmp_path / "set" / "A" / "04.png").write_bytes(whole[:40])
    pairs = open_pairs(str(tmp_path / "set"), paired=True)
    for part in (pairs.train, pairs.held_out):
        store = build(part, tmp_path / f"cache{len(part.a)}")
        for batch in [next(Loader(store, 0, store.count).start(0))]:
            given, made = batch["A"][:, 0, 0, 0].int(), batch["B"][:, 0, 0, 0].int()
            assert ((made - given - 100).abs() <= 3).all(), "jpeg may be off by a level or two, a partner by more"
            assert 4 not in given.tolist()


def test_pairs_move_together_and_strangers_do_not(tmp_path: Path) -> None:
    for i in range(12):
        ramp = np.add.outer(np.arange(24) * 4, np.arange(24) * 5).astype(np.uint8)
        for side in "AB":
            (tmp_path / side).mkdir(exist_ok=True)
            Image.fromarray(ramp).save(tmp_path / side / f"{i}.png")
    variety = Variety(mirror=True, rotate=20, shift=0.1, zoom=0.1)
    pairs = open_pairs(str(tmp_path), paired=True)
    a = Store.build(pairs.train.a, Size(16, 16), None, 1.5, tmp_path / "c" / "a")
    b = Store.build(pairs.train.b, Size(16, 16), None, 1.5, tmp_path / "c" / "b")
    together = next(Loader(PairStore(a, b, True), 3, 8, variety=variety).start(0))
    assert (together["A"] == together["B"]).all()
    apart = next(Loader(PairStore(a, b, False), 3, 8, variety=variety).start(0))
    assert (apart["A"] != apart["B"]).any(dim=(1, 2, 3)).all()
    copies = PairStore(a, Store.build(pairs.train.b, Size(16, 16), None, 1.0, tmp_path / "c" / "c"), True, copies=4)
    assert copies.count == 4 * a.count
    some = next(Loader(copies, 3, copies.count, variety=variety).start(0))
    assert (some["B"] == some["B"][0]).all(), "the target of many copies is left alone"
    assert len({one.numpy().tobytes() for one in some["A"]}) > a.count


def test_an_epoch_is_the_larger_set_and_the_other_is_drawn(tmp_path: Path) -> None:
    for i in range(4):
        save(tmp_path / "A" / f"{i}.png", i)
    for i in range(30):
        save(tmp_path / "B" / f"b{i}.png", i)
    part = open_pairs(str(tmp_path), paired=False).train
    store = build(part, tmp_path / "cache", paired=False)
    assert store.count == store.b.count == 24
    batch = next(Loader(store, 0, 24).start(0))
    assert len(set(batch["B"][:, 0, 0, 0].tolist())) == 24
    assert 1 < len(set(batch["A"][:, 0, 0, 0].tolist())) <= 3
    workers = [next(Loader(store, 0, 24, workers=workers).start(48)) for workers in (0, 1)]
    assert all((workers[0][side] == workers[1][side]).all() for side in "AB")

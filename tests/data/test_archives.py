"""Archives and tables of pictures: zips that mean harm, columns that are not there, hubs that cannot be reached."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from limner import data
from limner.core import images
from limner.core.errors import UserError
from limner.data import zip_file
from limner.data.pairs import open_pairs
from limner.data.store import Store

from .conftest import CLASSES, COUNT, encoded, hugging_face, labels, make_zip, pixels


def packed(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in zip(names, pixels(len(names)), strict=True):
            archive.writestr(name, encoded(array))
    return path


@pytest.mark.parametrize(
    ("names", "classes", "kept"),
    [
        (("cat/1.png", "dog/1.png"), ("cat", "dog"), 2),
        (("pets/cat/1.png", "pets/dog/1.png", "pets/read.me"), ("cat", "dog"), 2),
        (("a/b/c/1.png", "a/b/c/2.png"), (), 2),
        (("set/train/cat/1.png", "set/train/dog/1.png", "set/test/cat/1.png"), ("cat", "dog"), 2),
        (("train/1.png", "train/2.png"), (), 2),
        (("cat\\1.png", "dog\\1.png", ".hidden/1.png"), ("cat", "dog"), 2),
        (("Бабочка/ä ö.png", "猫/1.png"), ("Бабочка", "猫"), 2),
    ],
)
def test_a_zip_is_read_as_its_folder_would_be(
    names: tuple[str, ...], classes: tuple[str, ...], kept: int, tmp_path: Path
) -> None:
    source = data.open(str(packed(tmp_path / "set.zip", *names)))
    assert source.classes == classes and len(source) == kept
    source.read(kept - 1)


@pytest.mark.parametrize("name", ["../out.png", "/etc/out.png", "in/../../out.png", "C:\\out.png", "..\\out.png"])
def test_names_that_lead_out_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="would lie outside of the folder"):
        data.open(str(packed(tmp_path / "set.zip", "good.png", name)))


def test_zips_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        twice = packed(tmp_path / "twice.zip", "a/1.png", "b/1.png", "a/1.png")
    with pytest.raises(UserError, match=r"two pictures named a/1\.png"):
        data.open(str(twice))
    content = bytearray(packed(tmp_path / "secret.zip", "1.png").read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.find(mark) + place] |= 1
    (tmp_path / "secret.zip").write_bytes(content)
    with pytest.raises(UserError, match="is encrypted"):
        data.open(str(tmp_path / "secret.zip"))
    with pytest.raises(UserError, match=r"holds no pictures, but other files \(1 \.txt\)"):
        data.open(str(packed(tmp_path / "words.zip", "words.txt")))


def test_damaged_and_huge_pictures_of_a_zip_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_zip(tmp_path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("set/0/bomb.png", bytes(30_000_000))
        place = archive.getinfo("set/0/0001.png").header_offset
    content = bytearray(path.read_bytes())
    content[place + 60] ^= 0xFF
    path.write_bytes(content)
    monkeypatch.setattr(zip_file, "MOST", 20_000_000)
    store = Store.build(data.open(str(path)), None, 1, 1.0, tmp_path / "cache")
    reasons = dict(store.skipped)
    assert reasons.keys() == {"0/0001.png", "0/bomb.png"}
    assert "damaged in the .zip" in reasons["0/0001.png"] and "30,000,000 bytes" in reasons["0/bomb.png"]


def table(path: Path, metadata: Any = None, **columns: Any) -> Path:
    pyarrow = pytest.importorskip("pyarrow", reason="Parquet files need the extra hub")
    parquet = pytest.importorskip("pyarrow.parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.table(columns).replace_schema_metadata(metadata), path)
    return path


def test_parquet_columns_are_found_or_listed(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="Parquet files need the extra hub")
    rows = hugging_face()
    raw = [row["bytes"] for row in rows["image"]]
    source = data.open(str(table(tmp_path / "raw.parquet", data=raw, id=list(range(COUNT)))))
    assert len(source) == COUNT and source.classes == () and source.name(3) == "picture 4"
    source = data.open(str(table(tmp_path / "words.parquet", img=raw, label=[f"k{label}" for label in labels()])))
    assert source.classes == ("k0", "k1", "k2")
    gaps = table(tmp_path / "gaps.parquet", img=[None, *raw[1:]], label=[None, *labels()[1:].tolist()])
    source = data.open(str(gaps))
    assert source.classes == (), "one has none"
    with pytest.raises(UserError, match="picture 1: its row holds no picture"):
        source.read(0)
    with pytest.raises(UserError, match=r"no column of pictures; .* Its columns are words \((large_)?string\)"):
        data.open(str(table(tmp_path / "none.parquet", words=["a", "b"])))
    with pytest.raises(UserError, match="For two kinds of pictures choose a translation preset"):
        data.open(str(table(tmp_path / "two.parquet", A=raw, B=raw)))
    with pytest.raises(UserError, match="files of one set are alike"):
        table(tmp_path / "set" / "1.parquet", img=raw)
        data.open(str(table(tmp_path / "set" / "2.parquet", photo=raw).parent))
    with pytest.raises(UserError, match="its table has no rows"):
        data.open(str(table(tmp_path / "empty.parquet", img=pyarrow.array([], pyarrow.binary()))))


def test_parquet_pairs(tmp_path: Path) -> None:
    a, b = hugging_face()["image"], hugging_face()["image"][::-1]
    table(tmp_path / "train-00000-of-00001.parquet", imageB=b, imageA=a)
    table(tmp_path / "test-00000-of-00001.parquet", imageB=b[:2], imageA=a[:2])
    pairs = open_pairs(str(tmp_path), paired=True)
    assert (len(pairs.train.a), len(pairs.held_out.a)) == (COUNT, 2)
    assert np.array_equal(images.as_array(pairs.train.a.read(2)), pixels()[2])
    assert np.array_equal(images.as_array(pairs.held_out.b.read(0)), pixels()[-1])


def test_few_row_groups_are_kept_in_memory(tmp_path: Path) -> None:
    from limner.data.parquet import Parquet
    from limner.data.row_groups import GROUPS

    from .conftest import make_parquet

    source = Parquet(make_parquet(tmp_path))
    for index in [*range(COUNT), 0, COUNT - 1]:
        assert np.array_equal(images.as_array(source.read(index)), pixels()[index])
        assert len(source.rows.groups) <= GROUPS


def test_hub_options_and_what_is_no_name(hub: str) -> None:
    assert data.open(hub).classes == CLASSES and len(data.open(hub)) == COUNT
    assert len(data.open(f"{hub}?split=test")) == 1
    assert data.open(hub).fingerprint == data.open(hub).fingerprint != data.open(f"{hub}?split=test").fingerprint
    for words, expected in [
        (f"{hub}?split=tset", "did you mean 'test'"),
        (f"{hub}?splits=test", "did you mean 'split'"),
        ("hub:", "expected a name on the Hugging Face hub"),
        ("hub:../folder", "expected a name"),
        ("hub:a/b/c", "expected a name"),
    ]:
        with pytest.raises(UserError, match=expected):
            data.open(words)


def test_hub_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets", reason="sets of the hub need the extra hub")
    rows = {"imageA": hugging_face()["image"], "imageB": hugging_face()["image"][::-1]}
    kinds = datasets.Features({name: datasets.Image() for name in rows})
    some = datasets.DatasetDict({"train": datasets.Dataset.from_dict(rows, kinds)})
    monkeypatch.setattr(datasets, "load_dataset", lambda title, config=None, revision=None: some)
    pairs = open_pairs("hub:somebody/pairs", paired=True)
    assert len(pairs.train.a) + len(pairs.held_out.a) == COUNT
    with pytest.raises(UserError, match="has 2 columns of pictures"):
        data.open("hub:somebody/pairs")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionError("no route\nto host"), r"cannot be reached \(no route\)\. Where there is no network"),
        (FileNotFoundError("it does not exist."), "it does not exist. Is the name right?"),
        (ValueError("Config name is missing: ['a', 'b']"), r"Choose by hub:some/thing\?config=NAME"),
    ],
)
def test_a_hub_that_cannot_be_reached_says_what_to_do(
    error: Exception, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets", reason="sets of the hub need the extra hub")

    def fail(*given: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(UserError, match=words):
        data.open("hub:some/thing")

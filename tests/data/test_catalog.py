"""Public sets by their names: shown, fetched whole and unpacked safely, or not there at all."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import signal
import stat
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limner import data
from limner.core import fetching
from limner.core.errors import UserError
from limner.core.fetching import PublishedFile
from limner.data import catalog
from limner.data.catalog import PublicSet
from limner.data.cifar import RECORD
from limner.data.pairs import open_pairs
from limner.data.unpacking import Unsound, unpack
from serving import Served, serving, wait_until

from .conftest import idx_bytes, labels, pixels


def png(number: int, width: int = 16) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (8, width, 3), dtype=np.uint8)).save(out, "PNG")
    return out.getvalue()


PICTURES = {f"toys/{split}/{i}.png": png(10 * k + i) for k, split in enumerate(("train", "test")) for i in range(3)}


def tar_of(members: dict[str, bytes], *more: tarfile.TarInfo) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as packed:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))
        for info in more:
            packed.addfile(info)
    return out.getvalue()


def zip_of(members: dict[str, bytes], links: tuple[str, ...] = ()) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
        for name in links:
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            packed.writestr(info, "/etc/passwd")
    return out.getvalue()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIMNER_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LIMNER_DATA", raising=False)
    monkeypatch.setattr(fetching, "WAIT", 0.0)
    return tmp_path / "cache" / "data"


@pytest.fixture
def served(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    mnist = {"train-images-idx3-ubyte.gz": gzip.compress(idx_bytes(pixels()[..., 0]))}
    mnist["train-labels-idx1-ubyte.gz"] = gzip.compress(idx_bytes(labels()))
    with serving({"toys.tar.gz": tar_of(PICTURES), "toys.zip": zip_of(PICTURES), **mnist}) as server:

        def one(name: str, files: tuple[str, ...], **settings: object) -> PublicSet:
            published = tuple(PublishedFile(file, "", len(server.content[file]), server.url(file)) for file in files)
            return PublicSet(name, "toys", "CC0", "Maker: Toys, 2020", "page", published, **settings)  # pyright: ignore

        known = [
            one("toys", ("toys.tar.gz",)),
            one("zipped", ("toys.zip",)),
            one("figures", tuple(mnist), unpacks=False),
        ]
        known.append(PublicSet("stars", "stars", "no passing on", "Maker", "page", by_hand="ask the maker."))
        monkeypatch.setattr(catalog, "sets", lambda: {one.name: one for one in known})
        yield server


@pytest.mark.parametrize("name", ["toys", "zipped"])
def test_a_set_is_fetched_unpacked_and_opened_by_its_name(
    served: Served, cache: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError, match=rf"public set that is not on this machine yet.*limner fetch {name}"):
        data.open(name)
    folder = catalog.get(name)
    said = capsys.readouterr().err
    assert all(word in said for word in (served.address, "CC0", "Maker: Toys, 2020", "no checksum is published"))
    assert folder == cache / name and sorted(path.name for path in cache.iterdir()) == ["sums.json", name]
    assert {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.png")} == {
        inside.removeprefix("toys/"): content for inside, content in PICTURES.items()
    }
    assert "Cite: Maker: Toys, 2020" in (folder / "about.txt").read_text()
    assert len(data.open(name)) == 3
    assert len(open_pairs(name, paired=True).train.a) == 3
    asked = len(served.asked)
    assert catalog.get(name) == folder and len(served.asked) == asked


def test_a_set_of_several_files(served: Served, cache: Path) -> None:
    catalog.get("figures")
    source = data.open("figures")
    assert len(source) == len(labels()) and source.labels is not None


def test_a_set_in_the_data_folder_is_used_again(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "elsewhere" / "data" / "toys"
    there.mkdir(parents=True)
    monkeypatch.setenv("LIMNER_DATA", str(tmp_path / "elsewhere"))
    assert catalog.folder_of("toys") is None, "it is empty"
    (there / "a.png").write_bytes(png(1))
    assert catalog.get("toys") == there and data.located("toys") == there
    assert served.asked == []


def test_what_stands_here_under_that_name_is_meant_first(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toys").mkdir()
    (tmp_path / "toys" / "mine.png").write_bytes(png(1))
    assert len(data.open("toys")) == 1


def test_a_set_to_be_got_by_hand_says_how_and_where(served: Served, cache: Path) -> None:
    for way in (catalog.get, data.open):
        with pytest.raises(UserError, match=rf"stars cannot be fetched.*ask the maker\. Put .*{cache}/stars"):
            way("stars")
    (cache / "stars").mkdir(parents=True)
    (cache / "stars" / "a.png").write_bytes(png(1))
    assert len(data.open("stars")) == 1


def test_the_first_download_records_its_sum_and_later_ones_must_match(served: Served, cache: Path) -> None:
    catalog.get("toys")
    first = hashlib.sha256(served.content["toys.tar.gz"]).hexdigest()
    sums = json.loads((cache / "sums.json").read_text())
    assert sums[served.url("toys.tar.gz")]["sha256"] == first
    for path in sorted((cache / "toys").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    served.content["toys.tar.gz"], served.tag = tar_of({"toys/train/0.png": png(99)}), '"2"'
    with pytest.raises(UserError, match=rf"gave another file than on 20\d\d.*was {first} then.*sums\.json"):
        catalog.get("toys")
    assert catalog.folder_of("toys") is None
    (cache / "sums.json").unlink()
    assert len(data.open(str(catalog.get("toys")))) == 1


@pytest.mark.parametrize("content", [b"<html>not an archive</html>" * 50, None])
def test_the_wrong_or_a_torn_archive_is_told_and_fetched_anew(
    served: Served, cache: Path, content: bytes | None
) -> None:
    right = served.content["toys.tar.gz"]
    served.content["toys.tar.gz"] = content if content is not None else right[: len(right) // 2]
    with pytest.raises(UserError, match="fetch it again"):
        catalog.get("toys")
    assert catalog.folder_of("toys") is None and not (cache / "sums.json").exists()
    served.content["toys.tar.gz"] = right
    assert len(data.open(str(catalog.get("toys")))) == 3


def test_a_broken_download_is_gone_on_with_by_the_same_command(served: Served, cache: Path) -> None:
    served.ways = ["cut", "absent", "well"]
    with pytest.raises(UserError, match="are here and kept"):
        catalog.get("toys")
    assert catalog.folder_of("toys") is None
    catalog.get("toys")
    assert served.asked[-1] == f"bytes={len(served.content['toys.tar.gz']) // 2}-"


@pytest.mark.skipif(os.name != "posix", reason="there is no such signal here")
def test_killed_while_unpacking_and_run_again(served: Served, cache: Path) -> None:
    program = (
        "import sys, time\nfrom limner.core.fetching import PublishedFile\nfrom limner.data import catalog, unpacking\n"
        "one = catalog.PublicSet('toys', '', '', '', '', (PublishedFile('toys.tar.gz', '', 0, sys.argv[1]),))\n"
        "catalog.sets = lambda: {'toys': one}\ncopy = unpacking._Room.copy\n"
        "unpacking._Room.copy = lambda *words: (copy(*words), time.sleep(0.5))\ncatalog.get('toys')"
    )
    words = [sys.executable, "-c", program, served.url("toys.tar.gz")]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: len(list(cache.glob(".toys.fetching/set/*/*/*.png"))) == 2)
        finally:
            process.send_signal(signal.SIGKILL)
    assert catalog.folder_of("toys") is None
    folder = catalog.get("toys")
    assert len(served.asked) == 1, "the archive was whole already"
    assert sorted(path.name for path in folder.rglob("*.png")) == ["0.png", "0.png", "1.png", "1.png", "2.png", "2.png"]


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: tar_of({"../out.png": b"x"}), "would lie outside"),
        (lambda: tar_of({"/tmp/out.png": b"x"}), "would lie outside"),
        (lambda: tar_of({"a/../../out.png": b"x"}), "would lie outside"),
        (lambda: tar_of({}, link("a", "/etc")), "is a link or a device"),
        (lambda: tar_of({}, link("a", "b", tarfile.LNKTYPE)), "is a link or a device"),
        (lambda: tar_of({}, link("a", "", tarfile.CHRTYPE)), "is a link or a device"),
        (lambda: tar_of({}, link("a", "", tarfile.FIFOTYPE)), "is a link or a device"),
        (lambda: zip_of({"../out.png": b"x"}), "would lie outside"),
        (lambda: zip_of({"..\\out.png": b"x"}), "would lie outside"),
        (lambda: zip_of({"C:\\out.png": b"x"}), "would lie outside"),
        (lambda: zip_of({"a.png": b"x"}, ("b.png",)), "is a link or a device"),
        (lambda: tar_of({"a.png": b"x"}), None),
        (lambda: zip_of({"a.png": bytes(120_000_000)}), "decompression bomb"),
        (lambda: tar_of({"a.png": b"x", "./a.png": b"y"}), "two files that would both be"),
    ],
    ids=map(str, range(14)),
)
def test_an_archive_never_writes_elsewhere(tmp_path: Path, make: Callable[[], bytes], words: str | None) -> None:
    (tmp_path / "archive").write_bytes(make())
    if words is None:
        unpack(tmp_path / "archive", tmp_path / "deep" / "set")
        assert (tmp_path / "deep" / "set" / "a.png").read_bytes() == b"x"
        return
    with pytest.raises(Unsound, match=words):
        unpack(tmp_path / "archive", tmp_path / "deep" / "set")
    assert not list(tmp_path.rglob("out.png")) and not list(tmp_path.rglob("*out.png"))


def test_what_a_mac_adds_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zip_of({"a/1.png": b"x", "__MACOSX/a/._1.png": b"y", "a/.DS_Store": b"z"}))
    unpack(tmp_path / "a.zip", tmp_path / "set")
    assert [path.relative_to(tmp_path / "set").as_posix() for path in (tmp_path / "set").rglob("*.*")] == ["a/1.png"]


def test_cifar(tmp_path: Path) -> None:
    records = np.random.default_rng(0).integers(0, 256, (6, RECORD), dtype=np.uint8)
    records[:, 0] = [0, 1, 2, 2, 1, 0]
    for number in (1, 2):
        (tmp_path / f"data_batch_{number}.bin").write_bytes(records[3 * number - 3 : 3 * number].tobytes())
    (tmp_path / "test_batch.bin").write_bytes(records.tobytes())
    (tmp_path / "batches.meta.txt").write_text("airplane\nautomobile\nbird\n\n")
    source = data.open(str(tmp_path))
    assert len(source) == 6 and source.classes == ("airplane", "automobile", "bird")
    assert np.array_equal(np.asarray(source.read(4)).transpose(2, 0, 1).ravel(), records[4, 1:])
    (tmp_path / "data_batch_2.bin").write_bytes(b"short")
    with pytest.raises(UserError, match=r"data_batch_2\.bin is cut short"):
        data.open(str(tmp_path))


def test_the_real_catalog_is_complete() -> None:
    sets = catalog.sets()
    assert {"mnist", "fashion-mnist", "cifar10", "facades", "maps", "horse2zebra", "celeba", "lfw"} <= sets.keys()
    for name, one in sets.items():
        assert one.name == name and one.terms and one.citation and one.page.startswith("http")
        assert bool(one.files) != bool(one.by_hand)
        assert not one.unpacks or len(one.files) <= 1
        for file in one.files:
            assert file.url.endswith(file.name) and file.size
            assert len(file.sha256) in (0, 64) and len(file.md5) in (0, 32)
    assert len({file.sha256 for one in sets.values() for file in one.files if file.sha256}) == 17


def test_mnist_and_facades_of_this_machine(real_data: Path) -> None:
    assert catalog.folder_of("mnist") == real_data / "mnist"
    assert len(data.open("mnist")) == 60_000
    assert len(open_pairs("facades", paired=True).train.a) == 400

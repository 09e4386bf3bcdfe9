"""`limner prepare pack`: what training would have read, whole or not at all, and the same bytes after a kill."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from limner import data
from limner.commands.prepare.pack import Pack, pack
from limner.core import files
from limner.core.config import Size
from limner.core.errors import UserError
from limner.data.pairs import open_pairs
from limner.data.store import Store
from limner.prepare import formats
from limner.prepare import pack as module
from limner.prepare.pack import Packed

from .conftest import CLASSES, COUNT, build, make_folder, pixels, save

pytest.importorskip("h5py", reason="HDF5 files need the extra hdf5")
pytest.importorskip("pyarrow", reason="Parquet files need the extra hub")
OUTS = ("set.h5", "set")
SIDE = Size(6, 6)


def run(given: Path, out: Path, **options: Any) -> Packed:
    return pack(Pack(str(given), out, **{"size": SIDE, **options}))


def digest(out: Path) -> dict[str, str]:
    found = [out] if out.is_file() else [path for path in sorted(out.rglob("*")) if path.is_file()]
    return {str(path.relative_to(out.parent)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def two_kinds(folder: Path, *names: str, count: int = 8, start: int = 0) -> Path:
    for name in names:
        for i in range(start, start + count):
            array = pixels(1, 9, 3 if name.endswith("B") else 1)[0] // 2 + i
            save(folder / name / f"{i:02}.png", array)
    return folder


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PART", 5 * 36)
    monkeypatch.setattr(formats, "AT_ONCE", 2)


@pytest.mark.parametrize("out", OUTS)
def test_what_is_packed_is_what_training_reads(out: str, tmp_path: Path, small_parts: None) -> None:
    folder = make_folder(tmp_path / "folder", channels=3)
    packed = run(folder, tmp_path / out)
    assert packed.counts == {"train": COUNT} and not packed.left_out_file.exists()
    expected, found = (build(root, tmp_path / f"cache-{root.name}", 6) for root in (folder, tmp_path / out))
    assert np.array_equal(found.pixels, expected.pixels)
    assert found.labels is not None and expected.labels is not None
    assert found.labels.tolist() == expected.labels.tolist() and found.classes == CLASSES
    source = data.open(str(tmp_path / out))
    assert source.natural_size == SIDE and source.name(0) == "0/0000.png"
    assert sorted(path.name for path in tmp_path.iterdir() if "cache" not in path.name) == sorted(["folder", out])


def test_the_files_are_those_that_other_tools_expect(tmp_path: Path, small_parts: None) -> None:
    h5py, datasets = pytest.importorskip("h5py"), pytest.importorskip("datasets")
    folder = make_folder(tmp_path / "folder")
    run(folder, tmp_path / "set.h5")
    with h5py.File(tmp_path / "set.h5") as file:
        assert set(file) == {"images", "labels", "classes", "names"}
        assert file["images"].chunks == (1, 6, 6, 1) and file["images"].dtype == np.uint8
        assert [word.decode() for word in file["classes"][:]] == list(CLASSES)
    run(folder, tmp_path / "set")
    assert sorted(path.name for path in (tmp_path / "set").glob("*")) == [
        ".limner.json",
        "train-00000-of-00003.parquet",
        "train-00001-of-00003.parquet",
        "train-00002-of-00003.parquet",
    ]
    rows = datasets.load_dataset(str(tmp_path / "set"), cache_dir=str(tmp_path / "cache"))["train"]
    assert isinstance(rows.features["image"], datasets.Image) and rows.features["label"].names == list(CLASSES)
    assert rows[3]["image"].size == (6, 6) and rows[3]["image"].mode == "L" and len(rows) == COUNT


@pytest.mark.parametrize("out", OUTS)
def test_pairs_keep_their_partners_and_their_splits(out: str, tmp_path: Path, small_parts: None) -> None:
    folder = two_kinds(tmp_path / "folder", "trainA", "trainB")
    two_kinds(folder, "testA", "testB", count=3, start=20)
    whole = (folder / "trainB" / "03.png").read_bytes()
    (folder / "trainB" / "03.png").write_bytes(whole[:40])
    packed = run(folder, tmp_path / out)
    assert packed.counts == {"train": 7, "test": 3} and packed.left_out == 1
    with packed.left_out_file.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["name", "reason"] and rows[1][0] == "train/B/03.png" and "not a readable" in rows[1][1]
    pairs = open_pairs(str(tmp_path / out), paired=True)
    assert (len(pairs.train.a), len(pairs.held_out.a)) == (7, 3)
    for part in (pairs.train, pairs.held_out):
        for i in range(len(part.a)):
            assert part.a.name(i) == part.b.name(i) and "03" not in part.a.name(i)
    assert pairs.train.a.probe(0) == (SIDE, 1) and pairs.train.b.probe(0) == (SIDE, 3)
    expected = Store.build(open_pairs(str(folder), True).held_out.b, SIDE, 3, 1.0, tmp_path / "c", least=1)
    found = Store.build(pairs.held_out.b, None, None, 1.0, tmp_path / "d", least=1)
    assert np.array_equal(found.pixels, expected.pixels)


@pytest.mark.parametrize("out", OUTS)
def test_sets_that_do_not_belong_together_stay_apart(out: str, tmp_path: Path) -> None:
    folder = two_kinds(two_kinds(tmp_path / "folder", "trainA"), "trainB", count=5, start=30)
    two_kinds(two_kinds(folder, "testA", count=2, start=50), "testB", count=3, start=60)
    packed = run(folder, tmp_path / out)
    assert packed.counts == {"trainA": 8, "trainB": 5, "testA": 2, "testB": 3}
    found = open_pairs(str(tmp_path / out), paired=False)
    assert [len(one) for part in (found.train, found.held_out) for one in (part.a, part.b)] == [8, 5, 2, 3]
    assert found.train.b.name(0) == "30.png"
    with pytest.raises(UserError, match="unpaired method"):
        open_pairs(str(tmp_path / out), paired=True)


@pytest.mark.parametrize("out", OUTS)
def test_side_by_side_is_packed_when_asked_for(out: str, tmp_path: Path) -> None:
    for i in range(5):
        save(tmp_path / "folder" / f"{i}.png", np.repeat(pixels(1, 8, 3)[0], 2, axis=1) // 2 + i)
    assert run(tmp_path / "folder", tmp_path / "one" / out).counts == {"train": 5}
    assert data.open(str(tmp_path / "one" / out)).probe(0)[1] == 3
    run(tmp_path / "folder", tmp_path / "pairs" / out, kind="pairs", size=Size(8, 8))
    pairs = open_pairs(str(tmp_path / "pairs" / out), paired=True)
    assert (len(pairs.train.a), len(pairs.held_out.b)) == (4, 1)
    assert pairs.train.a.natural_size == pairs.train.b.natural_size == Size(8, 8)


class Dead(BaseException):
    """Nothing catches it."""


@pytest.mark.parametrize("out", OUTS)
@pytest.mark.parametrize("kind", ["one", "pairs"])
def test_killed_at_any_write_and_run_again_gives_the_same_bytes(
    out: str, kind: str, tmp_path: Path, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = make_folder(tmp_path / "in") if kind == "one" else two_kinds(tmp_path / "in", "A", "B")
    run(given, tmp_path / "straight" / out)
    atomic, rename = files.atomic, files.rename
    left = [0]

    def dies() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Dead

    @contextlib.contextmanager
    def dying(path: Path) -> Iterator[Path]:
        dies()
        with atomic(path) as temporary:
            yield temporary
            shutil.copy(temporary, path.with_name(f".{path.name}.dead.tmp"))
            dies()
        path.with_name(f".{path.name}.dead.tmp").unlink()

    def dying_rename(path: Path, target: Path) -> None:
        dies()
        rename(path, target)
        dies()

    monkeypatch.setattr(files, "atomic", dying)
    monkeypatch.setattr(files, "rename", dying_rename)
    deaths = 0
    while not (tmp_path / "killed" / out).exists():
        left[0] = 1 + deaths % 9
        with contextlib.suppress(Dead):
            run(given, tmp_path / "killed" / out)
        deaths += left[0] < 0
        assert deaths < 100, "it does not get on"
    assert deaths > 4
    left[0] = 100
    run(given, tmp_path / "killed" / out)
    assert digest(tmp_path / "killed" / out) == digest(tmp_path / "straight" / out)
    assert [path.name for path in (tmp_path / "killed").iterdir()] == [out], "nothing is left lying about"


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
@pytest.mark.parametrize("out", OUTS)
def test_sigkill_in_the_middle(out: str, tmp_path: Path, small_parts: None) -> None:
    folder = make_folder(tmp_path / "folder")
    program = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from limner.prepare import pack as module\nmodule.PART = 180\n"
        "from limner.core.config import Size\nmake, left = module.Packing._make_part, [2]\n"
        "def dying(*given):\n    make(*given)\n    left[0] -= 1\n"
        "    if not left[0]: os.kill(os.getpid(), signal.SIGKILL)\n"
        "module.Packing._make_part = dying\n"
        "module.Packing(sys.argv[1], Path(sys.argv[2]), 'auto', Size(6, 6)).run(lambda more: None)\n"
    )
    target = tmp_path / "killed" / out
    assert subprocess.run([sys.executable, "-c", program, str(folder), str(target)]).returncode == -signal.SIGKILL
    assert len(list(target.with_name(f".{out}.packing").glob("train-*.json"))) == 2 and not target.exists()
    for place in ("killed", "straight"):
        run(folder, tmp_path / place / out)
    assert digest(target) == digest(tmp_path / "straight" / out)


@pytest.mark.parametrize("out", OUTS)
def test_the_same_command_again_is_done_and_another_is_refused(out: str, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "folder")
    assert run(folder, tmp_path / out).anew
    before = digest(tmp_path / out)
    again = run(folder, tmp_path / out)
    assert not again.anew and again.counts == {"train": COUNT}
    with pytest.raises(UserError, match=r"was packed already, but the size \(\[6, 6\] before, \[4, 4\] now\) differ"):
        run(folder, tmp_path / out, size=Size(4, 4))
    save(folder / "0" / "more.png", pixels()[0])
    with pytest.raises(UserError, match="was packed already, but the pictures differ"):
        run(folder, tmp_path / out)
    assert digest(tmp_path / out) == before


def test_a_stopped_job_for_other_pictures_is_begun_anew(tmp_path: Path, small_parts: None) -> None:
    folder = make_folder(tmp_path / "folder")
    packing = module.Packing(str(folder), tmp_path / "set.h5", "one", SIDE)

    def stop(more: int) -> None:
        raise Dead

    with pytest.raises(Dead):
        packing.run(stop)
    save(folder / "0" / "0000.png", pixels()[5])
    run(folder, tmp_path / "set.h5")
    assert np.array_equal(build(tmp_path / "set.h5", tmp_path / "a").pixels, build(folder, tmp_path / "b", 6).pixels)


@pytest.mark.parametrize("out", OUTS)
def test_what_stands_there_and_what_is_given_stay_untouched(out: str, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "folder")
    if out.endswith(".h5"):
        (tmp_path / out).write_bytes(b"mine")
    else:
        (tmp_path / out).mkdir()
        (tmp_path / out / "mine.txt").write_text("mine")
    before = digest(tmp_path / out)
    with pytest.raises(UserError, match="holds something else"):
        run(folder, tmp_path / out)
    assert digest(tmp_path / out) == before
    for place in (folder / out, folder, tmp_path):
        with pytest.raises(UserError, match=r"lies in the data|expected a name|holds something else"):
            run(folder, place)
    with pytest.raises(UserError, match=r"expected a name that ends in \.h5"):
        run(folder, tmp_path / "set.zip")
    assert sorted(path.name for path in folder.iterdir()) == list(CLASSES)


@pytest.mark.parametrize("out", OUTS)
def test_names_in_any_script_and_names_that_are_no_text(out: str, tmp_path: Path) -> None:
    names = ["Ελένη.png", "小猫 🐈.png", "a'b\"c.png", "bad\udcff.png"]
    for i, name in enumerate(names):
        try:
            save(tmp_path / "folder" / name, pixels()[i])
        except (OSError, UnicodeError):
            pytest.skip("this file system takes no such names")
    run(tmp_path / "folder", tmp_path / out)
    source = data.open(str(tmp_path / out))
    assert [source.name(i) for i in range(4)] == sorted([*names[:3], "bad\ufffd.png"])

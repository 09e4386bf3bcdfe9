"""Packing where there is no room, and what cannot be read: one paragraph, and nothing half-written to believe."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from limner.commands.prepare.pack import Pack, pack
from limner.core.config import Size
from limner.core.errors import UserError
from limner.prepare.pack import Packed
from limner.prepare.untroubled import Untroubled

from .conftest import make_folder

pytest.importorskip("h5py", reason="HDF5 files need the extra hdf5")
pytest.importorskip("pyarrow", reason="Parquet files need the extra hub")


def run(given: Path, out: Path, **options: Any) -> Packed:
    return pack(Pack(str(given), out, **{"size": Size(6, 6), **options}))


@pytest.mark.parametrize("out", ["set.h5", "set"])
def test_unreadable_sets_and_full_disks(out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_folder(tmp_path / "folder")
    Image.new("L", (4, 9)).save(folder / "0" / "other.png")
    with pytest.raises(UserError, match="the pictures differ in size"):
        run(folder, tmp_path / out, size=None)
    with pytest.raises(UserError, match="--channels 2"):
        run(folder, tmp_path / out, channels=2)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(0, 0, 100))  # type: ignore[attr-defined]
        with pytest.raises(UserError, match=r"the packed pictures need .* are free there"):
            run(folder, tmp_path / out)
    with monkeypatch.context() as patch:

        def full(*given: Any, **options: Any) -> None:
            raise OSError(28, "No space left on device")

        patch.setattr(os, "fsync", full)
        with pytest.raises(UserError, match="No space left on device"):
            run(folder, tmp_path / out)
    assert not (tmp_path / out).exists()
    run(folder, tmp_path / out)
    for path in folder.rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(UserError, match=r"none of the 13 pictures can be read: 0/0000\.png \(not a readable"):
        run(folder, tmp_path / "new" / out, channels=1)
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize("room", [0, 700, 1_000, 2_500, 4_000])
def test_a_disk_that_fills_up_under_hdf5_is_one_error_and_no_crash(
    room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, written = make_folder(tmp_path / "folder"), Untroubled.write

    def full(file: Any, data: Any) -> int:
        if file.tell() >= room:  # HDF5 still has much to write, and reads what it has written, when it ends
            file.problem = file.problem or OSError(28, "No space left on device")
        return written(file, data)

    with monkeypatch.context() as patch:
        patch.setattr(Untroubled, "write", full)
        with pytest.raises(UserError, match=r"cannot write .*: No space left on device\. What was there"):
            run(folder, tmp_path / "set.h5")
    assert not (tmp_path / "set.h5").exists()
    assert not list((tmp_path / ".set.h5.packing").glob("*whole*")), "nothing that a second run would believe"
    run(folder, tmp_path / "set.h5")
    run(folder, tmp_path / "other.h5")
    assert (tmp_path / "set.h5").read_bytes() == (tmp_path / "other.h5").read_bytes()
    assert "Traceback" not in capfd.readouterr().err

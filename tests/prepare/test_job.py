"""A job may be killed, repeated, and given anything: what comes out is the same, and what cannot be used is named."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from limner.commands.prepare.tasks import Grey, Lowres, Masks, grey, lowres, masks
from limner.core.errors import UserError
from limner.prepare import engines, job, journal
from limner.prepare.items import Item
from limner.prepare.places import Local

from .conftest import content, killed, photograph


def left_out(out: Path) -> dict[str, str]:
    with (out / "left_out.csv").open(encoding="utf-8", newline="") as file:
        return {row["name"]: row["reason"] for row in csv.DictReader(file)}


def bomb(side: int) -> bytes:
    """The beginning of a PNG of so many pixels; the rest would be as small."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1000 * (side // 8 + 1)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def do(photos: Path, out: Path, **options: Any) -> dict[str, bytes]:
    masks(Masks(str(photos), str(out), **options))
    return content(out)


def test_pairs_keep_the_tree_and_what_is_broken_is_listed(photographs: Path, tmp_path: Path) -> None:
    before = content(photographs)
    made = do(photographs, tmp_path / "out")
    names = sorted(name for name in made if name.startswith("A/"))
    assert len(names) == 38 and "A/in ner/00.png" in names
    assert names == sorted(name.replace("B/", "A/") for name in made if name.startswith("B/"))
    assert left_out(tmp_path / "out") == {
        "05b.jpg": "not a readable picture (in no known format)",
        "07b.png": "the file is empty",
    }
    assert set(made) - set(names) - {name.replace("A/", "B/") for name in names} == {
        "prepare.json", "left_out.csv", "contact.html", ".done.jsonl"
    }  # fmt: skip
    assert content(photographs) == before


def test_what_is_made_may_be_called_as_a_public_set_is(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    do(photographs, Path("lfw"))
    assert (tmp_path / "lfw" / "prepare.json").is_file()


def test_the_folder_is_a_training_set(photographs: Path, tmp_path: Path) -> None:
    from limner import data
    from limner.data.folder import Folder
    from limner.data.pairs import open_pairs

    do(photographs, tmp_path / "out")
    pairs = open_pairs(str(tmp_path / "out"), paired=True)
    assert len(pairs.train.a) + len(pairs.held_out.a) == 38
    assert type(data.open(str(tmp_path / "out" / "B"))) is Folder


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
@pytest.mark.parametrize("writes", [[0, 1, 30], [77]])
def test_killed_at_any_moment_and_done_again(photographs: Path, tmp_path: Path, writes: list[int]) -> None:
    expected = do(photographs, tmp_path / "whole")
    for count in writes:
        words = [sys.executable, "-c", killed("tasks", "masks"), str(photographs), str(tmp_path / "out"), str(count)]
        assert subprocess.run(words, capture_output=True).returncode == -9
    assert do(photographs, tmp_path / "out") == expected


def test_what_is_there_is_not_made_again(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = do(photographs, tmp_path / "out")
    worked: list[str] = []
    call = engines.Task.__call__

    def seen(task: engines.Task, item: Item) -> journal.Outcome:
        worked.append(item.name)
        return call(task, item)

    monkeypatch.setattr(engines.Task, "__call__", seen)
    assert do(photographs, tmp_path / "out") == first and not worked
    assert "38 of them before" in capsys.readouterr().err
    (tmp_path / "out" / "B" / "01.png").write_bytes(b"cut sho")
    (tmp_path / "out" / "A" / "02.png").unlink()
    assert do(photographs, tmp_path / "out") == first and worked == ["01.jpg", "02.png"]


def test_originals_that_come_change_and_go(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos, out = tmp_path / "in", tmp_path / "out"
    for i in (1, 3, 5):
        photograph(photos / f"{i}.png", seed=i)
    first = do(photos, out)
    photograph(photos / "2.png", seed=2)
    photograph(photos / "3.png", width=50, seed=9)
    (photos / "5.png").unlink()
    made = do(photos, out)
    assert "1 of before are of originals that are not there any more" in capsys.readouterr().err
    assert made["A/1.png"] == first["A/1.png"] and made["A/3.png"] != first["A/3.png"] and "A/2.png" in made
    assert "A/5.png" in made
    (photos / "3.png").write_bytes(b"broken")
    assert "A/3.png" not in do(photos, out), "nothing is kept of an original that cannot be used any more"
    assert "3.png" in left_out(out)


def test_another_setting_or_folder_is_refused(photographs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    before = do(photographs, out)
    with pytest.raises(UserError, match=r"made otherwise \(seed: 0 -> 1\)"):
        do(photographs, out, seed=1)
    with pytest.raises(UserError, match="prepare: masks -> grey"):
        grey(Grey(str(photographs), str(out)))
    photograph(tmp_path / "other" / "1.png")
    with pytest.raises(UserError, match="photos: "):
        do(tmp_path / "other", out)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(UserError, match="not empty, and it was not made by limner prepare"):
        do(photographs, tmp_path / "mine")
    assert content(out) == before and list(content(tmp_path / "mine")) == ["letter.txt"]
    (out / "prepare.json").write_text("{}")
    with pytest.raises(UserError, match="damaged"):
        do(photographs, out)


def test_folders_that_lie_in_each_other_and_those_that_are_none(photographs: Path, tmp_path: Path) -> None:
    photos = photograph(tmp_path / "in" / "a" / "1.png").parent
    for inside, out in ((photos, photos), (photos, photos / "out"), (photos, photos.parent)):
        with pytest.raises(UserError, match="lie in each other"):
            do(inside, out)
    (tmp_path / "link").symlink_to(photos)
    with pytest.raises(UserError, match="lie in each other"):
        do(photos, tmp_path / "link" / "out")
    assert do(photos, tmp_path / "in" / "a2"), "a name that begins alike is another folder"
    for given, words in (
        (tmp_path / "absent", "is not there"),
        (photos / "1.png", "is a file; put single pictures into a folder"),
    ):
        with pytest.raises(UserError, match=words):
            do(given, tmp_path / "out")
    with pytest.raises(UserError, match="is a file; expected a folder for what is made"):
        do(photographs, photos / "1.png")
    (tmp_path / "texts").mkdir()
    with pytest.raises(UserError, match="holds no pictures: expected"):
        do(tmp_path / "texts", tmp_path / "out")
    (tmp_path / "texts" / "a.txt").write_text("a")
    with pytest.raises(UserError, match=r"but other files \(1 .txt\)"):
        do(tmp_path / "texts", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_usable_is_an_error_that_says_why(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_text("words")
    with pytest.raises(UserError, match=r"none could be used; .* The first: a.jpg: not a readable picture"):
        do(tmp_path / "in", tmp_path / "out")
    assert list(left_out(tmp_path / "out")) == ["a.jpg"]


def test_pictures_beyond_the_limit_are_left_out(tmp_path: Path) -> None:
    photograph(tmp_path / "in" / "good.png")
    (tmp_path / "in" / "bomb.png").write_bytes(bomb(30_000))
    do(tmp_path / "in", tmp_path / "out")
    assert left_out(tmp_path / "out")["bomb.png"].startswith("30000 x 30000 pixels are more than the 256,000,000")
    photograph(tmp_path / "in" / "large.png", 64, 64)
    do(tmp_path / "in", tmp_path / "less", max_pixels=64 * 64 - 1)
    assert set(left_out(tmp_path / "less")) == {"bomb.png", "large.png"}


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES])
def test_a_full_or_forbidden_place_loses_nothing(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    expected = do(photographs, tmp_path / "whole")
    left, write = [40], Path.write_bytes

    def full(path: Path, data: Any) -> int:
        left[0] -= 1
        if left[0] < 0 and path.suffix == ".tmp":
            raise OSError(code, os.strerror(code))
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match=rf"cannot write .*{os.strerror(code)}"):
        do(photographs, tmp_path / "out")
    monkeypatch.undo()
    assert not list((tmp_path / "out").rglob("*.tmp"))
    assert do(photographs, tmp_path / "out") == expected


def test_what_the_system_could_not_read_is_tried_again(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = do(photographs, tmp_path / "whole")
    read = Local.read

    def failing(place: Local, path: str) -> bytes:
        if path == "01.jpg":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read(place, path)

    monkeypatch.setattr(Local, "read", failing)
    do(photographs, tmp_path / "out")
    assert left_out(tmp_path / "out")["01.jpg"] == f"cannot be read: {os.strerror(errno.EIO)}"
    monkeypatch.undo()
    assert do(photographs, tmp_path / "out") == expected


def test_names_that_are_not_utf8_are_written_down(tmp_path: Path) -> None:
    photos = photograph(tmp_path / "in" / "a.png").parent
    try:
        Path(os.fsdecode(os.fsencode(photos) + b"/\xff\xfe.jpg")).write_text("no picture")
    except OSError:
        pytest.skip("this file system refuses such names")
    do(photos, tmp_path / "out")
    assert list(left_out(tmp_path / "out")) == ["\\udcff\\udcfe.jpg"]
    assert do(photos, tmp_path / "out")


def test_two_jobs_do_not_share_a_folder(photographs: Path, tmp_path: Path) -> None:
    from limner.core import files

    with files.alone(tmp_path / "out"), pytest.raises(UserError, match="another process"):
        do(photographs, tmp_path / "out")


def test_contact_sheet_shows_before_and_after(photographs: Path, tmp_path: Path) -> None:
    import base64

    page = do(photographs, tmp_path / "out")["contact.html"].decode()
    sheet = page.partition("base64,")[2].partition('"')[0]
    with Image.open(io.BytesIO(base64.b64decode(sheet))) as shown:
        assert shown.width > shown.height > 600
        assert np.asarray(shown).std() > 40


def test_coarser_by_one_is_refused(photographs: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--factor 1"):
        lowres(Lowres(str(photographs), str(tmp_path / "out"), factor=1))
    for share in (0.0, 0.95):
        with pytest.raises(UserError, match="--holes"):
            do(photographs, tmp_path / "out", holes=share)
    assert not (tmp_path / "out").exists()


def test_asked_says_what_was_asked(photographs: Path, tmp_path: Path) -> None:
    asked = json.loads(do(photographs, tmp_path / "out", holes=0.1)[job.ASKED])["asked"]
    assert (asked["prepare"], asked["holes"], asked["seed"]) == ("masks", 0.1, 0)
    assert asked["photos"] == str(photographs.resolve())

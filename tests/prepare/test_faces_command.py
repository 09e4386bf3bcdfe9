"""`limner prepare faces`: a folder of photographs becomes a folder of faces, and the rest is listed."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from limner.commands.prepare.faces import Faces, faces
from limner.core.errors import UserError

from .conftest import content, killed, photograph

pytest.importorskip("cv2")


@pytest.fixture
def photos(real_data: Path, tmp_path: Path) -> Path:
    """Six portraits, one picture without a face, a text, an empty file."""
    folder = tmp_path / "in"
    for path in sorted((real_data / "faces").glob("*.jpg"))[:600:100]:
        target = folder / path.name[0] / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    photograph(folder / "wall.png", 300, 200)
    (folder / "text.jpg").write_text("words")
    (folder / "nothing.png").write_bytes(b"")
    return folder


def do(photos: Path, out: Path, **options: Any) -> dict[str, bytes]:
    faces(Faces(str(photos), str(out), **options))
    return content(out)


def rows(out: Path, name: str) -> list[dict[str, str]]:
    with (out / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_faces_are_cut_out_and_the_rest_is_listed(photos: Path, tmp_path: Path) -> None:
    before, out = content(photos), tmp_path / "out"
    made = do(photos, out, size=64)
    found = rows(out, "faces.csv")
    assert len(found) == 6 and list(found[0]) == ["name", "face", "box", "score", "roll", "turned"]
    assert [row["name"] for row in found] == sorted(name for name in before if "/" in name)
    for row in found:
        assert row["face"] == row["name"].replace(".jpg", ".png")
        assert float(row["score"]) > 0.7 and abs(float(row["roll"])) < 30 and row["turned"] in ("yes", "no")
        left, top, width, height = map(int, row["box"].split())
        assert 0 < left + width / 2 < 250 and 0 < top + height / 2 < 250
        with Image.open(out / row["face"]) as face:
            assert face.size == (64, 64) and face.mode == "RGB"
    assert {row["name"]: row["reason"] for row in rows(out, "left_out.csv")} == {
        "nothing.png": "the file is empty",
        "text.jpg": "not a readable picture (in no known format)",
        "wall.png": "no face was found",
    }
    assert content(photos) == before
    assert do(photos, out, size=64) == made
    grey = do(photos, tmp_path / "grey", size=64, grey=True)
    with Image.open(tmp_path / "grey" / found[0]["face"]) as face:
        assert face.mode == "L"
    assert grey.keys() == made.keys()


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_and_done_again(photos: Path, tmp_path: Path) -> None:
    expected = do(photos, tmp_path / "whole", size=64)
    for count in (3, 1):
        words = [
            sys.executable,
            "-c",
            killed("faces", "faces", ", size=64"),
            str(photos),
            str(tmp_path / "out"),
            str(count),
        ]
        assert subprocess.run(words, capture_output=True).returncode == -9
    assert do(photos, tmp_path / "out", size=64) == expected


def test_all_faces_of_a_photograph(real_data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "three.jpg").write_bytes((real_data / "face_photos" / "2008_001322.jpg").read_bytes())
    made = do(folder, tmp_path / "all", size=64, choose="all")
    names = ["three.face2.png", "three.face3.png", "three.png"]
    assert sorted(name for name in made if name.endswith(".png")) == names
    with pytest.raises(UserError, match="3 faces were found, and exactly one was asked for"):
        do(folder, tmp_path / "one", size=64, choose="one")


def test_pairs_of_front_and_side(real_data: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    with Image.open(real_data / "faces" / "AJ_Cook_0001.jpg") as front:
        front.load()
    turned = Image.open(real_data / "face_photos" / "2007_007763.jpg").crop((360, 70, 450, 160)).resize((360, 360))
    for name, picture in (("1_front", front), ("1_side", turned), ("2-L", front), ("2-R", turned), ("3_front", front)):
        picture.save(folder / f"{name}.png")
    photograph(folder / "4_side.png", 200, 200)
    front.save(folder / "4_front.png")
    front.save(folder / "holiday.png")
    made = do(folder, out, size=64, pairs=True)
    names = [name for name in made if name.endswith(".png")]
    assert names == ["A/1.png", "A/2.png", "B/1.png", "B/2.png"]
    assert made["A/1.png"] == made["A/2.png"] and made["B/1.png"] == made["B/2.png"], "the picture tells the order"
    reasons = {row["name"]: row["reason"] for row in rows(out, "left_out.csv")}
    assert reasons["3_front.png"] == "no side view goes with it by its name"
    assert reasons["4_side.png"] == "no face was found"
    assert reasons["4_front.png"] == "goes with 4_side.png: no face was found"
    assert "does not say which view" in reasons["holiday.png"]
    mirrored = tmp_path / "mirrored"
    mirrored.mkdir()
    for path in folder.glob("1_*.png"):
        with Image.open(path) as picture:
            picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(mirrored / path.name)
    do(mirrored, tmp_path / "again", size=64, pairs=True)
    for side in "AB":
        one, other = (np.asarray(Image.open(place / side / "1.png")) for place in (out, tmp_path / "again"))
        assert np.abs(one.astype(int) - other).mean() < 6, "profiles look to the right, whichever way they looked"
        assert np.abs(one.astype(int) - other[:, ::-1]).mean() > 20
    from limner.data.pairs import open_pairs

    assert len(open_pairs(str(out), paired=True).train.a) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": 8}, "--size 8"),
        ({"margin": -0.1}, "--margin -0.1"),
        ({"pairs": True, "choose": "all"}, "--pairs takes one face"),
    ],
)
def test_flags_that_make_no_sense(photos: Path, tmp_path: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        do(photos, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_weights_that_are_not_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIMNER_DATA", raising=False)
    monkeypatch.setenv("LIMNER_CACHE", str(tmp_path / "cache"))
    photograph(tmp_path / "in" / "a.png")
    with pytest.raises(UserError, match=r"YuNet.*limner fetch yunet"):
        do(tmp_path / "in", tmp_path / "out")
    (tmp_path / "other.onnx").write_bytes(b"another")
    with pytest.raises(UserError, match="is not the file that its name or place promises"):
        do(tmp_path / "in", tmp_path / "out", weights=tmp_path / "other.onnx")
    assert not (tmp_path / "out").exists()

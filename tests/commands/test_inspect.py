"""Faults are found before an hour of training is spent, and sets without any are left in peace."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from limner.cli import _parse_train, main
from limner.commands import reading
from limner.data import looking
from limner.data.inspection import Inspection, advise, inspect
from limner.data.store import Store
from limner.presets import PRESETS


def scene(seed: int, height: int = 64, width: int = 64, channels: int = 3) -> Image.Image:
    """A smooth picture that looks like no other."""
    draw = np.random.default_rng(seed)
    coarse = draw.integers(0, 256, (7, 7, channels), dtype=np.uint8)
    picture = Image.fromarray(coarse[..., 0] if channels == 1 else coarse)
    return picture.resize((width, height), Image.Resampling.BICUBIC)


def fill(folder: Path, seeds: range, ending: str = ".png", **shape: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        scene(seed, **shape).save(folder / f"{seed:03}{ending}")
    return folder


def kinds(found: Inspection) -> dict[str, str]:
    return {finding.kind: finding.severity for finding in found.findings}


def words(found: Inspection, kind: str) -> str:
    return next(finding.words for finding in found.findings if finding.kind == kind)


def test_a_good_set_is_left_in_peace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path / "set", range(210))
    assert main(["inspect", str(tmp_path / "set")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "train 210 64x64 3 8 PNG RGB" in said and "Nothing is wrong with it." in said
    assert f"limner train dcgan --data {tmp_path / 'set'} --out runs/set --size 64" in said


def harm_truncated(folder: Path) -> None:
    content = (folder / "000.jpg").read_bytes()
    (folder / "000.jpg").write_bytes(content[: len(content) * 2 // 3])


def harm_unreadable(folder: Path) -> None:
    (folder / "words.jpg").write_text("not a picture")
    (folder / "empty.png").write_bytes(b"")


def harm_bomb(folder: Path) -> None:
    content = bytearray(_png())
    content[16:24] = struct.pack(">II", 30_000, 30_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    (folder / "bomb.png").write_bytes(content)


def _png() -> bytes:
    out = io.BytesIO()
    scene(0).save(out, "PNG")
    return out.getvalue()


def harm_duplicates(folder: Path) -> None:
    (folder / "copy.jpg").write_bytes((folder / "003.jpg").read_bytes())


def harm_near(folder: Path) -> None:
    with Image.open(folder / "003.jpg") as picture:
        picture.resize((50, 50), Image.Resampling.LANCZOS).save(folder / "again.jpg", quality=60)


def harm_blank(folder: Path) -> None:
    for name in ("grey", "dark"):
        Image.new("RGB", (64, 64), name.replace("dark", "navy")).save(folder / f"{name}.jpg")


def harm_tiny(folder: Path) -> None:
    scene(99, 20, 20).save(folder / "tiny.jpg")


def harm_shape(folder: Path) -> None:
    scene(99, 64, 400).save(folder / "wide.jpg")


def harm_mode(folder: Path) -> None:
    scene(99, channels=1).save(folder / "grey.jpg")


def harm_depth(folder: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (64, 64), dtype=np.uint16)
    Image.fromarray(deep).save(folder / "deep.png")


def harm_name(folder: Path) -> None:
    scene(99).save(folder / "png.jpg", "PNG")


@pytest.mark.parametrize(
    ("harm", "kind", "severity", "said"),
    [
        (harm_truncated, "truncated", "harms", "1 picture is cut short"),
        (harm_unreadable, "unreadable", "harms", "words.jpg"),
        (harm_bomb, "unreadable", "harms", "30000 x 30000 pixels are more than limner opens"),
        (harm_duplicates, "duplicates", "harms", "003.jpg = copy.jpg"),
        (harm_near, "near-duplicates", "harms", "003.jpg = again.jpg"),
        (harm_blank, "blank", "harms", "2 pictures of a single colour: dark.jpg, grey.jpg"),
        (harm_tiny, "tiny", "harms", "tiny.jpg (20x20)"),
        (harm_shape, "extreme aspect", "harms", "wide.jpg (400x64)"),
        (harm_mode, "colour mode", "note", "grey.jpg"),
        (harm_depth, "bit depth", "note", "deep.png"),
        (harm_name, "wrong extension", "note", "png.jpg is PNG"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_each_fault_is_found_and_named(
    tmp_path: Path, harm: Callable[[Path], None], kind: str, severity: str, said: str
) -> None:
    folder = fill(tmp_path / "set", range(30), ".jpg")
    assert kinds(inspect(str(folder))) == {"few": "note"}
    harm(folder)
    found = inspect(str(folder))
    assert kinds(found).get(kind) == severity and not found.would_fail
    assert any(part in words(found, kind) for part in said.split("|"))
    assert set(kinds(found)) - {"few", kind} <= ({"colour mode"} if harm is harm_depth else set())


def test_the_most_serious_comes_first_and_the_exit_code_tells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = fill(tmp_path / "set", range(3))
    harm_unreadable(folder)
    harm_name(folder)
    (folder / "png.jpg").rename(folder / "000.png")
    with pytest.raises(SystemExit) as exit_:
        main(["inspect", str(folder), "--json"])
    assert exit_.value.code == 1
    content = json.loads(capsys.readouterr().out)
    assert content["would_fail"] and content["parts"][0]["readable"] == 3 and content["parts"][0]["pictures"] == 5
    assert [finding["severity"] for finding in content["findings"]] == ["stops", "harms"]
    assert main(["inspect", str(tmp_path / "absent")]) == 2


def test_what_is_learned_from_must_not_be_held_out(tmp_path: Path) -> None:
    fill(tmp_path / "set" / "train", range(30))
    fill(tmp_path / "set" / "test", range(29, 35))
    with Image.open(tmp_path / "set" / "train" / "003.png") as picture:
        picture.save(tmp_path / "set" / "test" / "near.jpg", quality=70)
    found = inspect(str(tmp_path / "set"))
    assert [one.facts()["pictures"] for one in found.seen] == [30, 7]
    leaks = [finding for finding in found.findings if finding.kind == "leakage"]
    assert [finding.names for finding in leaks] == [
        ("train: 029.png = test: 029.png",),
        ("train: 003.png = test: near.jpg",),
    ]


@pytest.mark.parametrize("layout", [("A", "B"), ("trainA", "trainB")])
def test_pairs(tmp_path: Path, layout: tuple[str, str]) -> None:
    for side, shift in zip(layout, (0, 500), strict=True):
        fill(tmp_path / "set" / side, range(0))
        for seed in range(20):
            scene(seed + shift).save(tmp_path / "set" / side / f"{seed:03}.png")
    found = inspect(str(tmp_path / "set"))
    advice = advise(found)
    assert found.paired and kinds(found) == {"few": "note"} and advice and advice.preset == "pix2pix-plus"
    (tmp_path / "set" / layout[1] / "007.png").unlink()
    found = inspect(str(tmp_path / "set"))
    assert found.would_fail and "1 picture is without a partner" in words(found, "unpaired")
    assert "007.png (A)" in words(found, "unpaired")


def test_two_kinds_that_do_not_belong_together(tmp_path: Path) -> None:
    fill(tmp_path / "set" / "trainA", range(20))
    fill(tmp_path / "set" / "trainB", range(100, 130), height=128, width=128)
    found = inspect(str(tmp_path / "set"))
    advice = advise(found)
    assert not found.paired and not found.would_fail and advice and advice.preset in ("discogan", "cyclegan")


def test_side_by_side(tmp_path: Path) -> None:
    fill(tmp_path / "set" / "train", range(20), height=64, width=128)
    found = inspect(str(tmp_path / "set"))
    advice = advise(found)
    assert found.side_by_side and advice and (advice.preset, advice.size) == ("pix2pix-plus", 64)


def test_classes(tmp_path: Path) -> None:
    fill(tmp_path / "set" / "cats", range(25))
    fill(tmp_path / "set" / "dogs", range(100, 101))
    found = inspect(str(tmp_path / "set"))
    assert kinds(found) == {"few": "note", "lone class": "harms", "uneven classes": "note"}
    assert "dogs (1)" in words(found, "lone class")


def test_a_set_that_is_an_array(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "WHOLE", 500)
    found = inspect("digits")
    advice = advise(found)
    assert found.seen[0].facts()["classes"]["7"] == 500
    assert advice and (advice.preset, advice.size) == ("acgan-digits", 28)
    assert not {"duplicates", "blank", "tiny"} & kinds(found).keys()


def test_every_advised_preset_exists() -> None:
    import ast
    import inspect as python

    from limner.data import inspection

    tree = ast.parse(python.getsource(inspection._preset))
    said = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    assert {"pix2pix-plus", "cyclegan", "discogan", "acgan-digits", "dcgan-digits", "acgan", "dcgan"} <= said
    assert {word for word in said if " " not in word} <= {*PRESETS.names(), "channels", "height", "width", ",", ""}


def test_the_advised_command_is_one_that_works(tmp_path: Path) -> None:
    import shlex

    folder = fill(tmp_path / "my set", range(12), height=40, width=36)
    scene(99, channels=1).save(folder / "grey.png")
    advice = advise(inspect(str(folder)))
    assert advice is not None
    arguments = shlex.split(advice.command)[1:]
    arguments[arguments.index("--out") + 1] = str(tmp_path / "run")
    command = _parse_train(arguments[1:])
    source = reading.Opened(command.config).source
    store = Store.build(source, command.config.size, command.config.channels, command.config.crop, tmp_path / "cache")
    assert store.count == 13 and store.size.height == 32


def test_a_contact_sheet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path / "set" / "A", range(12))
    fill(tmp_path / "set" / "B", range(12), height=32, width=32)
    assert main(["inspect", str(tmp_path / "set"), "--sheet", str(tmp_path / "sheet.png")]) == 0
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 500 and sheet.height > 200


def test_many_processes_see_what_one_sees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fill(tmp_path / "set", range(50), ".jpg", height=16, width=16)
    harm_unreadable(folder)
    harm_duplicates(folder)
    alone = inspect(str(folder))
    monkeypatch.setattr(looking, "ALONE", 0)
    monkeypatch.setattr(looking, "PIECE", 7)
    together = inspect(str(folder))
    assert together.findings == alone.findings
    assert np.array_equal(together.seen[0].table, alone.seen[0].table)


def test_of_a_very_large_set_some_are_decoded_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fill(tmp_path / "set", range(30), ".jpg")
    monkeypatch.setattr(looking, "WHOLE", 10)
    found = inspect(str(folder))
    assert found.seen[0].table["whole"].sum() == 10 and len(found.seen[0].table) == 30
    assert "10, evenly spread" in words(found, "looked at in part")


def test_without_perceptual_hashes_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("limner.data.findings.has_hashes", lambda: False)
    monkeypatch.setattr("limner.data.looking.has_hashes", lambda: False)
    found = inspect(str(fill(tmp_path / "set", range(10))))
    assert "limner[prepare]" in words(found, "not looked for")


@pytest.mark.parametrize("kind", ["zip", "csv"])
def test_other_formats(tmp_path: Path, kind: str) -> None:
    made: Any = tmp_path / f"set.{kind}"
    if kind == "zip":
        folder = fill(tmp_path / "set", range(8))
        with zipfile.ZipFile(made, "w") as packed:
            for path in folder.iterdir():
                packed.write(path, path.name)
    else:
        rows = np.random.default_rng(0).integers(0, 256, (8, 64))
        made.write_text("\n".join(",".join(map(str, row)) for row in rows.tolist()) + "\n")
    found = inspect(str(made))
    assert found.seen[0].facts()["readable"] == 8 and kinds(found) == {"few": "note"}


def test_real_sets(real_data: Path) -> None:
    found = inspect(str(real_data / "face_photos"))
    assert found.seen[0].facts()["readable"] == 12

"""What is made of a photograph: each task does what its name says, at every size and in every mode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from limner.commands.prepare import tasks as commands
from limner.core.config import Size
from limner.prepare.outlines import outlines
from limner.prepare.pictures import png
from limner.prepare.tasks import PencilSketch, holes

from .conftest import content, photograph

TASKS = {"edges": commands.Edges, "sketch": commands.Sketch, "grey": commands.Grey, "lowres": commands.Lowres}
TASKS["masks"] = commands.Masks


def opened(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def make(name: str, photos: Path, out: Path, **options: Any) -> Path:
    if name in ("edges", "sketch"):
        pytest.importorskip("cv2")
    getattr(commands, name)(TASKS[name](str(photos), str(out), **options))
    return out


@pytest.mark.parametrize("name", TASKS)
def test_both_sides_fit_each_other(name: str, tmp_path: Path) -> None:
    sizes = {"a.jpg": (48, 32, "RGB"), "b.png": (30, 61, "L"), "c.png": (40, 40, "RGBA"), "d.png": (17, 16, "P")}
    for file, (width, height, mode) in sizes.items():
        photograph(tmp_path / "in" / file, width, height, mode=mode)
    out = make(name, tmp_path / "in", tmp_path / "out")
    for file, (width, height, mode) in sizes.items():
        a, b = (opened((out / side / file).with_suffix(".png")) for side in "AB")
        assert a.shape[:2] == b.shape[:2] == (height, width)
        with Image.open(tmp_path / "in" / file) as original:
            expected = np.asarray(original.convert("RGB") if mode == "P" else original)
        assert np.array_equal(b, expected), "the photographs are untouched"
    scaled = make(name, tmp_path / "in", tmp_path / "scaled", size=Size(24, 32))
    assert {opened(path).shape[:2] for path in scaled.rglob("*.png")} == {(24, 32)}
    assert content(make(name, tmp_path / "in", tmp_path / "again"))["A/a.png"] == (out / "A" / "a.png").read_bytes()


def test_photographs_leave_their_secrets_behind(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "the maker of the telephone", 6
    path = photograph(tmp_path / "in" / "a.jpg")
    with Image.open(path) as picture:
        picture.save(path, exif=exif, icc_profile=b"profile" * 20)
    made = (make("grey", tmp_path / "in", tmp_path / "out") / "B" / "a.png").read_bytes()
    assert b"telephone" not in made and b"iCCP" not in made
    assert opened(tmp_path / "out" / "B" / "a.png").shape == (48, 32, 3), "turned upright"


def test_pngs_of_the_same_pixels_are_the_same() -> None:
    array = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    picture = Image.fromarray(array)
    picture.info["dpi"] = (300, 300)
    assert png(array) == png(picture)


def disc(side: int, noise: float = 0.0) -> np.ndarray:
    y, x = np.mgrid[:side, :side] / side - 0.5
    grey = np.where(np.hypot(x, y) < 0.3, 200.0, 60.0) + np.random.default_rng(0).normal(0, noise, (side, side))
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize(("side", "noise"), [(128, 0), (256, 0), (256, 6), (700, 0)])
def test_outlines_follow_borders_and_nothing_else(side: int, noise: float) -> None:
    pytest.importorskip("cv2")
    lines = outlines(disc(side, noise))
    assert lines.shape == (side, side, 1) and set(np.unique(lines).tolist()) == {0, 255}
    y, x = np.nonzero(lines[..., 0] == 0)
    far = np.abs(np.hypot(x / side - 0.5, y / side - 0.5) - 0.3) * side
    assert far.max() < 3 * max(1, side / 256), "all of it on the circle"
    angles = np.unique(np.round(np.arctan2(y / side - 0.5, x / side - 0.5) * 20))
    assert len(angles) > 120, "all around it"
    assert len(x) < 2.2 * np.pi * 0.6 * side * max(1, round(side / 256)), "and thin"


def test_outlines_see_colours_of_one_brightness_and_no_specks() -> None:
    pytest.importorskip("cv2")
    red_green = np.zeros((128, 128, 3), np.uint8)
    red_green[:, :64, 0], red_green[:, 64:, 1] = 196, 100  # the same grey
    assert (outlines(red_green) == 0).sum() > 100
    specks = np.full((256, 256, 3), 128, np.uint8)
    specks[20::40, 20::40] = 255
    assert (outlines(specks) == 255).all()
    assert (outlines(np.full((64, 64, 3), 9, np.uint8)) == 255).all()


def test_a_sketch_is_white_where_nothing_is_and_dark_at_borders() -> None:
    pytest.importorskip("cv2")
    drawn = PencilSketch()(Image.fromarray(disc(256)), "")[..., 0]
    assert drawn[:20, :20].min() > 250 and drawn[118:138, 118:138].min() > 250
    assert drawn.min() < 190
    night = np.random.default_rng(0).integers(0, 5, (64, 64, 3), dtype=np.uint8)
    assert PencilSketch()(Image.fromarray(night), "").min() > 150, "the noise of a dark picture is not drawn"


def test_coarser_pictures_keep_their_mean_and_lose_their_detail(tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(
        (tmp_path / "in").mkdir() or tmp_path / "in" / "a.png"
    )
    made = {factor: opened(make("lowres", tmp_path / "in", tmp_path / str(factor), factor=factor) / "A" / "a.png")
            for factor in (2, 4)}  # fmt: skip
    assert abs(made[4].mean() - 127.5) < 3
    assert 74 > made[2].std() > 1.5 * made[4].std() > 0


@pytest.mark.parametrize("share", [0.05, 0.25, 0.6, 0.9])
def test_holes_cover_their_share_and_depend_on_seed_and_name_alone(share: float) -> None:
    wiped = [holes(Size(96, 128), share, seed, name) for seed, name in ((0, "a"), (0, "b"), (1, "a"), (0, "a"))]
    for one in wiped:
        assert one.shape == (96, 128) and abs(one.mean() - share) < 0.02
    assert np.array_equal(wiped[0], wiped[3])
    assert not np.array_equal(wiped[0], wiped[1]) and not np.array_equal(wiped[0], wiped[2])


def test_holes_are_white_and_elsewhere_nothing_changes(tmp_path: Path) -> None:
    photograph(tmp_path / "in" / "a.png", 64, 64)
    out = make("masks", tmp_path / "in", tmp_path / "out")
    a, b = opened(out / "A" / "a.png"), opened(out / "B" / "a.png")
    wiped = holes(Size(64, 64), 0.25, 0, "a.png")
    assert (a[wiped] == 255).all() and np.array_equal(a[~wiped], b[~wiped])


def test_real_photographs_become_drawings(real_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    photos = tmp_path / "in"
    photos.mkdir()
    for path in sorted((real_data / "faces").glob("*.jpg"))[:400:100]:
        (photos / path.name).write_bytes(path.read_bytes())
    for name in ("edges", "sketch"):
        out = make(name, photos, tmp_path / name, size=Size(256, 256))
        for path in (out / "A").iterdir():
            dark = (opened(path) < 128).mean()
            assert 0.005 < dark < 0.2, f"{name} of {path.name}: {dark:.1%} dark"


def test_an_outlined_set_trains_at_once(real_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    import tiny
    from limner.commands.train import train

    photos = tmp_path / "in"
    photos.mkdir()
    for path in sorted((real_data / "faces").glob("*.jpg"))[:12]:
        (photos / path.name).write_bytes(path.read_bytes())
    make("edges", photos, tmp_path / "out", size=Size(32, 32))
    train(tiny.command("pix2pix", str(tmp_path / "out"), tmp_path / "run"))
    assert (tmp_path / "run" / "model.safetensors").is_file()

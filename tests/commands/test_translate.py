"""`limner translate`: whatever is given comes out under its own name, or a sentence says why not."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import limner.inference.pipeline as pipelines
import tiny
from limner.cli import main
from limner.commands.translate import Translate, translate
from limner.core.contract import Spec
from limner.core.errors import UserError
from limner.inference import Pipeline, load, model
from limner.methods import build


def save(folder: Path, preset: str = "pix2pix", spec: Spec | None = None, **settings: object) -> Path:
    """A model file of an untrained network with lively outputs."""
    config = tiny.config(preset, "nothing", **settings)
    spec = spec or Spec(3, 32, 32, (), 3)
    method = build(config.method, config.settings, spec, seed=2)
    with torch.no_grad():
        for name in method.portable:
            for weight in method.nets[name].parameters():
                weight.mul_(2.5)
    path = folder / f"{preset}.safetensors"
    model.save(path, method, method.nets, spec, config, 0)
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("model"))


def picture(path: Path, width: int = 40, height: int = 24, mode: str = "RGB", seed: int = 0, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.random.default_rng(seed).integers(0, 256, (height, width, 4), dtype=np.uint8)
    colours = Image.fromarray(array[..., :3])
    shown = Image.fromarray(array) if mode == "RGBA" else colours.convert(mode)
    shown.save(path, **options)  # type: ignore[arg-type]
    return path


def run(trained: Path, *given: Path | str, out: Path, **options: object) -> list[str]:
    made = translate(Translate(trained, tuple(map(str, given)), out, **options))  # type: ignore[arg-type]
    return [path.relative_to(out).as_posix() for path in made]


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def opened(path: Path) -> np.ndarray:
    with Image.open(path) as shown:
        return np.asarray(shown)


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as shown:
        return shown.size


def test_file_tree_and_pattern_keep_names_and_sizes(trained: Path, tmp_path: Path) -> None:
    sizes = {"a.png": (40, 24), "deep/er/b.jpg": (17, 33), "deep/c.webp": (40, 24), "z.tif": (64, 64)}
    for name, size in sizes.items():
        picture(tmp_path / "in" / name, *size)
    picture(tmp_path / "in" / ".thumbs" / "hidden.png")
    (tmp_path / "in" / "notes.txt").write_text("words")
    out = tmp_path / "tree"
    assert sorted(run(trained, tmp_path / "in", out=out)) == ["a.png", "deep/c.png", "deep/er/b.png", "z.png"]
    for name, size in sizes.items():
        assert size_of((out / name).with_suffix(".png")) == size
    assert run(trained, tmp_path / "in" / "a.png", out=tmp_path / "one") == ["a.png"]
    assert run(trained, f"{tmp_path}/in/**/*.[jw]*", out=tmp_path / "glob") == ["c.png", "b.png"]
    assert np.array_equal(opened(tmp_path / "one" / "a.png"), opened(out / "a.png"))


def test_batches_of_any_size_and_order_give_the_same(trained: Path, tmp_path: Path) -> None:
    for i in range(7):
        picture(tmp_path / "in" / f"{i}.png", *((40, 24) if i % 3 else (30, 50)), seed=i)
    for batch in (1, 2, 8):
        run(trained, tmp_path / "in", out=tmp_path / str(batch), batch=batch)
    for i in range(7):
        one, *others = (opened(tmp_path / str(batch) / f"{i}.png").astype(int) for batch in (1, 2, 8))
        assert one.std() > 3
        assert all(np.abs(one - other).max() <= 1 for other in others)


@pytest.mark.parametrize("preset", ["pix2pix", "pix2pix-maps", "cyclegan", "discogan", "cut"])
def test_batch_mates_do_not_matter(preset: str, tmp_path: Path) -> None:
    pipeline = load(save(tmp_path, preset))
    draw = np.random.default_rng(1)
    one, others = draw.integers(0, 256, (32, 32, 3), dtype=np.uint8), draw.integers(0, 256, (3, 32, 32, 3), np.uint8)
    alone = pipeline.translate([one])[0]
    for mates in (others, np.zeros_like(others)):
        among = pipeline.translate([mates[0], one, *mates[1:]])[1]
        assert np.abs(among.astype(int) - alone).max() <= 1, "the order of sums in a kernel may differ, nothing else"
    assert np.array_equal(among, pipeline.translate([others[0], one, *others[1:]])[1])


def test_stochastic_differs_and_the_default_does_not(trained: Path, tmp_path: Path) -> None:
    trained = save(tmp_path, dropout=(0, 1, 2), depth=8, spec=Spec(3, 256, 256, (), 3), size=256)
    picture(tmp_path / "in" / "a.png", 64, 64)
    pipeline, given = load(trained), [opened(tmp_path / "in" / "a.png")]
    default = pipeline.translate(given)[0]
    noisy = [pipeline.translate(given, stochastic=True)[0] for _ in range(2)]
    assert not np.array_equal(*noisy) and not np.array_equal(noisy[0], default)
    assert np.array_equal(pipeline.translate(given)[0], default)
    for name, stochastic in (("1", True), ("2", True), ("3", False), ("4", False)):
        run(trained, tmp_path / "in", out=tmp_path / name, stochastic=stochastic)
    made = [opened(tmp_path / name / "a.png") for name in "1234"]
    assert not np.array_equal(made[0], made[1]) and np.array_equal(made[2], made[3])
    with pytest.raises(UserError, match="no dropout"):
        run(save(tmp_path, "cyclegan"), tmp_path / "in", out=tmp_path / "5", stochastic=True)


def test_unusual_pictures_have_their_counterpart(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "in"
    picture(place / "cmyk.jpg", mode="CMYK")
    picture(place / "grey.png", mode="L")
    picture(place / "bits.png", mode="1")
    picture(place / "tiny.png", 1, 1)
    picture(place / "line.png", 300, 1)
    clear = opened(picture(place / "clear.png", mode="RGBA"))
    Image.fromarray((np.arange(40 * 24).reshape(24, 40) * 60).astype(np.uint16)).save(place / "deep.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(place / "turned.jpg", exif=exif)
    frames = [Image.new("RGB", (40, 24), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "first.png")
    out = tmp_path / "out"
    run(trained, place, tmp_path / "moving.gif", tmp_path / "first.png", out=out)
    sizes = {path.stem: size_of(path) for path in out.iterdir()}
    assert sizes.pop("tiny") == (1, 1) and sizes.pop("line") == (300, 1) and sizes.pop("turned") == (24, 40)
    assert set(sizes) == {"cmyk", "grey", "bits", "clear", "deep", "moving", "first"}
    assert set(sizes.values()) == {(40, 24)}
    assert np.array_equal(opened(out / "clear.png")[..., 3], clear[..., 3])
    assert np.array_equal(opened(out / "moving.png"), opened(out / "first.png"))
    assert "only the first was turned" in capsys.readouterr().err


def test_networks_of_all_kinds_take_a_single_pixel(tmp_path: Path) -> None:
    for preset in tiny.PRESETS:
        if tiny.translates(preset):
            made = load(save(tmp_path, preset)).translate([np.full((1, 1, 3), 200, np.uint8)])
            assert made[0].shape == (1, 1, 3)


def test_broken_ones_are_left_out_and_said(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(3):
        picture(tmp_path / "in" / f"{i}.png", seed=i)
    whole = (tmp_path / "in" / "1.png").read_bytes()
    (tmp_path / "in" / "1.png").write_bytes(whole[: len(whole) // 2])
    assert run(trained, tmp_path / "in", out=tmp_path / "out") == ["0.png", "2.png"]
    assert "1 could not be read" in capsys.readouterr().err and files(tmp_path / "out") == ["0.png", "2.png"]
    for i in (0, 2):
        (tmp_path / "in" / f"{i}.png").write_text("words")
    with pytest.raises(UserError, match=r"nothing could be read: .*0\.png"):
        run(trained, tmp_path / "in", out=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_no_input_is_written_over(trained: Path, tmp_path: Path) -> None:
    given = [picture(tmp_path / "in" / "a.png"), picture(tmp_path / "in" / "sub" / "b.png", seed=1)]
    before = [path.read_bytes() for path in given]
    for what, out in (
        (tmp_path / "in", tmp_path / "in"),
        (given[0], tmp_path / "in"),
        (f"{tmp_path}/in/*.png", tmp_path / "in"),
        (tmp_path / "in" / "sub", tmp_path / "in" / "sub" / ".." / "sub"),
    ):
        with pytest.raises(UserError, match="is the folder of the pictures"):
            run(trained, what, out=out)
    picture(tmp_path / "b.png")
    with pytest.raises(UserError, match="is the folder of the pictures"):
        run(trained, given[1], tmp_path / "b.png", out=tmp_path)
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "a.png").symlink_to(given[0])
    with pytest.raises(UserError, match="would be written over"):
        run(trained, tmp_path / "link", out=tmp_path / "in")
    assert [path.read_bytes() for path in given] == before


def test_results_inside_the_folder_are_no_inputs(trained: Path, tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    for _ in range(2):
        assert run(trained, tmp_path, out=tmp_path / "translated") == ["a.png"]
    assert files(tmp_path) == ["a.png", "translated/a.png"]


def test_names_that_would_clash_are_refused_before_anything(trained: Path, tmp_path: Path) -> None:
    picture(tmp_path / "in" / "a.png")
    picture(tmp_path / "in" / "a.jpg")
    with pytest.raises(UserError, match=r"a\.jpg and .*a\.png would both be written as a\.png"):
        run(trained, tmp_path / "in", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    twice = tmp_path / "in" / "a.jpg"
    assert run(trained, twice, twice, out=tmp_path / "out") == ["a.png"]


@pytest.mark.parametrize(
    ("preset", "options", "words"),
    [
        ("dcgan", {}, "limner generate"),
        ("pix2pix", {"direction": "BtoA"}, "trained AtoB and cannot go back"),
        ("pix2pix", {"batch": 0}, "--batch 0: expected 1"),
        ("pix2pix", {"tile": 10}, "--tile 10: expected 256"),
    ],
)
def test_what_a_model_cannot_do(preset: str, options: dict[str, object], words: str, tmp_path: Path) -> None:
    picture(tmp_path / "in" / "a.png")
    path = save(tmp_path, preset, Spec(3, 32, 32) if preset == "dcgan" else None)
    with pytest.raises(UserError, match=words):
        run(path, tmp_path / "in", out=tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_both_ways(tmp_path: Path) -> None:
    path = save(tmp_path, "cyclegan", Spec(3, 32, 32, (), 1))
    picture(tmp_path / "in" / "a.png")
    for direction in ("AtoB", "BtoA"):
        run(path, tmp_path / "in", out=tmp_path / direction, direction=direction)
    assert opened(tmp_path / "AtoB" / "a.png").shape == (24, 40, 3)
    assert opened(tmp_path / "BtoA" / "a.png").shape == (24, 40), "grey"


def test_missing_things_are_named(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for given, words in (("nothing.png", "no such picture"), ("no/*.jpg", "no such picture"), ("empty", "no pictures")):
        with pytest.raises(UserError, match=words):
            run(trained, tmp_path / given, out=tmp_path / "out")
    with pytest.raises(UserError, match=r"no model\.safetensors"):
        run(tmp_path / "empty", picture(tmp_path / "a.png"), out=tmp_path / "out")


def test_no_more_pixels_at_once_than_a_tile_has(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(5):
        picture(tmp_path / "in" / f"{i}.png", 500, 500, seed=i)
    picture(tmp_path / "in" / "wide.png", 60_000, 40)
    calls: list[int] = []
    shapes: list[tuple[int, ...]] = []
    turn, way = Pipeline.translate, Pipeline._way

    def watched(self: Pipeline, pictures: list[np.ndarray], *rest: object, **options: object) -> list[np.ndarray]:
        calls.append(sum(one.shape[0] * one.shape[1] for one in pictures))
        return turn(self, pictures, *rest, **options)  # type: ignore[arg-type]

    def seeing(self: Pipeline, direction: str | None) -> tuple[object, int]:
        infer, channels = way(self, direction)
        return lambda x: shapes.append(tuple(x.shape)) or infer(x), channels

    monkeypatch.setattr(pipelines.Pipeline, "translate", watched)
    monkeypatch.setattr(pipelines.Pipeline, "_way", seeing)
    run(trained, tmp_path / "in", out=tmp_path / "out", tile=1024)
    assert [count for count in calls if count] == [1_000_000, 250_000, 2_400_000]
    assert max(b * h * w for b, _, h, w in shapes) <= 1024 * 1024
    assert size_of(tmp_path / "out" / "wide.png") == (60_000, 40)


def test_a_decompression_bomb_costs_a_sentence(trained: Path, tmp_path: Path) -> None:
    parts = [(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(1000)))]
    chunks = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    ]
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    with pytest.raises(UserError, match=r"bomb\.png.*pixels"):
        run(trained, tmp_path / "bomb.png", out=tmp_path / "out")


def test_pictures_and_videos_together(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    av = pytest.importorskip("av", reason="videos need the extra video")
    picture(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "broken.mp4").write_text("no video")
    with av.open(str(tmp_path / "in" / "a.mov"), "w") as file:
        shown = file.add_stream("libx264", rate=5)
        shown.width, shown.height, shown.pix_fmt = 48, 32, "yuv420p"
        for _ in range(5):
            file.mux(shown.encode(av.VideoFrame.from_ndarray(np.zeros((32, 48, 3), np.uint8), format="rgb24")))
        file.mux(shown.encode())
    assert main(["translate", str(trained), str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--batch", "2"]) == 0
    assert files(tmp_path / "out") == ["a.mp4", "a.png"]
    assert "broken.mp4 cannot be read as a video" in capsys.readouterr().err
    with av.open(str(tmp_path / "out" / "a.mp4")) as made:
        assert len(list(made.decode(video=0))) == 5

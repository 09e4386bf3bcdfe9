"""Walks, videos and directions, for every method that makes pictures from noise, with classes and without."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import tiny
from limner.commands.generate import Generate, generate
from limner.core.contract import Spec
from limner.core.errors import UserError
from limner.inference import Pipeline, directions, film, latents, model
from limner.methods import build

DREAMS = [preset for preset in tiny.PRESETS if not tiny.translates(preset)]
CLASSES = ("cat", "dog")


def pipeline(preset: str, channels: int = 3, classes: tuple[str, ...] = CLASSES) -> Pipeline:
    config = tiny.config(preset, "digits")
    method = build(config.method, config.settings, Spec(channels, tiny.SIZE, tiny.SIZE, classes), seed=3)
    return Pipeline(method, {name: method.nets[name] for name in method.portable}, Spec(channels, 32, 32, classes))


@pytest.fixture(params=DREAMS)
def pipe(request: pytest.FixtureRequest) -> Pipeline:
    return pipeline(request.param)


def label(pipe: Pipeline) -> str | None:
    return "dog" if pipe.method.conditional else None


def ends(pipe: Pipeline, seeds: list[int]) -> np.ndarray:
    return pipe.generate(seeds, ["dog"] if pipe.method.conditional else None).array


def test_directions_are_a_basis_the_first_of_which_moves_most(pipe: Pipeline) -> None:
    found = directions.find(pipe, label(pipe))
    size = pipe.method.latent
    assert found.vectors.shape == (size, size)
    torch.testing.assert_close(found.vectors @ found.vectors.T, torch.eye(size), atol=1e-4, rtol=0)
    assert (found.shares.diff() <= 1e-6).all() and found.shares.sum().item() == pytest.approx(1.0, abs=1e-4)
    again = directions.find(pipe, label(pipe))
    assert torch.equal(found.vectors, again.vectors)
    assert not any(module._forward_hooks for net in pipe.nets.values() for module in net.modules())


def test_directions_are_the_principal_axes_of_a_linear_layer() -> None:
    pipe = pipeline("dcgan")
    weight: torch.Tensor = pipe.nets["G"].get_parameter("project.weight")
    left, right = torch.linalg.qr(torch.randn(len(weight), 100))[0], torch.linalg.qr(torch.randn(100, 100))[0]
    with torch.no_grad():
        weight.copy_(left * torch.linspace(10, 0.1, 100) @ right.T)
    found = directions.find(pipe).vectors
    assert ((found[:20] * right.T[:20]).sum(1).abs() > 0.999).all()


def test_a_sheet_around_a_picture(pipe: Pipeline) -> None:
    sheet = directions.around(pipe, 4, 3, label(pipe))
    assert sheet.array.shape == (9, 32, 32, 3) and len(set(sheet.names)) == 9
    assert np.array_equal(sheet.array[4], ends(pipe, [4])[0]), "the seed's own picture is in the middle"
    z = latents.draw([4], pipe.method.latent) + 3 * directions.find(pipe, label(pipe)).vectors[:1]
    below = pipe.of_latents(z, ("below",), label(pipe)).array[0]
    assert np.abs(sheet.array[7].astype(int) - below).max() <= 1


def test_walk_goes_through_the_pictures(pipe: Pipeline) -> None:
    legs = list(directions.walk(pipe, [4, 9, 2], 5, label(pipe)))
    assert [len(leg) for leg in legs] == [5, 4]
    found = np.stack([legs[0].array[0], legs[0].array[-1], legs[1].array[-1]])
    assert np.abs(found.astype(int) - ends(pipe, [4, 9, 2])).max() <= 1
    assert np.array_equal(pipe.interpolate(4, 9, 5, label=label(pipe)).array, legs[0].array)


def test_classes_are_asked_for_by_name() -> None:
    conditional = [pipe for pipe in map(pipeline, DREAMS) if pipe.method.conditional]
    for pipe in conditional:
        with pytest.raises(UserError, match="needs a label"):
            next(directions.walk(pipe, [0, 1], 3))
        with pytest.raises(UserError, match="unknown label 'cow'"):
            directions.around(pipe, label="cow")
        one, other = (directions.around(pipe, 0, 2, name).array for name in CLASSES)
        assert not np.array_equal(one, other)


def test_what_cannot_be_is_said() -> None:
    pipe = pipeline("demo")
    for steps in (1, 16):
        with pytest.raises(UserError, match="from 2 to 15"):
            directions.around(pipe, steps=steps)
    with pytest.raises(UserError, match="this model has 64, counted from 0"):
        directions.around(pipe, axes=(0, 64))
    with pytest.raises(UserError, match="at least 2, where it begins"):
        next(directions.walk(pipe, [1]))
    with pytest.raises(UserError, match="use `limner translate`"):
        config = tiny.config("pix2pix", "digits")
        spec = Spec(3, 32, 32, channels_in=3)
        directions.around(Pipeline(build(config.method, config.settings, spec), {}, spec))
    with pytest.raises(UserError, match="an ONNX file does not show"):
        directions.find(Pipeline(pipe.method, {}, pipe.spec))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    config, spec = tiny.config("dcgan", "digits"), Spec(1, 32, 32)
    method = build(config.method, config.settings, spec, seed=1)
    model.save(tmp_path / "m.safetensors", method, method.nets, spec, config, 0)
    return tmp_path / "m.safetensors"


def test_generate_writes_walks_and_sheets(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    written = generate(Generate(file, out, interpolate=4, count=3))
    assert [path.suffix for path in written] == [".png"] * 7 + [".gif", ".webp"]
    written = generate(Generate(file, out, directions=3, truncation=0.7))
    with Image.open(written[-1]) as sheet:
        assert len(written) == 10 and sheet.width > 3 * 32
    assert [len(generate(Generate(file, tmp_path / "some", count=count))) for count in (None, 3)] == [64, 3]
    with pytest.raises(UserError, match="one at a time"):
        generate(Generate(file, out, directions=3, interpolate=4))
    with pytest.raises(UserError, match=r"ends in .mp4, .gif or .webp"):
        generate(Generate(file, out, video=tmp_path / "walk.avi"))


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_an_animation_alone(kind: str, file: Path, tmp_path: Path) -> None:
    for other in ("gif", "webp"):
        (tmp_path / f"walk.{other}").write_bytes(b"mine")
    video = tmp_path / f"walk.{kind}"
    assert generate(Generate(file, tmp_path / "out", interpolate=5, video=video)) == [video]
    with Image.open(video) as opened:
        assert opened.format == kind.upper()
    other = next(path for path in tmp_path.glob("walk.*") if path != video)
    assert other.read_bytes() == b"mine", "what was not asked for is left alone"


def test_without_pyav_there_is_an_animation(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    written = generate(Generate(file, tmp_path / "out", interpolate=3, video=tmp_path / "walk.mp4"))
    assert written == [tmp_path / "walk.webp"] and written[0].is_file()


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_film_shows_the_pictures(channels: int, tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="PyAV is an extra")
    frames = np.full((6, 29, 33, channels), 255, np.uint8)
    for i, frame in enumerate(frames):
        frame[..., :3] = 40 * i
    path = film.write_film(iter(frames), tmp_path / "film.mp4")
    with av.open(str(path)) as opened:
        shown = [frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)]
    assert len(shown) == 6 and min(shown[0].shape[:2]) >= 256 and shown[0].shape[1] % 2 == 0
    assert [round(picture.mean() / 40) for picture in shown] == list(range(6))

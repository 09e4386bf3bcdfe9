"""A model in an ONNX file makes the pictures of the model file that it came from, and says why when it cannot."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

import limner
import tiny
from limner.core.contract import Spec
from limner.core.errors import UserError
from limner.inference import load, model
from limner.inference.onnx import IMAGE, LABEL, NOISE
from limner.methods import build

Shape = Sequence[int | str]
PLAIN = Spec(1, 2, 2)
TO_PICTURE = np.array([-1, 1, 2, 2])


def test_an_exported_model_makes_the_pictures_of_its_model_file(tmp_path: Path) -> None:
    ours, path = load(twins(tmp_path)), tmp_path / "model.onnx"
    theirs = limner.load(path)
    assert theirs.spec == Spec(3, 32, 32, ("cat", "dog")) == ours.spec
    assert theirs.info == ours.info and theirs.info.images == 12_800
    variants: list[dict[str, Any]] = [{}, {"truncation": 0.7}, {"seed": 1_000}]
    for options in variants:
        a, b = (pipe.generate(count=40, **options).array.astype(int) for pipe in (ours, theirs))
        assert a.std() > 20, "flat pictures would prove nothing"
        assert np.abs(a - b).max() <= 1 and np.mean(a != b) < 1e-3
    walks = [pipe.interpolate(4, 9, steps=5).array.astype(int) for pipe in (ours, theirs)]
    assert np.abs(walks[0] - walks[1]).max() <= 1
    assert np.abs(ours.sheet(8).array.astype(int) - theirs.sheet(8).array).max() <= 1

    whole = theirs.generate(count=40, batch=40).array
    for batch in (1, 7, 16):
        assert np.array_equal(theirs.generate(count=40, batch=batch).array, whole), "the batch must not show"
    assert np.array_equal(theirs.generate([30, 17, 5]).array, whole[[30, 17, 5]])

    content = onnx.load(path)
    del content.metadata_props[:]
    onnx.save(content, path)
    foreign = load(path)
    assert foreign.info is None and foreign.spec == Spec(3, 32, 32)
    assert np.array_equal(foreign.generate(count=40).array, whole)


def twins(folder: Path) -> Path:
    """Write one generator as model.safetensors, which is returned, and as model.onnx."""
    config, spec = tiny.config("dcgan", "photos of mine"), Spec(3, 32, 32, ("cat", "dog"))
    method = build(config.method, config.settings, spec, seed=5)
    generator = method.nets["G"]
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for weight in generator.parameters():
            weight.mul_(10.0 if weight.dim() > 1 else 1.0)  # before training its pictures are all but flat
        for _ in range(40):
            generator(torch.randn(16, method.latent))
    model.save(folder / "model.safetensors", method, method.nets, spec, config, 12_800)
    with warnings.catch_warnings():
        # the exporter copies a class of PyTorch's own that is on its way out
        warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning)
        program = torch.onnx.export(
            generator.eval(),
            (torch.zeros(2, method.latent),),
            dynamo=True,
            verbose=False,
            input_names=[NOISE],
            output_names=["picture"],
            dynamic_shapes=({0: torch.export.Dim("n")},),
        )
    assert program is not None
    content = program.model_proto
    helper.set_model_props(content, model.describe(spec, config, 12_800))
    onnx.save(content, folder / "model.onnx")
    return folder / "model.safetensors"


def described(spec: Spec) -> dict[str, str]:
    return model.describe(spec, tiny.config("dcgan", "shades"), 64)


def write(
    path: Path,
    inputs: Mapping[str, Shape],
    nodes: Sequence[tuple[str, str, str]],
    constants: Mapping[str, np.ndarray] | None = None,
    picture: Shape = ("n", 1, 2, 2),
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Write a graph of a few nodes, each (operator, "names of inputs", output), that ends in "picture"."""
    kinds = {LABEL: TensorProto.INT64}
    graph = helper.make_graph(
        [helper.make_node(operator, names.split(), [output]) for operator, names, output in nodes],
        "graph",
        [helper.make_tensor_value_info(name, kinds.get(name, 1), shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, picture)],
        [onnx.numpy_helper.from_array(value, name) for name, value in (constants or {}).items()],
    )
    content = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(content, dict(metadata or {}))
    onnx.save(content, path)
    return path


def plain(path: Path, noise: Shape = ("n", 4), name: str = NOISE, **options: Any) -> Path:
    """A generator whose picture of 2x2 px is the noise itself."""
    return write(path, {name: noise}, [("Reshape", f"{name} shape", "picture")], {"shape": TO_PICTURE}, **options)


def translator(path: Path, shape: Shape, **options: Any) -> Path:
    """Turns a picture into its negative."""
    return write(path, {IMAGE: shape}, [("Neg", IMAGE, "picture")], picture=shape, **options)


def conditional(path: Path, **options: Any) -> Path:
    """Draws class 0 black, class 1 grey and class 2 white; the noise does not show."""
    nodes = [
        ("Gather", f"levels {LABEL}", "level"),
        ("Reshape", "level pixel", "dot"),
        ("Reshape", f"{NOISE} shape", "speckle"),
        ("Mul", "speckle nothing", "silence"),
        ("Add", "dot silence", "picture"),
    ]
    constants = {
        "levels": np.array([-1, 0, 1], np.float32),
        "pixel": np.array([-1, 1, 1, 1]),
        "shape": TO_PICTURE,
        "nothing": np.array(0, np.float32),
    }
    return write(path, {NOISE: ["n", 4], LABEL: ["n"]}, nodes, constants, **options)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_fixed_batch_is_run_as_often_as_need_be(tmp_path: Path, batch: int) -> None:
    whole = load(plain(tmp_path / "open.onnx")).generate(count=10).array
    assert len(np.unique(whole)) > 20
    pipe = load(plain(tmp_path / "fixed.onnx", (batch, 4), picture=(batch, 1, 2, 2)))
    assert np.array_equal(pipe.generate(count=10).array, whole)
    assert np.array_equal(pipe.generate(count=10, batch=4).array, whole)
    assert np.array_equal(pipe.generate([7]).array[0], whole[7])


@pytest.mark.parametrize(("axis", "words"), [(1, "channels"), (2, "height"), (3, "width")])
def test_an_open_size_of_a_foreign_file_is_named(tmp_path: Path, axis: int, words: str) -> None:
    shape: list[int | str] = ["n", 3, 8, 8]
    shape[axis] = "k"
    with pytest.raises(UserError, match=f'leaves the {words} of "picture".* open'):
        load(translator(tmp_path / "m.onnx", shape))
    with pytest.raises(UserError, match=r'leaves the latent size of "z" \(n, k\).* open'):
        load(plain(tmp_path / "m.onnx", ("n", "k")))


def test_our_description_closes_an_open_picture(tmp_path: Path) -> None:
    spec = Spec(3, 32, 48)
    assert load(translator(tmp_path / "m.onnx", ("n", 3, "h", "w"), metadata=described(spec))).spec == spec


def test_noise_under_another_name_and_as_a_picture_of_one_pixel(tmp_path: Path) -> None:
    flat = load(plain(tmp_path / "flat.onnx", name="noise"))
    deep = load(plain(tmp_path / "deep.onnx", ("n", 4, 1, 1), name="noise"))
    assert flat.spec == deep.spec == PLAIN
    assert np.array_equal(flat.generate(count=5).array, deep.generate(count=5).array)


def test_labels_reach_the_graph(tmp_path: Path) -> None:
    spec = Spec(1, 2, 2, ("black", "grey", "white"))
    pipe = load(conditional(tmp_path / "m.onnx", metadata=described(spec)))
    pictures = pipe.generate(count=4, labels=["white", "black", "grey", "white"], batch=3).array
    assert pictures[:, 0, 0, 0].tolist() == [255, 0, 128, 255]
    with pytest.raises(UserError, match="needs a label"):
        pipe.generate(count=4)


def test_a_foreign_file_with_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="which classes there are"):
        load(conditional(tmp_path / "m.onnx"))


def test_a_translator_takes_pictures(tmp_path: Path) -> None:
    pipe = load(translator(tmp_path / "m.onnx", ("n", 3, 8, 8)))
    assert pipe.spec == Spec(3, 8, 8)
    image = torch.linspace(-1, 1, 2 * 3 * 8 * 8).view(2, 3, 8, 8)
    assert torch.equal(pipe.method.infer(pipe.nets, {IMAGE: image}), -image)
    with pytest.raises(UserError, match="turns one picture into another"):
        pipe.generate()


@pytest.mark.parametrize(
    ("inputs", "picture", "words"),
    [
        ({NOISE: ["n", 4], "strength": ["n"]}, ["n", 1, 2, 2], r'takes "z" \(n, 4\) .* "strength" .*Expected noise'),
        ({IMAGE: ["n", 4], NOISE: ["n", 4]}, ["n", 1, 2, 2], "Expected noise"),
        ({NOISE: ["n", 4, 2]}, ["n", 1, 2, 2], "Expected noise"),
        ({"x": ["n"]}, ["n", 1, 2, 2], "Expected noise"),
        ({NOISE: ["n", 4]}, ["n", 4], r'returns "picture" \(n, 4\) .*: pictures'),
        ({NOISE: ["n", 4]}, ["n", 2, 1, 2], r"2 channels"),
    ],
)
def test_what_is_no_generator_is_refused(tmp_path: Path, inputs: Any, picture: Any, words: str) -> None:
    shape = np.array([-1, *picture[1:]])
    nodes = [("Reshape", f"{next(iter(inputs))} shape", "picture")]
    with pytest.raises(UserError, match=words):
        load(write(tmp_path / "m.onnx", inputs, nodes, {"shape": shape}, picture))


def test_a_batch_that_is_fixed_in_secret(tmp_path: Path) -> None:
    nodes = [("Slice", f"{NOISE} zero one zero", "first"), ("Reshape", "first shape", "picture")]
    constants = {"zero": np.array([0]), "one": np.array([1]), "shape": TO_PICTURE}
    with pytest.raises(UserError, match="made 1 pictures of 5 inputs"):
        load(write(tmp_path / "m.onnx", {NOISE: ["n", 4]}, nodes, constants)).generate(count=5)
    nodes, constants = [("Reshape", f"{NOISE} shape", "picture")], {"shape": np.array([1, 1, 2, 2])}
    with pytest.raises(UserError, match="cannot be run"):
        load(write(tmp_path / "m.onnx", {NOISE: ["n", 4]}, nodes, constants)).generate(count=5)


def test_without_onnxruntime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = plain(tmp_path / "m.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"pip install 'limner\[onnx\]'"):
        load(path)


@pytest.mark.parametrize(
    "damage", [lambda _: b"", lambda whole: whole[:60], lambda whole: whole[:-9], lambda _: b"text"]
)
def test_a_damaged_file(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = plain(tmp_path / "m.onnx", metadata=described(PLAIN))
    load(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match="cannot be read"):
        load(path)


@pytest.mark.parametrize(
    ("key", "change", "words"),
    [
        ("info", lambda text: text[:-3], "does not understand"),
        ("info", lambda text: text.replace('"height": 2', '"height": 64'), "its height is 2, described as 64"),
        ("info", lambda text: json.dumps({**json.loads(text), "spec": {}}), "does not understand"),
        ("limner", lambda text: "999", "format 999.*update limner"),
    ],
)
def test_a_damaged_description(tmp_path: Path, key: str, change: Callable[[str], str], words: str) -> None:
    metadata = described(PLAIN)
    with pytest.raises(UserError, match=words):
        load(plain(tmp_path / "m.onnx", metadata={**metadata, key: change(metadata[key])}))


def test_another_device_is_said_to_be_left_idle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = load(plain(tmp_path / "m.onnx"), "cuda")
    assert pipe.device == "cpu" and len(pipe.generate(count=2)) == 2
    assert "computed by the CPU, not by cuda" in capsys.readouterr().err
    load(tmp_path / "m.onnx")
    assert not capsys.readouterr().err


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        load(tmp_path / "m.onnx")

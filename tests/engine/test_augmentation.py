"""Few pictures: what D is shown is varied inside its call, chosen by their number, exact over a resume."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import tiny
from limner.commands.train import train
from limner.core.contract import Spec
from limner.core.errors import UserError
from limner.core.runs import Run
from limner.data.aside import count_aside
from limner.engine.augmentation import Augmentation, choose
from limner.engine.health import OVERFIT, Health
from limner.methods import METHODS

DREAMS = [preset for preset in tiny.PRESETS if not tiny.translates(preset)]
IMAGES = 20 * tiny.BATCH
D = {"D": torch.nn.Identity()}


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 240 grey pictures of 16 px in two classes: bright and dark ones."""
    folder = tmp_path_factory.mktemp("classes")
    draw = np.random.default_rng(1)
    for name, low in (("dark", 0), ("light", 128)):
        (folder / name).mkdir()
        for i in range(120):
            noise = draw.integers(low, low + 128, (16, 16), dtype=np.uint8)
            Image.fromarray(noise).save(folder / name / f"{i:03}.png")
    return folder


@pytest.mark.parametrize(
    ("count", "total", "kind"),
    [
        (999, 100_000, "diff"),
        (1_000, 100_000, "adaptive"),
        (4_999, 100_000, "adaptive"),
        (5_000, 110_000, "none"),  # the demo
        (60_000, 3_000_000, "none"),  # MNIST
        (300, 2_999, "none"),  # each picture is met ten times at the most
    ],
)
def test_auto_goes_by_the_number_of_pictures(count: int, total: int, kind: str) -> None:
    found = choose("auto", D, True, count, total)
    assert found.kind == kind and found.reason
    assert choose("auto", D, False, count, total).kind == "none"
    assert choose("auto", {}, True, count, total).kind == "none"
    asked = choose("adaptive", D, True, count, total)
    assert (asked.kind, asked.reason) == ("adaptive", "as asked for")
    before = {"resolved": {"augment": {"kind": "diff", "reason": "it began so"}}}
    assert choose("auto", D, True, count, total, before).kind == "diff"


def test_translators_have_their_own(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--augment diff varies .* --d-augment"):
        train(tiny.command("pix2pix", pictures, tmp_path / "run", augment="diff"))
    with pytest.raises(UserError, match="--hold-out is for pictures made from noise"):
        train(tiny.command("cyclegan", pictures, tmp_path / "run", hold_out=4))


class Judge(torch.nn.Module):
    """Returns what it is given."""

    def forward(self, x: torch.Tensor, label: Any = None) -> torch.Tensor:
        return x


@pytest.mark.parametrize("kind", ["diff", "adaptive"])
def test_gradients_of_both_orders_reach_the_pictures_as_they_were(kind: Any) -> None:
    judge = Judge()
    augmentation = Augmentation(kind, judge, 8, "cpu")
    augmentation.p.fill_(0.8)
    pictures = torch.rand(8, 3, 16, 16).requires_grad_()
    shown = judge(pictures, None)
    assert not torch.allclose(shown, pictures, atol=0.1)
    (gradient,) = torch.autograd.grad(shown.square().sum(), pictures, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum(), pictures)
    assert gradient.abs().sum() > 0 and second.abs().sum() > 0
    assert not judge.state_dict()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert judge(pictures.bfloat16()).dtype == torch.float32, "pixels keep their precision"


def test_reals_and_fakes_are_varied_alike() -> None:
    """The same picture as real and as fake is shown in the same distribution, and never twice the same."""
    judge = Judge()
    augmentation = Augmentation("adaptive", judge, 8, "cpu")
    augmentation.p.fill_(0.5)
    one = torch.rand(1, 3, 8, 8).expand(6000, 3, 8, 8)
    first, second = judge(one), judge(one)
    assert not torch.equal(first, second)
    torch.testing.assert_close(first.mean(0), second.mean(0), atol=0.05, rtol=0)
    torch.testing.assert_close(first.std(0), second.std(0), atol=0.05, rtol=0)


def test_p_follows_the_sign_of_d_on_reals() -> None:
    batch = 5_000  # 4 steps are 20,000 images: p moves by 0.04
    augmentation = Augmentation("adaptive", Judge(), batch, "cpu")

    def steps(count: int, accuracy: float | None) -> float:
        scalars = {} if accuracy is None else {"accuracy/real": torch.tensor(accuracy)}
        return [augmentation.adapt(scalars)["augment/p"].item() for _ in range(count)][-1]

    assert steps(3, 0.9) == 0.0
    assert steps(1, 0.9) == pytest.approx(0.04)
    assert steps(400, 0.81) == pytest.approx(0.8), "never so far that it leaks into what is generated"
    assert steps(4, 0.79) == pytest.approx(0.76)
    assert steps(8, None) == pytest.approx(0.76), "no sign, no move"
    assert steps(400, 0.5) == 0.0
    untold = Augmentation("adaptive", Judge(), batch, "cpu")
    for _ in range(200):
        untold.adapt({"loss/D": torch.tensor(1.0)})
    assert untold.p.item() == pytest.approx(0.3)


@pytest.mark.parametrize("preset", DREAMS)
@pytest.mark.parametrize("kind", ["diff", "adaptive"])
def test_every_method_trains_with_it(preset: str, kind: str, classes: Path, tmp_path: Path) -> None:
    """D sees varied pictures in every call, and no name in the checkpoint tells."""
    plain, varied = (
        tiny.command(preset, classes, tmp_path / name, 4 * tiny.BATCH, augment=name, frames=1)
        for name in ("none", kind)
    )
    train(plain)
    train(varied)
    states = [tiny.fingerprint(command.out)["state"] for command in (plain, varied)]
    assert states[0]["nets"]["D"].keys() == states[1]["nets"]["D"].keys()
    assert states[0].keys() == states[1].keys()
    if kind == "diff":  # p has not risen yet
        assert tiny.differences(states[0]["nets"]["D"], states[1]["nets"]["D"])


def test_killed_adaptive_run_equals_straight_run(
    classes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill_at: Any
) -> None:
    """Killed between two moves of p, so that what D said since the last one counts."""
    monkeypatch.setattr(Augmentation, "SPEED", 2_000)  # p rises within the test

    def command(name: str) -> Any:
        options = {"augment": "adaptive", "save_every": 3 * tiny.BATCH, "lr_d": 5e-3}
        return tiny.command("dcgan", classes, tmp_path / name, IMAGES, **options)

    straight, broken = command("straight"), command("broken")
    train(straight)
    kill_at(11)
    with pytest.raises(tiny.Killed):
        train(broken)
    kill_at(-1)
    train(broken)
    found = tiny.fingerprint(straight.out)
    assert not tiny.differences(found, tiny.fingerprint(broken.out))
    assert found["state"]["extras"][0]["augmentation"]["p"] > 0
    assert max(line["augment/p"] for line in found["metrics"]) > 0


def test_auto_is_printed_recorded_and_repeated(
    classes: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tiny.command("dcgan", classes, tmp_path / "run", 2280, augment="auto", batch=40, filters=2, size=16)
    train(dataclasses.replace(command, show="auto"))
    words = capfd.readouterr().err
    assert "12 of them are held out" in words
    assert "diff (228 pictures, gone through 10 times, would be known by heart)" in words
    resolved = json.loads(Run(command.out).config_file.read_text())["resolved"]
    assert resolved["augment"]["kind"] == "diff" and resolved["data"]["held_out"] == 12
    lines = [line for line in Run(command.out).metrics() if line["kind"] == "held-out"]
    assert len(lines) > 20 and all(abs(line["overfitting/gap"]) <= 2 for line in lines)
    monkeypatch.setattr("limner.engine.augmentation.FEW", 1)  # another version decides otherwise
    train(dataclasses.replace(command, show="auto"))
    assert "is finished" in capfd.readouterr().err
    assert json.loads(Run(command.out).config_file.read_text())["resolved"]["augment"]["kind"] == "diff"


def test_how_many_are_kept_aside() -> None:
    assert [count_aside(n, None) for n in (24, 199, 200, 300, 4_999, 5_000, 60_000)] == [0, 0, 10, 15, 250, 0, 0]
    assert count_aside(300, 0) == 0 and count_aside(60_000, 500) == 500
    with pytest.raises(UserError, match=r"--hold-out 200: of 300 pictures"):
        count_aside(300, 200)


def test_health_says_when_d_overfits() -> None:
    health = Health(np.random.default_rng(0).integers(0, 256, (8, 1, 4, 4), dtype=np.uint8))
    assert [bool(health.see_gap(gap)) for gap in (0.6, 0.7, 0.1, 0.6, 0.6)] == [False] * 5
    assert health.see_gap(0.6) == [OVERFIT]
    assert health.see_gap(0.9) == []
    again = Health(np.random.default_rng(0).integers(0, 256, (8, 1, 4, 4), dtype=np.uint8))
    again.load_state_dict(health.state_dict())
    assert again.see_gap(0.9) == []


@pytest.mark.parametrize("different", [40, 4])
def test_a_discriminator_that_learns_by_heart_is_found_out(different: int, tmp_path: Path) -> None:
    """Noise has nothing to learn but the pictures themselves; where the held-out ones are copies, there is no gap."""
    folder = tmp_path / "noise"
    folder.mkdir()
    noise = np.random.default_rng(2).integers(0, 256, (different, 16, 16), dtype=np.uint8)
    for i in range(40):
        Image.fromarray(noise[i % different]).save(folder / f"{i:02}.png")
    options = {"hold_out": 10, "filters": 32, "lr_d": 1e-3, "frames": 1, "ema": 0}
    command = tiny.command("dcgan", folder, tmp_path / "run", 1_600, size=16, **options)
    train(command)
    lines = list(Run(command.out).metrics())
    gap = np.median([line["overfitting/gap"] for line in lines if line["kind"] == "held-out"])
    assert gap > 0.4 if different == 40 else abs(gap) < 0.2
    assert (OVERFIT.word in [line.get("word") for line in lines]) == (different == 40)


@pytest.mark.parametrize("preset", DREAMS)
def test_every_discriminator_is_called_d(preset: str) -> None:
    config = tiny.config(preset, "digits")
    spec = Spec(3, tiny.SIZE, tiny.SIZE, ("a", "b"))
    assert "D" in METHODS.load(config.method)(config.settings, spec).nets

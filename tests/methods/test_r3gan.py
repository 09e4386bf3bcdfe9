"""What R3GAN promises beside what every method does: penalties that are felt, schedules, spoken choices, labels."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

import tiny
from limner import presets
from limner.commands.train import suited, train
from limner.core.clock import Clock
from limner.core.config import EngineConfig
from limner.core.contract import ParamGroup, Spec
from limner.core.errors import UserError
from limner.core.schedule import Schedule, constant
from limner.engine.update import Updater
from limner.inference import load
from limner.losses.penalties import gradient_penalty
from limner.methods import build
from limner.methods.r3gan import R3GAN, usual_gamma
from limner.presets.r3gan import R3GANSettings

SMALL = R3GANSettings(latent=8, filters=8, widest=8)


def start(spec: Spec = Spec(1, 8, 8), **changes: Any) -> R3GAN:  # noqa: B008
    method = build("r3gan", R3GANSettings(**{**vars(SMALL), **changes}), spec, seed=1)
    assert isinstance(method, R3GAN)
    return method


def losses(method: R3GAN, images: int = 0, **batch: Tensor) -> dict[str, Tensor]:
    asked: dict[str, Tensor] = {}
    torch.manual_seed(0)
    pictures = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(2)) * 2 - 1
    method.step({"image": pictures, **batch}, lambda **given: asked.update(given), Clock(100, images))
    return asked


def test_both_penalties_are_felt_and_fade() -> None:
    """gamma / 2 of R1 and of R2, --gamma-end of it at the end, by --gamma-curve; the gradient of each reaches D."""
    free, held, longer = start(gamma=0.0), start(gamma=8.0), start(gamma=8.0, gamma_end=0.5)
    steady = start(gamma=8.0, gamma_end=0.01, gamma_curve="geometric")
    torch.manual_seed(0)
    pictures = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(2)) * 2 - 1
    seen = held.step({"image": pictures}, lambda **given: None, Clock(100))
    both = seen["penalty/R1"] + seen["penalty/R2"]
    assert seen["penalty/R1"] > 0 and seen["penalty/R2"] > 0
    for images, weight in ((0, 4.0), (50, 4.0 * 0.55), (100, 0.4)):
        more = losses(held, images)["D"] - losses(free, images)["D"]
        torch.testing.assert_close(more, weight * both)
    torch.testing.assert_close(losses(longer, 100)["D"] - losses(free, 100)["D"], 2.0 * both)
    torch.testing.assert_close(losses(steady, 50)["D"] - losses(free, 50)["D"], 0.4 * both)
    kernel = held.nets["D"].from_picture[1].weight
    plain, penalised = (
        torch.autograd.grad(losses(m)["D"], m.nets["D"].from_picture[1].weight)[0] for m in (free, held)
    )
    assert kernel.shape == plain.shape and not torch.allclose(plain, penalised)


def test_penalties_on_one_step_in_four_weigh_four_times_as_much() -> None:
    """Over a cycle they come to what they are on every step, also from a state taken in its middle."""
    always, seldom = start(gamma=8.0), start(gamma=8.0, penalty_every=4)
    free = losses(start(gamma=0.0))["D"]
    shares = [(losses(seldom)["D"] - free) / (losses(always)["D"] - free) for _ in range(6)]
    torch.testing.assert_close(torch.stack(shares), torch.tensor([4.0, 0.0, 0.0, 0.0, 4.0, 0.0]))
    later = start(gamma=8.0, penalty_every=4)
    later.turns.load_state_dict(seldom.turns.state_dict())
    assert [bool(losses(later)["D"] != free) for _ in range(3)] == [False, False, True]


def test_the_generator_meets_other_pairs_than_the_discriminator() -> None:
    method = start()
    shown: list[Tensor] = []
    method.nets["D"].register_forward_pre_hook(lambda _, given: shown.append(given[0].detach().clone()))
    losses(method)
    real, fake, other_real, other_fake = shown
    assert not torch.equal(real, other_real)
    assert {tuple(row.tolist()) for row in real.flatten(1)} == {tuple(row.tolist()) for row in other_real.flatten(1)}
    assert not any(torch.equal(one, other) for one in fake for other in other_fake), "fakes are new"


def test_schedules_of_the_paper() -> None:
    method = start(lr_g=2e-4, lr_d=2e-4)
    for group in method.groups.values():
        assert isinstance(group.betas[1], Schedule)
        assert [group.lr(p) for p in (0.0, 0.5, 1.0)] == pytest.approx([2e-4, 1.25e-4, 5e-5])
        assert [group.betas[1](p) for p in (0.0, 0.5, 1.0)] == pytest.approx([0.9, 0.945, 0.99])
        assert group.betas[0] == 0.0


def test_second_momentum_follows_the_clock() -> None:
    net, clock = torch.nn.Linear(1, 1), Clock(100)
    group = ParamGroup(("D",), constant(0.1), betas=(0.0, Schedule(0.9, 0.99)))
    update = Updater({"D": group}, {"D": net}, clock, fused=False)
    found = []
    for _ in range(3):
        update(D=net(torch.ones(1, 1)).sum())
        found.append(update.optimizers["D"].param_groups[0]["betas"])
        clock.advance(50)
    assert found == [(0.0, 0.9), (0.0, pytest.approx(0.945)), (0.0, 0.99)]


def test_gamma_lies_between_the_papers() -> None:
    assert [usual_gamma(side, side) for side in (32, 64, 256)] == pytest.approx([0.05, 2.0, 150.0])
    assert usual_gamma(128, 128) == pytest.approx((2.0 * 150.0) ** 0.5)
    assert usual_gamma(16, 16) == pytest.approx(0.05 / 4) and usual_gamma(512, 512) == pytest.approx(600)
    assert usual_gamma(32, 128) == pytest.approx(2.0)


def test_it_says_what_it_chose_and_why() -> None:
    auto = build("r3gan", presets.get("r3gan").settings, Spec(3, 64, 64, ("a", "b")))
    assert isinstance(auto, R3GAN)
    widths, gamma, labels = auto.words
    assert widths.startswith("256, 256, 256, 256, 128 filters from 4x4 up") and "as in the paper" in widths
    assert "gamma 2, falling to 0.2" in gamma and "--gamma 8" in gamma
    assert "2 classes" in labels and "--no-labels" in labels
    widths, gamma = start(gamma=3.0).words
    assert "as --filters says" in widths and "as --gamma says" in gamma


@pytest.mark.parametrize(("size", "message"), [((30, 30), "try that --size"), ((2048, 2048), "up to 1024 px")])
def test_other_sizes_are_refused(size: tuple[int, int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build("r3gan", SMALL, Spec(3, *size))


def test_labels_go_with_their_pictures() -> None:
    method = start(Spec(1, 8, 8, ("a", "b", "c")))
    assert method.conditional
    seen: list[tuple[Tensor, Tensor]] = []
    method.nets["D"].register_forward_pre_hook(lambda _, given: seen.append((given[0].detach().clone(), given[1])))
    losses(method, label=torch.tensor([0, 1, 2, 0, 1, 2]))
    known = {tuple(picture.flatten().tolist()): int(label) for picture, label in zip(*seen[0], strict=True)}
    for picture, label in zip(*seen[2], strict=True):
        assert known[tuple(picture.flatten().tolist())] == int(label)
    assert torch.equal(seen[2][1], seen[3][1]), "a fake is paired with a real of its class"
    assert not start(Spec(1, 8, 8, ("a", "b")), labels=False).conditional


def test_a_labelled_run_resumes_exactly_and_generates_by_label(tmp_path: Path, pictures: Path) -> None:
    folder = tmp_path / "data"
    for i, path in enumerate(sorted(pictures.glob("*.png"))):
        (folder / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / "ab"[i % 2] / path.name)
    straight = tiny.command("r3gan-tiny", folder, tmp_path / "straight", 24, save_every=8, frames=1)
    train(straight)
    broken = tiny.command("r3gan-tiny", folder, tmp_path / "broken", 24, save_every=8, frames=1)
    train(broken)
    for path in sorted((broken.out / "checkpoints").glob("*.pt"))[1:]:
        path.unlink()  # as if killed before it was written
    train(broken)
    assert not tiny.differences(tiny.fingerprint(straight.out), tiny.fingerprint(broken.out))
    model = load(broken.out)
    made = model.generate([1, 1], ["a", "b"])
    assert (made.array[0] != made.array[1]).any()
    with pytest.raises(UserError, match="unknown label 'c'"):
        model.generate([1], ["c"])


@pytest.mark.filterwarnings("ignore")  # PyTorch's compiler warns of PyTorch
def test_compiled_networks_learn_the_same() -> None:
    """What torch.compile makes cannot be differentiated twice: the penalties must not notice it."""
    plain, compiled = start(gamma=4.0), start(gamma=4.0)
    compiled.nets["D"].compile(backend="aot_eager", dynamic=False)
    with pytest.raises(RuntimeError, match="double backward"):
        x = torch.rand(6, 1, 8, 8).requires_grad_()
        gradient_penalty(compiled.nets["D"](x, None), x).backward()
    for name, loss in losses(plain).items():
        torch.testing.assert_close(losses(compiled)[name], loss)


def test_half_precision_leaves_the_losses() -> None:
    method = start(gamma=4.0)
    exact = losses(method)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = losses(method)
    for name, loss in exact.items():
        assert half[name].item() == pytest.approx(loss.item(), rel=0.05)
        with torch.autocast("cpu", enabled=False):  # as the engine does it
            half[name].backward(inputs=list(method.nets[name].parameters()))
        assert all(
            weight.grad is not None and weight.grad.isfinite().all() for weight in method.nets[name].parameters()
        )


def test_digits_of_28_pixels(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for i in range(8):
        Image.new("L", (28, 28), 30 * i).save(folder / f"{i}.png")
    command = tiny.command("r3gan-tiny", folder, tmp_path / "run", 16, size=28, frames=1)
    train(command)
    assert load(command.out).generate(count=2).array.shape == (2, 28, 28, 1)


def test_the_machine_chooses_the_widths_once(
    tmp_path: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A CPU's widths are recorded in the run and in the model, with a reason; a resume does not choose again."""
    assert R3GAN.suited(R3GANSettings(), "cuda").widest == 256
    assert R3GAN.suited(R3GANSettings(widest=40), "cpu").widest == 40
    command = tiny.command("r3gan", pictures, tmp_path / "run", images=16, widest=None)
    config = dataclasses.replace(command.config, ema=None, batch=4, engine=EngineConfig(device="cpu", threads=1))
    command = dataclasses.replace(command, config=config, show="auto")
    run = train(command)
    said = " ".join("".join(capsys.readouterr()).split())
    assert "half-life of 1,250 images: 10,000 for every 32" in said
    assert "(a CPU's share" in start(filters=None, widest=128).words[0]
    assert run.read_config()["resolved"]["settings"]["widest"] == 128
    assert run.read_config()["config"]["settings"]["widest"] is None
    info = load(run.folder).info
    assert info is not None and info.settings["widest"] == 128 and info.ema == 1250
    was = run.read_config()
    was["resolved"]["settings"]["widest"] = 8  # as if the run had begun elsewhere
    before = suited(command.config, "cpu", was)
    assert before.settings.widest == 8 and before.ema == 1250

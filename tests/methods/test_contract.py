"""What every method promises, tested over the registry; and what DCGAN promises beside it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import tiny
from limner.commands.train import train
from limner.core.clock import Clock
from limner.core.config import TrainConfig
from limner.core.contract import Method, Spec
from limner.core.errors import UserError
from limner.inference import load
from limner.losses.adversarial import LOSSES, accuracies
from limner.methods import METHODS, build
from limner.methods.turns import Turns
from limner.nets.dcgan import ladder
from limner.presets.dcgan import DCGANSettings

METHOD_PRESETS = [(preset, tiny.config(preset, "digits")) for preset in tiny.PRESETS]


@pytest.fixture(params=METHOD_PRESETS, ids=lambda pair: pair[0])
def method(request: pytest.FixtureRequest) -> Method:
    _, config = request.param
    return build(config.method, config.settings, spec_of(config), seed=1)


def spec_of(config: TrainConfig) -> Spec:
    translates = METHODS.load(config.method).translates
    return Spec(3, tiny.SIZE, tiny.SIZE, tiny.classes(config.preset), channels_in=3 if translates else 0)


def test_every_method_has_a_preset() -> None:
    assert {config.method for _, config in METHOD_PRESETS} == set(METHODS.entries)


def test_every_parameter_belongs_to_exactly_one_group(method: Method) -> None:
    owned = [name for group in method.groups.values() for name in group.nets]
    assert sorted(owned) == sorted(method.nets)


def test_same_seed_same_weights(method: Method, request: pytest.FixtureRequest) -> None:
    _, config = request.node.callspec.params["method"]
    before = torch.random.get_rng_state()
    twin = build(config.method, config.settings, spec_of(config), seed=1)
    other = build(config.method, config.settings, spec_of(config), seed=2)
    assert torch.equal(before, torch.random.get_rng_state()), "building a method moved the global generator"
    for name, net in method.nets.items():
        a, b, c = (
            torch.cat([part.flatten() for part in n.parameters()]) for n in (net, twin.nets[name], other.nets[name])
        )
        assert torch.equal(a, b) and not torch.equal(a, c)


def test_infer_gives_pictures_in_range(method: Method) -> None:
    nets = {name: method.nets[name].eval() for name in method.portable}
    inputs = (
        {"z": torch.randn(3, method.latent)} if method.latent else {"image": torch.zeros(3, 3, tiny.SIZE, tiny.SIZE)}
    )
    if method.conditional:
        inputs["label"] = torch.tensor([0, 1, 0])
    with torch.no_grad():
        pictures = method.infer(nets, inputs)
    assert pictures.shape == (3, 3, tiny.SIZE, tiny.SIZE)
    assert pictures.abs().max() <= 1


def test_step_returns_plain_scalars(method: Method) -> None:
    asked: list[str] = []

    def update(**losses: torch.Tensor) -> None:
        asked.extend(losses)

    names = ("A", "B") if method.translates else ("image",)
    batch = {name: torch.rand(4, 3, tiny.SIZE, tiny.SIZE) * 2 - 1 for name in names}
    if method.conditional:
        batch["label"] = torch.tensor([0, 1, 1, 0])
    scalars: dict[str, torch.Tensor] = {}
    for moment in range(6):  # a method may let one side wait for its turn
        scalars |= method.step(batch, update, Clock(6, moment))
    assert set(asked) == set(method.groups)
    assert all(value.dim() == 0 and value.isfinite() for value in scalars.values())
    for side in "DG":
        assert any(name.startswith(f"loss/{side}") for name in scalars)


def test_no_method_is_built_on_another() -> None:
    for name in METHODS.entries:
        assert METHODS.load(name).__mro__[1] is Method


@pytest.mark.parametrize("height", [4, 8, 12, 28, 60, 100, 256, 512])
@pytest.mark.parametrize("width", [4, 20, 64, 100, 512])
def test_any_height_and_width(height: int, width: int) -> None:
    channels = (1, 3, 4)[(height + width) // 4 % 3]
    method = build("dcgan", DCGANSettings(filters=2), Spec(channels, height, width))
    made = method.infer(method.nets, {"z": torch.randn(2, 100)})
    assert made.shape == (2, channels, height, width)
    assert method.nets["D"](made).shape == (2,)


@pytest.mark.parametrize("size", [(30, 32), (516, 512), (0, 4), (6, 6)])
def test_other_sizes_are_refused_with_the_nearest(size: tuple[int, int]) -> None:
    with pytest.raises(UserError, match=r"multiples of 4 from 4 to 512.*try --size"):
        build("dcgan", DCGANSettings(), Spec(3, *size))


def test_parameter_counts() -> None:
    """The public 64 px example's G (3,576,704) and D (2,765,568), plus biases at the ends and the reports' digits."""
    paper = build("dcgan", DCGANSettings(), Spec(3, 64, 64))
    assert _count(paper, "G") == 3_576_704 + 3
    assert _count(paper, "D") == 2_765_568 + 64 + 1
    digits = dataclasses.replace(tiny.presets.get("dcgan-digits").settings, latent=100, clusters=0)
    report = build("dcgan", digits, Spec(1, 28, 28))
    assert _count(report, "G") == 100 * 6272 + 2 * 128 + 25 * 128 * 64 + 2 * 64 + 25 * 64 + 1
    assert _count(report, "D") == 25 * 64 + 64 + 25 * 64 * 128 + 2 * 128 + 6272 + 1


def test_faces_of_the_report() -> None:
    faces = tiny.presets.get("dcgan-faces").settings
    plan = ladder(256, 256, 0, faces.kernel, faces.widths, faces.strides)
    assert plan.shapes == ((8, 8), (16, 16), (32, 32), (64, 64), (128, 128), (256, 256), (256, 256))
    reduced = tiny.presets.get("dcgan-faces-reduced").settings
    assert len(reduced.widths) == len(faces.widths) // 2
    assert ladder(256, 256, 0, reduced.kernel, reduced.widths, reduced.strides).shapes[0] == (8, 8)


def test_simultaneous_takes_both_losses_from_one_pass() -> None:
    calls: list[dict[str, Any]] = []
    method = build("dcgan", DCGANSettings(filters=2, update="simultaneous"), Spec(1, 8, 8))
    method.step({"image": torch.zeros(4, 1, 8, 8)}, lambda **losses: calls.append(losses), Clock(1))
    assert [sorted(call) for call in calls] == [["D", "G"]]


def test_turns_follow_the_ratio() -> None:
    for ratio, expected in ((1.0, (60, 60)), (5.0, (60, 12)), (0.5, (30, 60)), (1.5, (60, 40))):
        turns = Turns()
        acted = [turns.take(ratio) for _ in range(60)]
        assert (sum(d for d, _ in acted), sum(g for _, g in acted)) == expected
    eased = Turns()
    eased.take(4.0)
    other = Turns()
    other.load_state_dict(eased.state_dict())
    assert [eased.take(4.0) for _ in range(7)] == [other.take(4.0) for _ in range(7)]


def test_ratio_eases_over_the_first_half() -> None:
    settings = DCGANSettings(filters=2, d_per_g=1.0, d_per_g_start=0.25)
    method = build("dcgan", settings, Spec(1, 8, 8))
    acted = []
    clock = Clock(800)
    while not clock.done:
        asked: list[str] = []
        method.step({"image": torch.zeros(8, 1, 8, 8)}, lambda asked=asked, **losses: asked.extend(losses), clock)
        acted.append("D" in asked)
        clock.advance(8)
    assert sum(acted[:12]) < 8 and all(acted[50:])


def test_losses_at_known_points() -> None:
    zero, one = torch.zeros(4), torch.ones(4)
    log2 = torch.log(torch.tensor(2.0)).item()
    expected = {
        "bce": (2 * log2, log2),
        "least-squares": (0.5, 0.5),
        "hinge": (2.0, 0.0),
        "wasserstein": (0.0, 0.0),
        "relativistic": (log2, log2),
    }
    for name, loss in LOSSES.items():
        assert (loss.d(zero, zero).item(), loss.g(zero, zero).item()) == pytest.approx(expected[name])
        assert loss.d(one, -one) < loss.d(-one, one), f"{name}: telling apart must cost less"
        assert loss.g(one, zero) < loss.g(-one, zero), f"{name}: fooling must cost less"
    with pytest.raises(ValueError, match="needs the logits of reals"):
        LOSSES["relativistic"].g(zero, None)


def test_accuracies() -> None:
    real, fake = torch.tensor([2.0, -1.0]), torch.tensor([-3.0, -1.0])
    assert [v.item() for v in accuracies(real, fake, 0.0).values()] == [0.5, 1.0]
    assert [v.item() for v in accuracies(real, fake, None).values()] == [0.5, 0.5]


@pytest.mark.parametrize(("loss", "update"), [*((loss, "alternating") for loss in LOSSES), ("bce", "simultaneous")])
def test_every_loss_and_update_learns_discs(loss: str, update: str, pictures: Path, tmp_path: Path) -> None:
    """A few hundred steps must bring the mean picture near the data's; the untrained net's is far away."""
    command = tiny.command(
        "dcgan", pictures, tmp_path / "run", 2400, size=16, loss=loss, update=update, lr_g=1e-3, lr_d=5e-4, frames=2
    )
    train(command)
    real = np.stack([np.asarray(Image.open(p).resize((16, 16))) for p in pictures.glob("*.png")]).mean(0)
    made = load(command.out).generate(count=64).array.mean(0)
    assert np.abs(made - real).mean() < 0.5 * np.abs(127.5 - real).mean()


def _count(method: Method, net: str) -> int:
    return sum(parameter.numel() for parameter in method.nets[net].parameters())

"""What every method that translates promises, tested over the presets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import tiny
from limner import presets
from limner.commands.train import train
from limner.core.clock import Clock
from limner.core.contract import Method, Spec
from limner.core.errors import UserError
from limner.methods import build
from limner.methods.discogan import Rounds
from limner.presets.cut import CUTSettings
from limner.presets.cyclegan import CycleGANSettings
from limner.presets.discogan import DiscoGANSettings
from limner.presets.pix2pix import Pix2PixSettings
from limner.presets.translation import TranslationSettings

TRANSLATORS = [name for name in tiny.PRESETS if isinstance(presets.get(name).settings, TranslationSettings)]
SIZE = tiny.SIZE


def spec(channels_in: int = 3, channels: int = 3, size: int = SIZE) -> Spec:
    return Spec(channels, size, size, channels_in=channels_in)


def batch(channels_in: int = 3, channels: int = 3, count: int = 2, size: int = SIZE) -> dict[str, torch.Tensor]:
    return {side: torch.rand(count, wide, size, size) * 2 - 1 for side, wide in (("A", channels_in), ("B", channels))}


def steps(method: Method, count: int, some: dict[str, torch.Tensor]) -> tuple[list[list[str]], dict[str, Any]]:
    """Take steps that change no weight; return the groups that each updated, and all scalars."""
    asked: list[list[str]] = []
    scalars: dict[str, Any] = {}
    for _ in range(count):
        asked.append([])
        scalars |= method.step(some, lambda **losses: asked[-1].extend(losses), Clock(100))
    return asked, scalars


@pytest.fixture(params=TRANSLATORS)
def method(request: pytest.FixtureRequest) -> Method:
    config = tiny.config(request.param, "pairs")
    return build(config.method, config.settings, spec(), seed=1)


def test_there_are_the_presets_of_the_issue() -> None:
    pairs = {"pix2pix", "pix2pix-paper", "pix2pix-maps", "mugshot", "pix2pix-plus"}
    assert set(TRANSLATORS) == pairs | {"cyclegan", "cyclegan-sketch", "discogan", "cut", "fastcut"}


def test_every_parameter_is_trained_once(method: Method) -> None:
    trained = [id(p) for group in method.groups.values() for name in group.nets for p in method.nets[name].parameters()]
    assert len(trained) == len(set(trained))
    assert set(trained) == {id(p) for net in method.nets.values() for p in net.parameters()}
    assert set(method.portable) <= set(method.nets)


def test_steps_train_every_group_and_say_how(method: Method) -> None:
    asked, scalars = steps(method, 3, batch())
    assert {group for step in asked for group in step} == set(method.groups)
    assert all(value.dim() == 0 and value.isfinite() for value in scalars.values())
    assert {"accuracy/real", "accuracy/fake"} <= scalars.keys()
    names = {"loss/D", "loss/G"} if "G" in method.nets else {"loss/G_AB", "loss/G_BA", "loss/D_A", "loss/D_B"}
    assert names | ({"loss/cycle_A", "loss/cycle_B"} if "G_AB" in method.nets else set()) <= scalars.keys()


def test_every_parameter_gets_a_gradient(method: Method) -> None:
    seen: set[int] = set()

    def update(**losses: torch.Tensor) -> None:
        for group, loss in losses.items():
            owned = [p for name in method.groups[group].nets for p in method.nets[name].parameters()]
            gradients = torch.autograd.grad(loss, owned, allow_unused=True, retain_graph=True)
            seen.update(id(p) for p, gradient in zip(owned, gradients, strict=True) if gradient is not None)

    for _ in range(2):
        method.step(batch(), update, Clock(100))
    silent = [
        f"{name}.{p}" for name, net in method.nets.items() for p, v in net.named_parameters() if id(v) not in seen
    ]
    assert not silent


@pytest.mark.parametrize("size", [(SIZE, SIZE), (52, 44)])
def test_translation_of_any_size_is_deterministic(method: Method, size: tuple[int, int]) -> None:
    if not method.any_size and size != (SIZE, SIZE):
        assert method.nets["G"].code is not None
        return
    nets = {name: method.nets[name].eval() for name in method.portable}
    pictures = torch.rand(2, 3, *size) * 2 - 1
    with torch.no_grad():
        made = method.infer(nets, {"image": pictures})
        assert made.shape == pictures.shape and made.abs().max() <= 1
        assert torch.equal(made, method.infer(nets, {"image": pictures}))
        if method.both_ways:
            back = method.infer_back(nets, {"image": made})
            assert back.shape == pictures.shape and not torch.equal(back, method.infer(nets, {"image": made}))


@pytest.mark.parametrize("preset", [name for name in TRANSLATORS if "cut" not in name])
@pytest.mark.parametrize("channels", [(1, 3), (4, 1)])
def test_sides_may_differ_in_channels(preset: str, channels: tuple[int, int]) -> None:
    config = tiny.config(preset, "pairs")
    settings = config.settings
    if preset == "cyclegan-sketch":
        assert settings.identity == 0
    method = build(config.method, settings, spec(*channels))
    assert "loss/identity" not in steps(method, 2, batch(*channels))[1]
    nets = {name: net.eval() for name, net in method.nets.items()}
    made = method.infer(nets, {"image": torch.zeros(2, channels[0], SIZE, SIZE)})
    assert made.shape == (2, channels[1], SIZE, SIZE)
    if method.both_ways:
        assert method.infer_back(nets, {"image": made}).shape == (2, channels[0], SIZE, SIZE)


def test_numbers_of_parameters() -> None:
    """To the digit: the reference's pix2pix with 8 levels, CycleGAN with 9 blocks, and their discriminators."""
    counts = {}
    with torch.device("meta"):
        for preset in TRANSLATORS:
            config = presets.get(preset)
            side = config.size.height
            method = build(config.method, config.settings, spec(size=side))
            counts[preset] = {name: sum(p.numel() for p in net.parameters()) for name, net in method.nets.items()}
    assert counts["pix2pix"] == counts["pix2pix-paper"] == {"G": 54_413_955, "D": 2_768_705}
    assert counts["mugshot"]["G"] == 54_413_955 + 5 * (512 * 512 + 512)
    assert counts["cyclegan"]["G_AB"] == counts["cyclegan"]["G_BA"] == counts["cut"]["G"] == 11_378_179
    assert counts["cyclegan"]["D_A"] == counts["cyclegan"]["D_B"] == counts["cut"]["D"] == 2_764_737
    heads = [width * 256 + 256 + 256 * 256 + 256 for width in (3, 128, 256, 256, 256)]
    assert counts["cut"]["F"] == counts["fastcut"]["F"] == sum(heads)


def test_patches_of_the_discriminators() -> None:
    """30x30 logits of 70x70 patches at 256 px; the maps report's 16x16."""
    for preset, side in (("pix2pix", 30), ("pix2pix-maps", 16), ("cyclegan", 30)):
        config = presets.get(preset)
        with torch.device("meta"):
            method = build(config.method, config.settings, spec(size=256))
            judge, channels = (method.nets["D"], 6) if "D" in method.nets else (method.nets["D_A"], 3)
            assert judge(torch.empty(2, channels, 256, 256)).shape == (2, 1, side, side)


def test_rates_fall_as_in_the_papers() -> None:
    def rates(preset: str) -> list[float]:
        config = tiny.config(preset, "pairs")
        method = build(config.method, config.settings, spec())
        assert all(group.betas == (0.5, 0.999) for group in method.groups.values())
        return [method.groups["G"].lr(progress) for progress in (0.0, 0.5, 0.75, 0.875, 1.0)]

    assert rates("pix2pix") == pytest.approx([2e-4, 2e-4, 1e-4, 5e-5, 0.0])
    assert rates("cut") == rates("cyclegan") == rates("pix2pix")
    assert rates("fastcut") == pytest.approx([2e-4, 2e-4, 2e-4, 1e-4, 0.0])
    assert rates("pix2pix-paper") == rates("discogan") == [2e-4] * 5


@pytest.mark.parametrize(("size", "levels"), [(256, 3), (128, 2), (64, 1), (32, 0)])
def test_dropout_where_the_reference_has_it(size: int, levels: int) -> None:
    with torch.device("meta"):
        net = build("pix2pix", Pix2PixSettings(), spec(size=size)).nets["G"]
        paper = build("pix2pix", Pix2PixSettings(dropout=(0, 1, 2)), spec(size=size)).nets["G"]
    places = [level for level, up in enumerate(net.up) if isinstance(up.dropout, nn.Dropout)]
    assert len(net.down) == size.bit_length() - 1 and places == [1, 2, 3][:levels]
    assert [level for level, up in enumerate(paper.up) if isinstance(up.dropout, nn.Dropout)] == [0, 1, 2][: levels + 1]


def test_large_pictures_recompute_their_activations() -> None:
    with torch.device("meta"):
        for name, settings, net, sides in (
            ("pix2pix", Pix2PixSettings(), "G", (256, 512)),
            ("cyclegan", CycleGANSettings(), "G_AB", (128, 256)),
            ("cut", CUTSettings(), "G", (128, 256)),
        ):
            assert [build(name, settings, spec(size=side)).nets[net].checkpoint for side in sides] == [False, True]


@pytest.mark.parametrize(
    ("name", "settings", "shape", "message"),
    [
        ("pix2pix", Pix2PixSettings(depth=6), (32, 32), "U-Net of 6 halvings.* 32 px.*2 to 5; left out it is 5"),
        ("pix2pix", Pix2PixSettings(), (16, 64), "16x64 are too small.*larger --size, fewer --d-layers"),
        ("pix2pix", Pix2PixSettings(d_kind="image"), (4, 4), "4x4 are too small.*'image'"),
        ("pix2pix", Pix2PixSettings(d_scales=3), (64, 64), "at 3 scales.*--d-scales"),
        ("pix2pix", Pix2PixSettings(d_kind="pixel"), (2, 2), "shorter side is 2 px: the least is --size 4"),
        ("cyclegan", CycleGANSettings(), (20, 20), "20x20 are too small"),
        ("discogan", DiscoGANSettings(), (4, 64), "4x64 px are too few.*larger --size"),
        ("discogan", DiscoGANSettings(d_every=1), (64, 64), "--d-every 1"),
        ("cut", CUTSettings(blocks=4), (32, 32), "--nce-layers and --blocks do not fit.*layers 0 to 15"),
    ],
)
def test_what_does_not_fit_is_said(name: str, settings: Any, shape: tuple[int, int], message: str) -> None:
    with pytest.raises(UserError, match=message), torch.device("meta"):
        build(name, settings, Spec(3, *shape, channels_in=3))


def test_what_needs_equal_channels_is_said() -> None:
    with pytest.raises(UserError, match=r"inputs have 1 channels and targets 3.*--channels-in"):
        build("cut", CUTSettings(filters=4), spec(1, 3))
    with pytest.raises(UserError, match=r"--identity.*inputs have 1 channels and targets 3"):
        build("cyclegan", CycleGANSettings(filters=4, identity=0.5), spec(1, 3))


def test_rounds_of_discogan_survive_a_resume() -> None:
    rounds = Rounds(3)
    first = [rounds.d_learns() for _ in range(4)]
    twin = Rounds(3)
    twin.load_state_dict(rounds.state_dict())
    assert first == [True, False, False, True]
    assert [twin.d_learns() for _ in range(6)] == [rounds.d_learns() for _ in range(6)]


def test_presets_load_no_torch() -> None:
    program = (
        f"import sys\nfrom limner import presets\nfor name in {TRANSLATORS}:\n    presets.get(name)\n"
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_discogan_refuses_a_batch_of_one_before_anything_is_written(pictures: Path, tmp_path: Path) -> None:
    command = tiny.command("discogan", pictures, tmp_path / "run", batch=1)
    with pytest.raises(UserError, match="cannot learn from batches of 1: take --batch 2 or more"):
        train(command)
    assert not (tmp_path / "run").exists()

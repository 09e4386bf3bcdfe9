"""HR-DCGAN is DCGAN with other layers: the report's, to the last parameter; and glasses; and R1 in both updates."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from limner import presets
from limner.cli import main
from limner.core.clock import Clock
from limner.core.contract import Method, Spec
from limner.engine.update import Updater
from limner.methods import build
from limner.nets.dcgan import Discriminator, ladder
from limner.presets.dcgan import DCGANSettings

HR: dict[str, Any] = {"activation": "selu", "stride_one": True}


def count(method: Method, net: str) -> int:
    return sum(parameter.numel() for parameter in method.nets[net].parameters())


def test_digits_of_the_report() -> None:
    """Dense 7*7*256, 4x4 layers of stride 1, 2 and 2; D the same backwards: 49 * 256 features at the end."""
    settings = dataclasses.replace(presets.get("hr-dcgan-digits").settings, latent=100)
    method = build("dcgan", settings, Spec(1, 28, 28))
    assert count(method, "G") == (
        100 * 7 * 7 * 256 + 2 * 256 + 16 * 256 * 128 + 2 * 128 + 16 * 128 * 64 + 2 * 64 + 16 * 64 + 1
    )
    assert count(method, "D") == (16 * 64 + 64 + 16 * 64 * 128 + 2 * 128 + 16 * 128 * 256 + 2 * 256 + 7 * 7 * 256 + 1)
    shapes = [tuple(layer.weight.shape[2:]) for layer in method.nets["G"].modules() if isinstance(layer, _CONVS)]
    assert shapes == [(4, 4)] * 3
    kinds = [type(layer).__name__ for layer in method.nets["G"].modules()]
    assert kinds.count("SELU") == kinds.count("BatchNorm2d") == 3 and "ReLU" not in kinds


def test_faces_of_the_report() -> None:
    settings = presets.get("hr-dcgan-faces").settings
    plan = ladder(256, 256, 0, settings.kernel, settings.widths, settings.strides, settings.stride_one)
    assert plan.widths == (512, 256, 128, 64, 32, 16, 8)
    assert plan.shapes[:2] == ((8, 8), (8, 8)) and plan.shapes[-2:] == ((256, 256), (256, 256))


@pytest.mark.parametrize("size", [(4, 4), (12, 28), (64, 100), (512, 20)])
@pytest.mark.parametrize("glasses", [1, 3])
def test_any_size_and_glasses(size: tuple[int, int], glasses: int) -> None:
    channels = (1, 3, 4)[sum(size) // 4 % 3]
    method = build("dcgan", DCGANSettings(filters=2, **HR, glasses=glasses), Spec(channels, *size))
    made = method.infer(method.nets, {"z": torch.randn(2, 100)})
    assert made.shape == (2, channels, *size) and made.abs().max() <= 1
    assert method.nets["D"](made).shape == (2,)


def test_the_layer_of_stride_one_is_one_more() -> None:
    plain, more = ladder(64, 64, 32), ladder(64, 64, 32, stride_one=True)
    assert more.strides == (1, *plain.strides) and more.widths == (256, *plain.widths)
    assert more.shapes == (plain.shapes[0], *plain.shapes)


def test_glasses_leave_the_filters_as_they_are() -> None:
    """The convolutions have the same weights; only the dense layers at the ends see more places."""
    one, two = (
        build("dcgan", DCGANSettings(widths=(8, 4, 4), **HR, glasses=glasses), Spec(1, 16, 16)) for glasses in (1, 2)
    )
    for net in "GD":
        kernels = [
            [layer.weight.shape for layer in method.nets[net].modules() if isinstance(layer, _CONVS)]
            for method in (one, two)
        ]
        assert kernels[0] == kernels[1]
    inside: list[Any] = []
    G = two.nets["G"]
    G.get_submodule("rungs").register_forward_hook(lambda module, given, drawn: inside.append(drawn))
    made = G(torch.randn(2, 100))
    assert inside[0].shape == (2, 1, 32, 32)
    torch.testing.assert_close(made[0, 0, 0, 0], inside[0][0, 0, :2, :2].mean())


def test_d_sees_enlarged_pictures() -> None:
    plan = ladder(16, 16, 4)
    plain, through = Discriminator(plan, 1), Discriminator(plan, 1, glasses=2)
    through.load_state_dict(plain.state_dict())
    pictures = torch.randn(3, 1, 8, 8)
    enlarged = F.interpolate(pictures, size=(16, 16), mode="bilinear")
    torch.testing.assert_close(through(pictures), plain(enlarged))


def test_no_glasses_at_all_are_refused(capsys: pytest.CaptureFixture[str], tmp_path: Any) -> None:
    assert main(["train", "hr-dcgan", "--data", "digits", "--glasses", "0", "--out", str(tmp_path / "run")]) == 2
    assert capsys.readouterr().err == "limner: --glasses 0: expected a number above 0\n"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("update", ["alternating", "simultaneous"])
@pytest.mark.parametrize("activation", ["relu", "selu", "elu"])
def test_r1_is_felt(update: Any, activation: Any) -> None:
    """D becomes less steep at reals than without it, whatever its layers."""
    slopes = []
    for gamma in (0.0, 10.0):
        settings = DCGANSettings(
            latent=8, filters=4, activation=activation, gamma=gamma, update=update, lr_g=1e-3, lr_d=5e-3, glasses=2
        )
        method = build("dcgan", settings, Spec(1, 8, 8), seed=0)
        real = torch.randn(16, 1, 8, 8, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
        clock = Clock(10**6)
        step = Updater(method.groups, method.nets, clock, fused=True)
        for number in range(30):
            torch.manual_seed(number)
            scalars = method.step({"image": real}, step, clock)
            assert all(value.isfinite() for value in scalars.values())
        shown = real.clone().requires_grad_()
        (slope,) = torch.autograd.grad(method.nets["D"](shown).sum(), shown)
        slopes.append(slope.square().sum().item())
    assert slopes[1] < 0.5 * slopes[0]


@pytest.mark.parametrize("update", ["alternating", "simultaneous"])
def test_r1_changes_in_the_second_half(update: Any) -> None:
    """It weighs --gamma up to the middle of the run and goes evenly to --gamma-end of that at the end."""
    settings = DCGANSettings(latent=8, filters=4, gamma=10.0, gamma_end=3.0, update=update)
    method = build("dcgan", settings, Spec(1, 8, 8), seed=0)
    real = torch.randn(16, 1, 8, 8, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    found: list[float] = []
    for images in (0, 50, 75, 100):
        torch.manual_seed(0)
        losses: dict[str, torch.Tensor] = {}
        method.step({"image": real}, lambda given=losses, **asked: given.update(asked), Clock(100, images))
        found.append(losses["D"].item())
    start, middle, later, end = found
    assert middle == start < later
    assert end - start == pytest.approx(2 * (later - start), rel=1e-3)


_CONVS = nn.Conv2d | nn.ConvTranspose2d

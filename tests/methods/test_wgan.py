"""WGAN's critic: kept from growing steep by clipped weights or by a penalty that is felt, and trained more often."""

from __future__ import annotations

import pytest
import torch
from scipy import stats
from torch import Tensor, nn

from limner.core.clock import Clock
from limner.core.contract import Method, Spec
from limner.engine.update import Updater
from limner.losses.penalties import between, slope_penalty
from limner.methods import build
from limner.presets.wgan import WGANSettings


def train(settings: WGANSettings, steps: int) -> tuple[Method, Tensor]:
    method = build("wgan", settings, Spec(1, 8, 8), seed=0)
    real = torch.randn(32, 1, 8, 8, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    clock = Clock(10**6)
    update = Updater(method.groups, method.nets, clock, fused=True)
    for number in range(steps):
        torch.manual_seed(number)
        method.step({"image": real}, update, clock)
    return method, real


def slope(method: Method, pictures: Tensor) -> float:
    shown = pictures.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(method.nets["D"](shown).sum(), shown)
    return gradient.flatten(1).norm(dim=1).mean().item()


def test_the_penalty_is_felt() -> None:
    """Without it the critic grows far steeper than 1; with it the slope is near 1."""
    free, bound = (
        slope(*train(WGANSettings(latent=8, filters=8, penalty=weight, lr_d=1e-2), 40)) for weight in (0.0, 10.0)
    )
    assert free > 5
    assert 0.5 < bound < 1.5


def test_the_penaltys_gradient_reaches_every_weight_of_d() -> None:
    method = build("wgan", WGANSettings(latent=8, filters=4), Spec(3, 16, 16), seed=0)
    critic = method.nets["D"]
    x_hat = between(torch.randn(4, 3, 16, 16), torch.randn(4, 3, 16, 16))
    slope_penalty(critic(x_hat), x_hat).backward()
    for name, parameter in critic.named_parameters():
        reached = parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)
        assert reached or name.endswith("bias"), name  # biases move a critic's height, not its slope


def test_step_adds_the_penalty_to_the_critics_loss() -> None:
    given: dict[str, Tensor] = {}
    method = build("wgan", WGANSettings(latent=8, filters=4), Spec(1, 8, 8), seed=0)
    scalars = method.step({"image": torch.rand(4, 1, 8, 8)}, given.update, Clock(100))
    torch.testing.assert_close(given["D"], scalars["loss/D"] + 10 * scalars["loss/penalty"])


def test_alpha_is_uniform_and_one_for_each_picture() -> None:
    torch.manual_seed(0)
    real, fake = torch.ones(4000, 2, 3, 3), -torch.ones(4000, 2, 3, 3)
    x_hat = between(real, fake)
    assert x_hat.requires_grad and x_hat.is_leaf
    alpha = (1 - x_hat.detach()) / 2  # (N, C, H, W)
    assert torch.equal(alpha, alpha[:, :1, :1, :1].expand_as(alpha)), "one number for a whole picture"
    assert stats.kstest(alpha[:, 0, 0, 0], "uniform").pvalue > 1e-3


def test_slope_penalty_at_known_points() -> None:
    direction = torch.randn(1, 4, 4)
    pictures = torch.randn(5, 1, 4, 4, requires_grad=True)
    penalty = slope_penalty((pictures * direction).sum((1, 2, 3)), pictures)
    assert penalty.item() == pytest.approx((direction.norm().item() - 1) ** 2, rel=1e-4)
    weight = torch.zeros((), requires_grad=True)
    flat = slope_penalty((pictures * weight).sum((1, 2, 3)), pictures)
    (gradient,) = torch.autograd.grad(flat, weight)
    assert flat.item() == 1 and gradient.isfinite(), "a flat critic gives no NaN"


def test_clipped_weights_stay_within() -> None:
    settings = WGANSettings(latent=8, filters=8, constraint="clip", optimizer="rmsprop", lr_d=5e-3)
    method, _ = train(settings, 6)
    assert max(weight.abs().max().item() for weight in method.nets["D"].parameters()) == pytest.approx(0.01)
    assert max(weight.abs().max().item() for weight in method.nets["G"].parameters()) > 0.02


def test_the_critic_steps_more_often() -> None:
    asked: list[str] = []
    method = build("wgan", WGANSettings(latent=8, filters=2, critic_steps=3), Spec(1, 8, 8))
    for _ in range(9):
        method.step({"image": torch.rand(2, 1, 8, 8)}, lambda **losses: asked.extend(losses), Clock(100))
    assert "".join(asked) == "DDDG" * 3


def test_no_batch_norm_in_the_critic() -> None:
    critic = build("wgan", WGANSettings(), Spec(3, 32, 32)).nets["D"]
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in critic.modules())
    assert all(layer.bias is not None for layer in critic.modules() if isinstance(layer, nn.Conv2d))


def test_half_precision_goes_through() -> None:
    method = build("wgan", WGANSettings(latent=8, filters=2, critic_steps=1), Spec(1, 8, 8), seed=0)
    update = Updater(method.groups, method.nets, Clock(100), fused=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scalars = method.step({"image": torch.rand(4, 1, 8, 8)}, update, Clock(100))
    assert all(value.isfinite() for value in scalars.values())
